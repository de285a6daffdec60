package lambda

import (
	"bytes"
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
	if err = cmp.Or(err, errProc); err != nil {
		return fmt.Errorf("limiting the function's descriptors and watching its memory: %w", err)
	}
	p.proc, p.clock = proc, clockOf(pid)
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

// tail passes on what a process prints and keeps the last 4 KB, which Lambda returns for LogType=Tail.
type tail struct {
	next io.Writer
	mu   sync.Mutex
	last []byte
}

// Write never fails: a log that cannot be written must not hurt the function.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = t.next.Write(p)
	t.last = append(t.last, p...)
	t.last = t.last[max(0, len(t.last)-4<<10):]
	return len(p), nil
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.last)
}
