package lambda

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is the function's process: in a group of its own, under the
// throttle, with Lambda's limit of descriptors. It dies with this one.
type process struct {
	pid      int
	throttle *throttle

	gone    chan struct{} // closed when it has ended and its group is dead
	state   error         // how it ended: nil for exit status 0; valid after gone
	control time.Duration // processor time of its control; valid after gone
}

// startProcess starts the executable at path. out takes what it prints.
func startProcess(path string, env []string, memoryMB int, out io.Writer) (*process, error) {
	cmd := exec.Command(path)
	cmd.Dir = filepath.Dir(path) // LAMBDA_TASK_ROOT, as /var/task on Lambda
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second // for what it leaves behind that holds its output open
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true, // a terminal's Ctrl-C is for the tuner, which then ends it
		Pdeathsig: syscall.SIGKILL,
	}
	p := &process{gone: make(chan struct{})}
	started := make(chan error)
	go p.run(cmd, memoryMB, started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// run starts the process and controls it to its end. The parent-death signal
// comes when the thread that started the process ends: so this goroutine keeps
// its thread to the end.
func (p *process) run(cmd *exec.Cmd, memoryMB int, started chan<- error) {
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
	p.throttle = &throttle{
		pid:      p.pid,
		clock:    clockOf(p.pid),
		quota:    Quota(memoryMB),
		memoryMB: memoryMB,
		begin:    time.Now(),
		thaw:     make(chan struct{}, 1),
		gone:     make(chan struct{}),
	}
	started <- nil
	go p.wait(cmd)
	p.control = p.throttle.run(statm)
	close(p.gone)
}

// limit sets the process's hard limit of descriptors. Go raises the soft limit
// to the hard one at its start, so only the latter binds; lowering it needs no
// privilege, whenever it happens.
func limit(pid int) (statm *os.File, err error) {
	bound := unix.Rlimit{Cur: FileDescriptors, Max: FileDescriptors}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &bound, nil); err != nil {
		return nil, fmt.Errorf("limiting the function to %d descriptors: %w", FileDescriptors, err)
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
	p.state = cmd.Wait()
	if errors.Is(p.state, exec.ErrWaitDelay) {
		p.state = nil
	}
	close(p.throttle.gone)
}

// kill ends the process and its group, stopped or not, and returns when they
// have gone.
func (p *process) kill() {
	select {
	case <-p.gone:
	default:
		_ = unix.Kill(-p.pid, unix.SIGKILL)
		<-p.gone
	}
}

// usage is what a process has used so far.
type usage struct {
	cpu, runDelay time.Duration
	children      string // changes when a child has ended
}

func (p *process) usage() usage {
	return usage{cpu: p.throttle.clock.now(), runDelay: runDelay(p.pid), children: childFaults(p.pid)}
}
