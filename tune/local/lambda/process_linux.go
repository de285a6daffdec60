package lambda

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// process is the function's process: in a group of its own, under the
// throttle, with Lambda's limit of descriptors. It dies with this one.
type process struct {
	pid      int
	throttle *throttle

	gone  chan struct{} // closed when it has ended and its group is dead
	state error         // how it ended: nil for exit status 0; valid after gone
}

// startProcess starts the function's executable. out takes what it prints.
func startProcess(cfg Config, env []string, out io.Writer) (*process, error) {
	cmd := exec.Command(cfg.Path)
	cmd.Dir = filepath.Dir(cfg.Path) // LAMBDA_TASK_ROOT, as /var/task on Lambda
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second // where something that it has left behind holds its output open
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true, // a terminal's Ctrl-C is for the tuner, which then ends it
		Pdeathsig: syscall.SIGKILL,
	}
	p := &process{gone: make(chan struct{})}
	started := make(chan error)
	go p.run(cmd, cfg, started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// run starts the process and controls it to its end. The parent-death signal
// comes when the thread that started the process ends: so this goroutine keeps
// its thread to the end.
func (p *process) run(cmd *exec.Cmd, cfg Config, started chan<- error) {
	runtime.LockOSThread()
	if err := cmd.Start(); err != nil {
		started <- fmt.Errorf("starting the function %s: %w", cmd.Path, err)
		return
	}
	p.pid = cmd.Process.Pid
	statm, err := limit(p.pid)
	if err != nil {
		_ = unix.Kill(-p.pid, unix.SIGKILL)
		started <- errors.Join(err, cmd.Wait())
		return
	}
	defer statm.Close()
	p.throttle = newThrottle(p.pid, cfg, statm)
	started <- nil
	go p.wait(cmd)
	p.throttle.run()
	p.throttle.effect.close()
	close(p.gone)
}

// limit sets the process's hard limit of descriptors, and opens what tells its
// memory. Go raises the soft limit to the hard one at its start, so only the
// latter binds; lowering it needs no privilege, whenever it happens.
func limit(pid int) (statm *os.File, err error) {
	bound := unix.Rlimit{Cur: fileDescriptors, Max: fileDescriptors}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &bound, nil); err != nil {
		return nil, fmt.Errorf("limiting the function to %d descriptors: %w", fileDescriptors, err)
	}
	if statm, err = os.Open(fmt.Sprintf("/proc/%d/statm", pid)); err != nil {
		return nil, fmt.Errorf("watching the function's memory: %w", err)
	}
	return statm, nil
}

func (p *process) wait(cmd *exec.Cmd) {
	// The group is killed before the process is reaped: until then its number
	// cannot belong to another.
	for unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	_ = unix.Kill(-p.pid, unix.SIGKILL)
	if p.state = cmd.Wait(); errors.Is(p.state, exec.ErrWaitDelay) {
		p.state = nil
	}
	close(p.throttle.gone)
}

// usage is what a process has used so far; nothing once it has gone.
type usage struct {
	cpu      time.Duration
	runDelay time.Duration // its threads' time ready to run and without a processor, summed
	children uint          // page faults of children that it has waited for: it changes when one has ended
	peakMB   int           // its highest resident memory so far
}

// usage reads the delay of each thread: the process's own schedstat is its
// main thread's alone. A stopped thread is not ready to run. Threads that have
// ended are lost to it; Go ends hardly any.
func (p *process) usage() usage {
	u := usage{cpu: p.throttle.clock.now()}
	threads, _ := procfs.AllThreads(p.pid)
	for _, t := range threads {
		if s, err := t.Schedstat(); err == nil { // else it has ended since
			u.runDelay += time.Duration(s.WaitingNanoseconds)
		}
	}
	if self, err := procfs.NewProc(p.pid); err == nil {
		stat, _ := self.Stat()
		status, _ := self.NewStatus()
		u.children, u.peakMB = stat.CMinFlt, megabytes(int64(status.VmHWM))
	}
	return u
}

// hasChildren reports whether another process runs that is a child of this one
// or in its group.
func (p *process) hasChildren() bool {
	all, _ := procfs.AllProcs()
	return slices.ContainsFunc(all, func(other procfs.Proc) bool {
		s, err := other.Stat()
		return err == nil && s.PID != p.pid && (s.PPID == p.pid || s.PGRP == p.pid)
	})
}

// tail keeps the last 4 KB of what a process prints, which is what Lambda's
// LogType=Tail returns, and passes all of it on.
type tail struct {
	next io.Writer

	mu   sync.Mutex
	last []byte
}

const tailSize = 4 << 10

// Write never fails: whoever reads the log must not be able to hurt the
// function.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = t.next.Write(p)
	t.last = append(t.last, p...)
	t.last = t.last[max(0, len(t.last)-tailSize):]
	return len(p), nil
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]byte(nil), t.last...)
}
