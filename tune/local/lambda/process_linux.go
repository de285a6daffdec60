package lambda

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"lambda-parallel-io/handler/platform"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

type mode int

const (
	starting  mode = iota // INIT
	throttled             // during an invocation
	frozen                // between invocations
)

const (
	// step is the shortest sleep between two readings of the clock. The process can exceed its quota by this much on
	// each core, until the next period.
	step = 100 * time.Microsecond

	// window is the longest sleep if one thread could use more than Lambda gives it. The process counts as busy in a
	// window for the CPU time that it used there, up to the window's length. So threads that alternate count as one,
	// and threads that run at the same time count once. Reading the threads' own clocks needs privilege, their
	// schedstat is up to 4 ms late, and Go moves goroutines between threads.
	window = 500 * time.Microsecond

	// tick is how late the clock of a running process can be.
	tick = 4 * time.Millisecond
)

// process is a process in a group of its own, with Lambda's limits of descriptors, memory and CPU time.
type process struct {
	cfg   *Config // of the function: its Speed and VCPUs may change while the process is frozen
	api   *runtimeAPI
	cmd   *exec.Cmd
	proc  procfs.Proc
	clock cpuClock
	peak  atomic.Int64    // highest resident memory seen, in MB
	alive context.Context // done when the process has ended and its group is dead; the cause is what Wait returned
	end   context.CancelCauseFunc
	ended time.Time     // before what it left behind was killed; valid once alive is done
	thaw  chan struct{} // receives when the mode is no longer frozen

	mu        sync.Mutex
	mode      mode
	stopped   bool
	begin     time.Time     // of the period
	quota     time.Duration // CPU time of this machine per period, of all threads
	left      time.Duration // of quota; less than 0 is a debt
	perThread time.Duration // the quota of one thread
	ofThread  time.Duration // what is left of perThread
	looked    time.Time     // when the clock was last read
	seen      time.Duration // the clock then
	pending   time.Duration // CPU time that one thread may have used and the clock has not reported yet
}

// startProcess starts a process and throttles it until it ends. The kernel sends the parent-death signal when the
// starting thread ends, so a goroutine keeps that thread.
func startProcess(cfg *Config, out io.Writer) (*process, error) {
	api, err := startRuntimeAPI(cfg.Name, cfg.Errors)
	if err != nil {
		return nil, err
	}
	p := &process{cfg: cfg, api: api, cmd: exec.Command(cfg.Path), thaw: make(chan struct{}, 1)}
	p.cmd.Dir = filepath.Dir(cfg.Path) // LAMBDA_TASK_ROOT, as /var/task on Lambda
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = append(cfg.environment(), api.variable), out, out
	p.cmd.WaitDelay = time.Second // a process that it leaves behind may hold its output open
	p.cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true, // a terminal's Ctrl-C reaches only the tuner, which then ends the process
		Pdeathsig: syscall.SIGKILL,
	}
	p.alive, p.end = context.WithCancelCause(context.Background())
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := p.start()
		started <- err
		if err == nil {
			go p.wait()
			p.run()
		}
	}()
	if err = <-started; err != nil {
		_ = api.http.Close()
	}
	return p, err
}

func (p *process) start() error {
	if err := p.cmd.Start(); err != nil {
		var fs unix.Statfs_t
		if unix.Statfs(p.cfg.Path, &fs) == nil && fs.Flags&unix.ST_NOEXEC != 0 {
			err = fmt.Errorf("%w\nits file system is mounted noexec: set TMPDIR to a folder where programs may run", err)
		}
		return fmt.Errorf("starting the function %s: %w", p.cfg.Path, err)
	}
	// Go raises its soft limit to the hard one, so only that binds. Lowering it needs no privilege.
	pid, limit := p.cmd.Process.Pid, unix.Rlimit{Cur: platform.FileDescriptors, Max: platform.FileDescriptors}
	err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil)
	proc, errProc := procfs.NewProc(pid)
	if err = errors.Join(err, errProc); err != nil {
		_ = unix.Kill(-pid, unix.SIGKILL)
		err = errors.Join(err, p.cmd.Wait())
		return fmt.Errorf("limiting the function's descriptors and watching its memory: %w", err)
	}
	p.proc, p.clock = proc, cpuClock(^int32(pid)<<3|2)
	p.set(starting)
	return nil
}

// wait kills the group before it reaps the process: until then no other process can get its number. Then it kills
// those outside the group.
func (p *process) wait() {
	for unix.Waitid(unix.P_PID, p.proc.PID, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	_ = unix.Kill(-p.proc.PID, unix.SIGKILL)
	err := p.cmd.Wait()
	p.ended = time.Now()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	Kill(p.api.variable)
	_ = p.api.http.Close()
	p.end(err)
}

// usage is what a process has used so far.
type usage struct {
	cpu, runDelay time.Duration
	faults        uint // page faults of the child processes that it has waited for: they change when one has ended
	peakMB        int
}

func (p *process) usage() usage {
	u := usage{cpu: p.clock.now()}
	stat, _ := p.proc.Stat()
	status, _ := p.proc.NewStatus()
	u.faults, u.peakMB = stat.CMinFlt, megabytes(status.VmHWM)
	threads, _ := procfs.AllThreads(p.proc.PID)
	for _, thread := range threads {
		s, _ := thread.Schedstat() // zero if the thread has ended since
		u.runDelay += time.Duration(s.WaitingNanoseconds)
	}
	return u
}

// hasChildren looks for processes below this one or in its group.
func (p *process) hasChildren() bool {
	all, _ := procfs.AllProcs()
	return slices.ContainsFunc(all, func(other procfs.Proc) bool {
		s, err := other.Stat()
		return err == nil && s.PID != p.proc.PID && (s.PPID == p.proc.PID || s.PGRP == p.proc.PID)
	})
}

// set changes the mode at once and begins a new period, as Lambda does after a pause.
func (p *process) set(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	vCPUs := cmp.Or(p.cfg.VCPUs, platform.VCPUs(p.cfg.MemoryMB))
	if m == starting {
		vCPUs = platform.InitVCPUs
	}
	one := float64(platform.Period) / p.cfg.Speed // of the vCPUs, in CPU time of this machine per period
	p.quota, p.perThread = time.Duration(vCPUs*one), time.Duration(platform.ThreadVCPUs(p.cfg.Arch)*one)
	p.mode, p.begin, p.seen, p.pending = m, time.Now(), p.clock.now(), 0
	p.left, p.ofThread, p.looked = p.quota, p.perThread, p.begin
	p.signal(m == frozen)
	if m != frozen && len(p.thaw) == 0 { // otherwise run has not received the last one yet
		p.thaw <- struct{}{}
	}
}

// signal stops or continues the process group. The caller holds mu.
func (p *process) signal(stop bool) {
	if stop == p.stopped {
		return
	}
	p.stopped = stop
	sig := unix.SIGCONT
	if stop {
		sig = unix.SIGSTOP
	}
	_ = unix.Kill(-p.proc.PID, sig) // fails only if the group has ended
}

// run throttles the process until its end. The calling goroutine must be locked to its thread. It stops the process
// group once the process has used up the quota of a period, or once one thread could have used up its own, and
// continues it in the next period. What is used beyond a quota is taken from the next ones. The kernel's CFS
// bandwidth control does the same on Lambda, but needs the privilege to make a control group.
func (p *process) run() {
	// By default the kernel delays a timer by up to 50 us to save power. The quota of the smallest size is 1.4 ms.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	for p.alive.Err() == nil {
		if wake, ok := p.look(); ok {
			pause := unix.NsecToTimespec(max(0, time.Until(wake).Nanoseconds()))
			_ = unix.Nanosleep(&pause, nil) // Go's own timers round to 1 ms. A signal may wake it early, which does no harm
			continue
		}
		select {
		case <-p.thaw:
		case <-p.alive.Done():
		}
	}
}

// look accounts for the CPU time used and the periods that have ended, stops or continues the process, and returns
// when to look again: at the earliest when what is left can be used up. It returns false while the process is frozen.
func (p *process) look() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == frozen {
		return time.Time{}, false
	}
	used, now := p.clock.now(), time.Now() // in this order: a pause between them must not count as work
	p.pending = min(p.pending+now.Sub(p.looked), tick)
	alone := min(used-p.seen, p.pending) // what one thread can have used
	p.left, p.ofThread, p.pending = p.left-(used-p.seen), p.ofThread-alone, p.pending-alone
	if p.stopped {
		p.pending = 0 // the clock has reported all
	}
	p.looked, p.seen = now, used
	period := p.cfg.Slow.Stretch(platform.Period)
	if n := now.Sub(p.begin) / period; n > 0 { // more than one if the machine was busy
		p.begin = p.begin.Add(n * period)
		p.left, p.ofThread = min(p.quota, p.left+n*p.quota), min(p.perThread, p.ofThread+n*p.perThread)
		p.watchMemory()
	}
	p.signal(min(p.left, p.ofThread) <= 0)
	pause := p.begin.Add(period).Sub(now)
	if !p.stopped {
		pause = min(pause, max(step, min(p.left/time.Duration(runtime.NumCPU()), p.ofThread)))
		if p.perThread < min(p.quota, period) {
			pause = min(pause, window)
		}
	}
	if p.mode == starting { // the first invocation must not wait for this period's end
		pause = min(pause, time.Millisecond)
	}
	return now.Add(pause), true
}

// watchMemory kills a process that outgrew its memory size, as Lambda does. It misses what is freed within a period.
func (p *process) watchMemory() {
	memory, _ := p.proc.Statm() // zero once the process has ended
	now := megabytes(memory.ResidentBytes())
	p.peak.Store(max(p.peak.Load(), int64(now)))
	if now > p.cfg.MemoryMB {
		_ = p.cmd.Process.Kill()
	}
}

// cpuClock is the kernel's clock of the CPU time of all threads of a process. That of process pid is made as
// clock_getcpuclockid(3) does, in the encoding of linux/posix-timers_types.h (CPUCLOCK_SCHED is 2).
type cpuClock int32

// now returns 0 once the process has gone.
func (c cpuClock) now() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(int32(c), &ts)
	return time.Duration(ts.Nano())
}

// megabytes returns units of 1,048,576 bytes, rounded up.
func megabytes(bytes uint64) int { return int((bytes + 1<<20 - 1) >> 20) }
