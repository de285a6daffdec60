package lambda

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"lambda-parallel-io/handler/platform"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// process is the function's process, in a group of its own, with Lambda's limit of
// descriptors. It dies with this program.
type process struct {
	*throttle
	state error // how it ended, nil for exit status 0: valid once alive is done
}

func startProcess(cfg Config, env []string, out io.Writer) (*process, error) {
	cmd := exec.Command(cfg.Path)
	cmd.Dir = filepath.Dir(cfg.Path) // LAMBDA_TASK_ROOT, as /var/task on Lambda
	cmd.Env, cmd.Stdout, cmd.Stderr = env, out, out
	cmd.WaitDelay = time.Second // a process that it leaves behind may hold its output open
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true, // a terminal's Ctrl-C reaches only the tuner, which then ends the process
		Pdeathsig: syscall.SIGKILL,
	}
	p := &process{}
	started := make(chan error)
	go p.control(cmd, cfg, started)
	return p, <-started
}

// control starts the process and throttles it until it ends. The kernel sends the
// parent-death signal when the starting thread ends, so this goroutine keeps its thread.
func (p *process) control(cmd *exec.Cmd, cfg Config, started chan<- error) {
	runtime.LockOSThread()
	if err := cmd.Start(); err != nil {
		var fs unix.Statfs_t
		if unix.Statfs(cmd.Path, &fs) == nil && fs.Flags&unix.ST_NOEXEC != 0 {
			err = fmt.Errorf("%w\nits file system is mounted noexec: set TMPDIR to a folder where programs may run", err)
		}
		started <- fmt.Errorf("starting the function %s: %w", cmd.Path, err)
		return
	}
	// Go raises its soft limit to the hard one when it starts, so only the hard one
	// binds. Lowering that needs no privilege.
	limit := unix.Rlimit{Cur: platform.FileDescriptors, Max: platform.FileDescriptors}
	err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_NOFILE, &limit, nil)
	proc, errProc := procfs.NewProc(cmd.Process.Pid)
	if err = errors.Join(err, errProc); err != nil {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		started <- fmt.Errorf("limiting the function's descriptors and watching its memory: %w", errors.Join(err, cmd.Wait()))
		return
	}
	p.throttle = newThrottle(proc, cfg)
	started <- nil
	go p.wait(cmd)
	p.run()
}

// wait kills the group before it reaps the process: until then no other process can
// get its number.
func (p *process) wait(cmd *exec.Cmd) {
	for unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	_ = unix.Kill(-p.pid, unix.SIGKILL)
	if p.state = cmd.Wait(); errors.Is(p.state, exec.ErrWaitDelay) {
		p.state = nil
	}
	p.end()
}

// usage is what a process has used so far. faults are the page faults of the child
// processes that it has waited for: they change when one has ended.
type usage struct {
	cpu, runDelay time.Duration
	faults        uint
	peakMB        int
}

func (p *process) usage() usage {
	u := usage{cpu: p.clock.now()}
	stat, _ := p.proc.Stat()
	status, _ := p.proc.NewStatus()
	u.faults, u.peakMB = stat.CMinFlt, megabytes(status.VmHWM)
	threads, _ := procfs.AllThreads(p.pid)
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
		return err == nil && s.PID != p.pid && (s.PPID == p.pid || s.PGRP == p.pid)
	})
}

// tail passes on what a process prints and keeps the last 4 KB, which Lambda returns
// for LogType=Tail.
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
