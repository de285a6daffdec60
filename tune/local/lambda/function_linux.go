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
	Env      []string          // KEY=VALUE, beyond Lambda's own variables, which they override
	MemoryMB int               // 128 to 10,240
	VCPUs    float64           // the quota; 0 is what MemoryMB buys
	Arch     string            // arm64 or x86_64: what a single thread gets at most
	Speed    float64           // how many vCPUs a core of this machine is
	Slow     slowmotion.Factor // of everything but the times of an [Invocation], which are Lambda's
	Timeout  time.Duration     // up to 900 s
	Name     string            // of the function
	Region   string
	Log      io.Writer   // takes what the function prints; may be nil
	Errors   *log.Logger // takes what goes wrong on the Runtime API's connections
}

// Function is one execution environment: a process at a time, started when an
// invocation needs one. Its methods, Kill apart, are for one goroutine at a
// time. Close it.
type Function struct {
	cfg  Config
	api  *runtimeAPI
	tail *tail

	proc *process

	began bool // a process has been started before: INIT is no longer apart
}

// New makes the environment. The process starts with the first invocation.
func New(cfg Config) (*Function, error) {
	api, err := startRuntimeAPI(cfg.Name, cfg.Errors)
	return &Function{cfg: cfg, api: api, tail: &tail{next: cmp.Or(cfg.Log, io.Discard)}}, err
}

// SetQuota says how many vCPUs a core of this machine is from now on, and how many
// the function gets: 0 is what its memory size buys.
func (f *Function) SetQuota(speed, vCPUs float64) {
	f.cfg.Speed, f.cfg.VCPUs = speed, vCPUs
	if f.proc != nil {
		f.proc.throttle.grant(f.cfg)
	}
}

// Close ends the process and kills what it has started. Closing again does nothing.
func (f *Function) Close() error {
	f.end()
	f.Kill()
	return f.api.http.Close()
}

// Kill kills the process and what it has started, also what has left its group.
// It waits for nothing, and any goroutine may call it.
func (f *Function) Kill() {
	all, _ := procfs.AllProcs()
	for _, p := range all {
		if env, err := p.Environ(); err == nil && slices.Contains(env, f.mark()) { // else not ours, or gone
			_ = unix.Kill(p.PID, unix.SIGKILL)
		}
	}
}

// mark is a variable that the processes of this environment have, and no other.
func (f *Function) mark() string { return "AWS_LAMBDA_RUNTIME_API=" + f.api.addr }

// environment returns Lambda's variables, and none of this process's own: a
// function must not see the caller's account. Source: AWS Lambda Developer
// Guide, "Defined runtime environment variables".
func (f *Function) environment() []string {
	return append([]string{
		f.mark(),
		"AWS_LAMBDA_FUNCTION_NAME=" + f.cfg.Name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		fmt.Sprintf("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%d", f.cfg.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + f.cfg.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME=local",
		"AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"AWS_REGION=" + f.cfg.Region,
		"AWS_DEFAULT_REGION=" + f.cfg.Region,
		// Empty files, and no request to an instance's metadata: whoever runs
		// this may be logged in to AWS.
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
		"LAMBDA_TASK_ROOT=" + filepath.Dir(f.cfg.Path),
		"LAMBDA_RUNTIME_DIR=/var/runtime",
		"_HANDLER=bootstrap",
		"LANG=en_US.UTF-8",
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"TZ=:UTC",
		fmt.Sprintf("GOMAXPROCS=%d", platform.VisibleCores(f.cfg.MemoryMB)),
	}, f.cfg.Env...)
}

// end kills the process, if there is one, and returns when its group has gone.
// One with an extension is told before, and has a while to leave by itself.
func (f *Function) end() {
	if f.proc == nil {
		return
	}
	if !f.proc.ended() && f.api.extended() {
		f.proc.throttle.set(throttled)
		_ = unix.Kill(f.proc.pid, unix.SIGTERM)
		select {
		case <-f.proc.gone:
		case <-time.After(f.cfg.Slow.Stretch(platform.Shutdown)):
		}
	}
	if !f.proc.ended() {
		_ = unix.Kill(-f.proc.pid, unix.SIGKILL)
		<-f.proc.gone
	}
	f.proc = nil
}
