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

	"lambda-parallel-io/handler/platform"

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
	return p, <-started
}

// run starts the process and controls it to its end. The parent-death signal
// comes when the thread that started the process ends: so this goroutine keeps
// its thread to the end.
func (p *process) run(cmd *exec.Cmd, cfg Config, started chan<- error) {
	runtime.LockOSThread()
	if err := cmd.Start(); err != nil {
		var fs unix.Statfs_t
		if unix.Statfs(cmd.Path, &fs) == nil && fs.Flags&unix.ST_NOEXEC != 0 {
			err = fmt.Errorf("%w\nits file system is mounted noexec: set TMPDIR to a folder where programs may run", err)
		}
		started <- fmt.Errorf("starting the function %s: %w", cmd.Path, err)
		return
	}
	p.pid = cmd.Process.Pid
	// Go raises the soft limit to the hard one at its start, so only the latter
	// binds; lowering it needs no privilege, whenever it happens.
	bound := unix.Rlimit{Cur: platform.FileDescriptors, Max: platform.FileDescriptors}
	errLimit := unix.Prlimit(p.pid, unix.RLIMIT_NOFILE, &bound, nil)
	statm, err := os.Open(fmt.Sprintf("/proc/%d/statm", p.pid))
	if err = errors.Join(errLimit, err); err != nil {
		_ = unix.Kill(-p.pid, unix.SIGKILL)
		started <- fmt.Errorf("limiting the function's descriptors and watching its memory: %w", errors.Join(err, cmd.Wait()))
		return
	}
	defer statm.Close()
	p.throttle = newThrottle(p.pid, cfg, statm)
	started <- nil
	go p.wait(cmd)
	p.throttle.run()
	close(p.gone)
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

func (p *process) ended() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// usage is the process's so far. children are the page faults of those that it
// has waited for: they change when one has ended.
func (p *process) usage() (cpu time.Duration, children uint, peakMB int) {
	cpu = p.throttle.clock.now()
	if self, err := procfs.NewProc(p.pid); err == nil {
		stat, _ := self.Stat()
		status, _ := self.NewStatus()
		children, peakMB = stat.CMinFlt, megabytes(int64(status.VmHWM))
	}
	return cpu, children, peakMB
}

// hasChildren looks for processes below this one or in its group.
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

// Write never fails: whoever reads the log must not hurt the function.
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
