package lambda

import (
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// throttle holds a process to its memory size from outside: it stops the
// process group when the process has used the quota of a period, and lets it
// go on in the next. What was used too much in one period is missing in the
// next ones. It also watches the memory, once a period.
//
// It does what the kernel's CFS bandwidth control does to a function on
// Lambda, without the privilege that a control group needs.
type throttle struct {
	pid      int
	clock    cpuClock
	quota    time.Duration // a period's
	memoryMB int

	mu      sync.Mutex
	mode    mode
	stopped bool
	begin   time.Time     // of the period
	used    time.Duration // the clock at begin
	debt    time.Duration // used too much before begin
	outgrew bool          // killed for its memory
	peak    int           // the highest resident memory seen, in MB

	thaw chan struct{} // the mode is no longer frozen
	gone chan struct{} // closed when the process has ended
}

type mode int

const (
	free      mode = iota // INIT: no bound
	throttled             // an invocation runs
	frozen                // between invocations nothing runs
)

// step is the shortest sleep between two looks at the clock. On each
// processor a process can outrun its quota by this much, until the next period.
const step = 100 * time.Microsecond

// set changes the mode, with its effect on the process at once. An invocation
// begins with a period of its own, as after a pause on Lambda.
func (t *throttle) set(m mode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mode = m
	t.begin, t.used, t.debt = time.Now(), t.clock.now(), 0
	t.signal(m == frozen)
	if m != frozen {
		select {
		case t.thaw <- struct{}{}:
		default: // run has yet to take the last one
		}
	}
}

// signal stops the process group or lets it go on. The caller holds mu.
func (t *throttle) signal(stop bool) {
	if stop == t.stopped {
		return
	}
	t.stopped = stop
	sig := unix.SIGCONT
	if stop {
		sig = unix.SIGSTOP
	}
	_ = unix.Kill(-t.pid, sig) // fails only when the group has gone
}

// run controls the process until it has gone. The calling goroutine must be
// locked to its thread: the timers are set for that. It returns the processor
// time that the control has cost.
func (t *throttle) run(statm *os.File) time.Duration {
	// By default the kernel delays a timer by up to 50 us to save power; the
	// quota of the smallest size is 1.4 ms.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	start := threadTime()
	for {
		wake, ok := t.look(statm)
		select {
		case <-t.gone:
			return threadTime() - start
		default:
		}
		if ok {
			sleepUntil(wake)
			continue
		}
		select {
		case <-t.thaw:
		case <-t.gone:
		}
	}
}

// look settles the periods that have ended, stops the process or lets it go
// on, and says when to look again: not before the process can have used up
// what is left. It returns false while the process is frozen.
func (t *throttle) look(statm *os.File) (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mode == frozen {
		return time.Time{}, false
	}
	bound := t.quota
	if t.mode == free {
		bound = 0
	}
	now, used := time.Now(), t.clock.now()
	if n := now.Sub(t.begin) / Period; n > 0 { // more than one when the machine was busy
		t.debt = max(0, t.debt+used-t.used-n*bound)
		t.begin, t.used = t.begin.Add(n*Period), used
		t.watchMemory(statm)
	}
	end := t.begin.Add(Period)
	if bound == 0 { // until an invocation begins, which must not wait for this period's end
		return now.Add(time.Millisecond), true
	}
	left := bound - t.debt - (used - t.used)
	t.signal(left <= 0)
	if left <= 0 {
		return end, true
	}
	soonest := now.Add(max(left/time.Duration(runtime.NumCPU()), step))
	if soonest.Before(end) {
		return soonest, true
	}
	return end, true
}

// watchMemory kills a process that has outgrown its memory size, as Lambda
// does. What it allocates and frees within a period escapes.
func (t *throttle) watchMemory(statm *os.File) {
	now := residentMB(statm)
	t.peak = max(t.peak, now)
	if now > t.memoryMB {
		t.outgrew = true
		_ = unix.Kill(-t.pid, unix.SIGKILL)
	}
}

// memory returns the highest resident memory seen in MB, the memory size where
// the process was killed for outgrowing it, and whether it was.
func (t *throttle) memory() (peak int, outgrew bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.outgrew {
		return t.memoryMB, true
	}
	return t.peak, false
}

// sleepUntil sleeps on this very thread: Go's own timers round to 1 ms.
func sleepUntil(at time.Time) {
	if d := time.Until(at); d > 0 {
		ts := unix.NsecToTimespec(d.Nanoseconds())
		_ = unix.Nanosleep(&ts, nil) // a signal wakes it early, which does no harm
	}
}

// threadTime returns the processor time of the calling thread so far.
func threadTime() time.Duration {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &ru) != nil {
		return 0
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}
