package lambda

import (
	"cmp"
	"context"
	"runtime"
	"sync"
	"time"

	"lambda-parallel-io/handler/platform"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// throttle limits a process to the CPU time and the memory of its size. It
// stops the process group once the process has used up the quota of a period, or
// once one thread could have used up its own, and continues it in the next period.
// What is used beyond a quota is taken from the next ones. The kernel's CFS bandwidth
// control does the same on Lambda, but needs the privilege to make a control group.
type throttle struct {
	proc     procfs.Proc
	pid      int
	clock    cpuClock
	memoryMB int

	// Quotas are in CPU time of this machine per period.
	period           time.Duration
	quota, initQuota time.Duration // of all threads
	perThread        time.Duration

	mu       sync.Mutex
	mode     mode
	stopped  bool
	begin    time.Time     // of the period
	used     time.Duration // the clock at begin
	debt     time.Duration // used beyond the quota before begin
	busy     time.Duration // time since begin in which at least one thread ran
	busyDebt time.Duration // busy beyond perThread before begin
	looked   time.Time     // when the clock was last read
	seen     time.Duration // the clock then
	pending  time.Duration // CPU time that one thread may have used and the clock has not reported yet
	outgrew  bool          // it was killed because it outgrew its memory size
	peak     int           // highest resident memory seen, in MB, up to its size

	thaw  chan struct{}   // receives when the mode is no longer frozen
	alive context.Context // done when the process has ended and its group is dead
	end   context.CancelFunc
}

type mode int

const (
	starting  mode = iota // INIT
	throttled             // during an invocation
	frozen                // between invocations
)

const (
	// step is the shortest sleep between two readings of the clock. The process can
	// exceed its quota by this much on each core, until the next period.
	step = 100 * time.Microsecond

	// window is the longest sleep if one thread could use more than Lambda gives it.
	// The process counts as busy in a window for the CPU time that it used there, up to
	// the window's length. So threads that alternate count as one, and threads that run
	// at the same time count once. Reading the threads' own clocks needs privilege,
	// their schedstat is up to 4 ms late, and Go moves goroutines between threads.
	window = 500 * time.Microsecond

	// tick is how late the clock of a running process can be.
	tick = 4 * time.Millisecond
)

func newThrottle(proc procfs.Proc, cfg Config) *throttle {
	t := &throttle{proc: proc, pid: proc.PID, clock: clockOf(proc.PID), memoryMB: cfg.MemoryMB,
		period: cfg.Slow.Stretch(platform.Period), begin: time.Now(), thaw: make(chan struct{}, 1)}
	t.alive, t.end = context.WithCancel(context.Background())
	t.grant(cfg)
	return t
}

// grant sets the quotas.
func (t *throttle) grant(cfg Config) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := func(vCPUs float64) time.Duration {
		return time.Duration(vCPUs / cfg.Speed * float64(platform.Period))
	}
	t.quota = of(cmp.Or(cfg.VCPUs, platform.VCPUs(cfg.MemoryMB)))
	t.initQuota, t.perThread = of(platform.InitVCPUs), of(platform.ThreadVCPUs(cfg.Arch))
}

// set changes the mode at once and begins a new period, as Lambda does after a pause.
func (t *throttle) set(m mode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mode = m
	t.begin, t.used, t.debt, t.busy, t.busyDebt = time.Now(), t.clock.now(), 0, 0, 0
	t.looked, t.seen, t.pending = t.begin, t.used, 0
	t.signal(m == frozen)
	if m != frozen {
		select {
		case t.thaw <- struct{}{}:
		default: // run has not received the last one yet
		}
	}
}

// signal stops or continues the process group. The caller holds mu.
func (t *throttle) signal(stop bool) {
	if stop == t.stopped {
		return
	}
	t.stopped = stop
	sig := unix.SIGCONT
	if stop {
		sig = unix.SIGSTOP
	}
	_ = unix.Kill(-t.pid, sig) // fails only if the group has ended
}

// run throttles the process until its end. The calling goroutine must be locked to its
// thread.
func (t *throttle) run() {
	// By default the kernel delays a timer by up to 50 us to save power. The quota of
	// the smallest size is 1.4 ms.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	for t.alive.Err() == nil {
		if wake, ok := t.look(); ok {
			sleepUntil(wake)
			continue
		}
		select {
		case <-t.thaw:
		case <-t.alive.Done():
		}
	}
}

// look accounts for the periods that have ended, stops or continues the process, and
// returns when to look again, at the earliest when the process can have used up what
// is left. It returns false while the process is frozen.
func (t *throttle) look() (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mode == frozen {
		return time.Time{}, false
	}
	used, now := t.clock.now(), time.Now() // in this order: a pause between them must not count as work
	t.countBusy(now, used)
	bound := t.quota
	if t.mode == starting {
		bound = t.initQuota
	}
	if n := now.Sub(t.begin) / t.period; n > 0 { // more than one if the machine was busy
		t.debt = max(0, t.debt+used-t.used-n*bound)
		t.busyDebt = max(0, t.busyDebt+t.busy-n*t.perThread)
		t.begin, t.used, t.busy = t.begin.Add(n*t.period), used, 0
		t.watchMemory()
	}
	left := bound - t.debt - (used - t.used)
	ofThread := t.perThread - t.busyDebt - t.busy
	t.signal(min(left, ofThread) <= 0)
	pause := t.begin.Add(t.period).Sub(now)
	if !t.stopped {
		pause = min(pause, max(step, min(left/time.Duration(runtime.NumCPU()), ofThread)))
		if t.perThread < min(bound, t.period) {
			pause = min(pause, window)
		}
	}
	if t.mode == starting { // the first invocation must not wait for this period's end
		pause = min(pause, time.Millisecond)
	}
	return now.Add(pause), true
}

// countBusy adds the CPU time used since the last look, up to what one thread can
// have used.
func (t *throttle) countBusy(now time.Time, used time.Duration) {
	t.pending = min(t.pending+now.Sub(t.looked), tick)
	alone := min(used-t.seen, t.pending)
	t.busy += alone
	t.pending -= alone
	if t.stopped {
		t.pending = 0 // the clock has reported all
	}
	t.looked, t.seen = now, used
}

// watchMemory kills a process that outgrew its memory size, as Lambda does. It misses
// what is allocated and freed within a period.
func (t *throttle) watchMemory() {
	memory, _ := t.proc.Statm() // zero once the process has ended
	now := megabytes(memory.ResidentBytes())
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

// sleepUntil blocks the thread: Go's own timers round to 1 ms.
func sleepUntil(at time.Time) {
	ts := unix.NsecToTimespec(max(0, time.Until(at).Nanoseconds()))
	_ = unix.Nanosleep(&ts, nil) // a signal may wake it early, which does no harm
}

// cpuClock is the kernel's clock of the CPU time of all threads of a process.
type cpuClock int32

// clockOf returns the clock of process pid, as clock_getcpuclockid(3) does, in the
// encoding of linux/posix-timers_types.h (CPUCLOCK_SCHED is 2).
func clockOf(pid int) cpuClock { return cpuClock(^int32(pid)<<3 | 2) }

// now returns 0 once the process has gone.
func (c cpuClock) now() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(int32(c), &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// megabytes returns units of 1,048,576 bytes, rounded up.
func megabytes(bytes uint64) int { return int((bytes + 1<<20 - 1) >> 20) }
