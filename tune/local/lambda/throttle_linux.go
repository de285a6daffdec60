package lambda

import (
	"cmp"
	"os"
	"runtime"
	"sync"
	"time"

	"lambda-parallel-io/handler/platform"

	"golang.org/x/sys/unix"
)

// throttle holds a process to its memory size from outside: it stops the
// process group when the process has used the quota of a period, or has been at
// work for as long as one thread may be, and lets it go on in the next. What is
// used beyond that in one period is taken from the next ones. It also watches
// the memory, once a period.
//
// It does what the kernel's CFS bandwidth control does to a function on
// Lambda, without the privilege that a control group needs.
type throttle struct {
	pid      int
	clock    cpuClock
	statm    *os.File // /proc/PID/statm
	memoryMB int

	period time.Duration
	// What may be used in it, in this machine's processor time.
	quota, initQuota time.Duration // over all threads
	perThread        time.Duration // by one thread

	mu      sync.Mutex
	mode    mode
	stopped bool
	begin   time.Time     // of the period
	used    time.Duration // the clock at begin
	debt    time.Duration // used beyond the quota before begin
	busy    time.Duration // at work since begin, with one thread or with several at once
	lead    time.Duration // at work beyond perThread before begin
	looked  time.Time     // last, at the clock
	seen    time.Duration // there
	room    time.Duration // for work of one thread up to then that the clock has yet to tell of
	outgrew bool          // its memory size, and was killed for it
	peak    int           // of resident memory in MB, as seen, up to its size

	thaw chan struct{} // the mode is no longer frozen
	gone chan struct{} // closed when the process has ended
}

type mode int

const (
	starting  mode = iota // INIT
	throttled             // an invocation runs
	frozen                // between invocations nothing runs
)

// step is the shortest sleep between two looks at the clock. On each
// processor a process can outrun its quota by this much, until the next period.
const step = 100 * time.Microsecond

// window is how long the sleep may be where one thread by itself could use more
// than Lambda gives one. What a process has used in a window, up to the window's
// length, is how long it was at work there: threads that take turns count as
// one, as on a core of Lambda, and threads that run at the same time count once.
// (A stranger can neither stop single threads nor read their clocks without
// privilege, and their schedstat is up to 4 ms late; besides, Go moves a
// goroutine from thread to thread.)
const window = 500 * time.Microsecond

// tick is how late the clock of a process that runs can be.
const tick = 4 * time.Millisecond

func newThrottle(pid int, cfg Config, statm *os.File) *throttle {
	t := &throttle{
		pid:      pid,
		clock:    clockOf(pid),
		statm:    statm,
		memoryMB: cfg.MemoryMB,
		period:   cfg.Slow.Stretch(platform.Period),
		begin:    time.Now(),
		thaw:     make(chan struct{}, 1),
		gone:     make(chan struct{}),
	}
	t.grant(cfg)
	return t
}

// grant sets what may be used in a period from now on.
func (t *throttle) grant(cfg Config) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := func(vCPUs float64) time.Duration {
		return time.Duration(vCPUs / cfg.Speed * float64(platform.Period))
	}
	t.quota, t.initQuota, t.perThread = of(cmp.Or(cfg.VCPUs, platform.VCPUs(cfg.MemoryMB))), of(platform.InitVCPUs), of(platform.ThreadVCPUs(cfg.Arch))
}

// set changes the mode, which the process feels at once. An invocation
// begins with a period of its own, as after a pause on Lambda.
func (t *throttle) set(m mode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mode = m
	t.begin, t.used, t.debt, t.busy, t.lead = time.Now(), t.clock.now(), 0, 0, 0
	t.looked, t.seen, t.room = t.begin, t.used, 0
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
// locked to its thread, for its timers.
func (t *throttle) run() {
	// By default the kernel delays a timer by up to 50 us to save power; the
	// quota of the smallest size is 1.4 ms.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	for {
		if wake, ok := t.look(); ok {
			sleepUntil(wake)
		} else {
			select {
			case <-t.thaw:
			case <-t.gone:
			}
		}
		select {
		case <-t.gone:
			return
		default:
		}
	}
}

// look closes the accounts of the periods that have ended, stops the process or
// lets it go on, and says when to look again: not before the process can have
// used up what is left. It returns false while the process is frozen.
func (t *throttle) look() (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mode == frozen {
		return time.Time{}, false
	}
	used, now := t.clock.now(), time.Now() // in this order: a pause between them is not taken for work
	t.work(now, used)
	bound := t.quota
	if t.mode == starting {
		bound = t.initQuota
	}
	if n := now.Sub(t.begin) / t.period; n > 0 { // more than one when the machine was busy
		t.debt = max(0, t.debt+used-t.used-n*bound)
		t.lead = max(0, t.lead+t.busy-n*t.perThread)
		t.begin, t.used, t.busy = t.begin.Add(n*t.period), used, 0
		t.watchMemory()
	}
	left := bound - t.debt - (used - t.used)
	ofThread := t.perThread - t.lead - t.busy
	t.signal(min(left, ofThread) <= 0)
	pause := t.begin.Add(t.period).Sub(now)
	if !t.stopped {
		pause = min(pause, max(step, min(left/time.Duration(runtime.NumCPU()), ofThread)))
		if t.perThread < min(bound, t.period) {
			pause = min(pause, window)
		}
	}
	if t.mode == starting { // an invocation that begins must not wait for this period's end
		pause = min(pause, time.Millisecond)
	}
	return now.Add(pause), true
}

// work counts how long the process has been at work since the last look: what it
// has used, but one thread cannot use more than has passed.
func (t *throttle) work(now time.Time, used time.Duration) {
	t.room = min(t.room+now.Sub(t.looked), tick)
	alone := min(used-t.seen, t.room)
	t.busy += alone
	t.room -= alone
	if t.stopped {
		t.room = 0 // and the clock has told all
	}
	t.looked, t.seen = now, used
}

// watchMemory kills a process that has outgrown its memory size, as Lambda
// does. What it allocates and frees within a period escapes.
func (t *throttle) watchMemory() {
	_, pages, _ := numbers(t.statm) // the second is the resident ones
	now := megabytes(pages * int64(os.Getpagesize()))
	t.peak = max(t.peak, min(now, t.memoryMB))
	if now > t.memoryMB {
		t.outgrew = true
		_ = unix.Kill(-t.pid, unix.SIGKILL)
	}
}

func (t *throttle) memory() (peak int, outgrew bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.peak, t.outgrew
}

// sleepUntil sleeps on this very thread: Go's own timers round to 1 ms.
func sleepUntil(at time.Time) {
	if d := time.Until(at); d > 0 {
		ts := unix.NsecToTimespec(d.Nanoseconds())
		_ = unix.Nanosleep(&ts, nil) // a signal wakes it early, which does no harm
	}
}

// cpuClock is the kernel's clock of a process's processor time, over all its
// threads, those that run at this moment included.
type cpuClock int32

// clockOf returns the clock of process pid: what clock_getcpuclockid(3) does,
// by the encoding of linux/posix-timers_types.h (CPUCLOCK_SCHED is 2).
func clockOf(pid int) cpuClock { return cpuClock(^int32(pid)<<3 | 2) }

// now returns 0 once the process has gone.
func (c cpuClock) now() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(int32(c), &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// megabytes are of 1,048,576 bytes, rounded up.
func megabytes(bytes int64) int { return int((bytes + 1<<20 - 1) >> 20) }
