// Package lambda is a local model of AWS Lambda: it runs a function as a real
// process behind the Lambda Runtime API, with the CPU time, the limits,
// the errors and the billing of its memory size.
//
// It needs Linux and no privilege. It leaves out the limit of 1,024 processes and
// threads; package s3 models the network's bandwidth. Processes that the function
// starts are reported but not throttled. They end with the function, unless
// SIGKILL ends this program: then only the function's own process ends.
package lambda

import (
	"cmp"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/slowmotion"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

type Config struct {
	Path     string            // an executable that speaks the Runtime API
	Env      []string          // KEY=VALUE: beside Lambda's own variables, or in place of one
	MemoryMB int               // 128 to 10,240
	VCPUs    float64           // the CPU quota; 0 means that of MemoryMB
	Arch     string            // arm64 or x86_64: it bounds what one thread gets
	Speed    float64           // vCPUs per core of this machine
	Slow     slowmotion.Factor // the times of an [Invocation] are already divided by it
	Timeout  time.Duration     // up to 900 s
	Name     string
	Region   string
	Log      io.Writer   // receives what the function prints; may be nil
	Errors   *log.Logger // receives the Runtime API's connection errors; nil is the standard logger
}

// Function is one execution environment with at most one process. Only Kill may be
// called while another method runs. Close it after use.
type Function struct {
	cfg  Config
	api  *runtimeAPI
	tail *tail
	proc *process // alive or not; nil before the first, since INIT is part of an invocation after that
}

// New makes the environment. The first invocation starts the process.
func New(cfg Config) (*Function, error) {
	api, err := startRuntimeAPI(cfg.Name, cfg.Errors)
	return &Function{cfg: cfg, api: api, tail: &tail{next: cmp.Or(cfg.Log, io.Discard)}}, err
}

// SetQuota changes [Config]'s Speed and VCPUs from the next invocation on.
func (f *Function) SetQuota(speed, vCPUs float64) { f.cfg.Speed, f.cfg.VCPUs = speed, vCPUs }

// Close ends the process and those that it started. A second Close does nothing.
func (f *Function) Close() error {
	f.end()
	f.Kill()
	return f.api.http.Close()
}

// Kill kills the process and those that it started, even outside its group, and
// does not wait for their end.
func (f *Function) Kill() {
	all, _ := procfs.AllProcs()
	for _, p := range all {
		if env, err := p.Environ(); err == nil && slices.Contains(env, f.mark()) { // else not ours, or gone
			_ = unix.Kill(p.PID, unix.SIGKILL)
		}
	}
}

// mark is a variable that only the processes of this environment have.
func (f *Function) mark() string { return "AWS_LAMBDA_RUNTIME_API=" + f.api.addr }

// environment returns Lambda's variables and none of this process's own.
// Source: AWS Lambda Developer Guide, "Defined runtime environment variables".
func (f *Function) environment() []string {
	return append([]string{
		f.mark(),
		"AWS_LAMBDA_FUNCTION_NAME=" + f.cfg.Name, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		fmt.Sprintf("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%d", f.cfg.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + f.cfg.Name, "AWS_LAMBDA_LOG_STREAM_NAME=local",
		"AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"AWS_REGION=" + f.cfg.Region, "AWS_DEFAULT_REGION=" + f.cfg.Region,
		// The function must not use the caller's AWS account.
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		"LAMBDA_TASK_ROOT=" + filepath.Dir(f.cfg.Path), "LAMBDA_RUNTIME_DIR=/var/runtime", "_HANDLER=bootstrap",
		"LANG=en_US.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin", "TZ=:UTC",
		fmt.Sprintf("GOMAXPROCS=%d", platform.VisibleCores(f.cfg.MemoryMB)),
	}, f.cfg.Env...)
}

// end kills the process, if there is one, and waits until its group is dead. A
// process with an extension gets a SIGTERM and some time first.
func (f *Function) end() {
	if f.proc == nil || f.proc.alive.Err() != nil {
		return
	}
	if f.api.extended.Load() {
		f.proc.set(throttled)
		_ = f.proc.cmd.Process.Signal(unix.SIGTERM)
		select {
		case <-f.proc.alive.Done():
		case <-time.After(f.cfg.Slow.Stretch(platform.Shutdown)):
		}
	}
	_ = f.proc.cmd.Process.Kill() // fails if it has ended
	<-f.proc.alive.Done()
}
