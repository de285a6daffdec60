// Package lambda is a local model of AWS Lambda: it runs a function as a real process behind the Lambda Runtime API,
// with the CPU time, the limits, the errors and the billing of its memory size.
//
// It needs Linux and no privilege. It leaves out the limit of 1,024 processes and threads; package s3 models the
// network's bandwidth. Processes that the function starts are reported but not throttled. They end with the function,
// unless SIGKILL ends this program: then only the function's own process ends.
package lambda

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/slowmotion"

	"github.com/google/uuid"
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

// Function is one execution environment. Between invocations its Speed and VCPUs may be changed. Close it after use.
type Function struct {
	Config
	tail *tail
	proc *process // alive or not; nil before the first, since INIT is part of an invocation after that
}

// New makes the environment. The first invocation starts the process.
func New(cfg Config) *Function {
	return &Function{Config: cfg, tail: &tail{next: cmp.Or(cfg.Log, io.Discard)}}
}

// Invocation is what Lambda reports about one call of the function.
type Invocation struct {
	RequestID string
	Response  []byte         // nil if Err is set
	Err       *FunctionError // nil if the function answered

	Duration    time.Duration // from handing over the event to receiving the answer
	Init        time.Duration // of a cold start, before Duration; 0 for a warm one
	BilledMS    int           // Duration and INIT in ms, rounded up (AWS Lambda pricing: every runtime since August 2025)
	MaxMemoryMB int           // the process's highest resident memory so far
	OutOfMemory bool          // the process was killed because it outgrew its memory size

	CPU      time.Duration // CPU time used during Duration
	RunDelay time.Duration // time that its threads were ready to run but had no core, summed
	Children bool          // the function started processes of its own, which are not throttled

	Log []byte // the last 4 KB that the process printed

	begin time.Time // of Duration; zero before that
	ended time.Time // what was last waited for
}

// Report returns the line that Lambda would log for the invocation.
func (inv Invocation) Report(memoryMB int) string {
	s := fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t",
		inv.RequestID, Milliseconds(inv.Duration), inv.BilledMS, memoryMB, inv.MaxMemoryMB)
	if inv.Init > 0 {
		s += fmt.Sprintf("Init Duration: %.2f ms\t", Milliseconds(inv.Init))
	}
	return s
}

// Milliseconds returns d in ms with two decimals, as Lambda reports it.
func Milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(10*time.Microsecond)) / 100
}

// Invoke calls the function and waits until it has answered and asks for another event. The invocation holds the
// function's failure. The error is the model's own, or the cause of ctx, which also kills the process.
func (f *Function) Invoke(ctx context.Context, payload []byte) (Invocation, error) {
	inv := Invocation{RequestID: uuid.NewString()}
	if len(payload) > platform.MaxRequest {
		const message = "Request must be smaller than %d bytes for the InvokeFunction operation"
		inv.Err = &FunctionError{"RequestEntityTooLargeException", fmt.Sprintf(message, platform.MaxRequest)}
		return inv, nil
	}
	err := f.invoke(ctx, payload, &inv)
	if failure, ok := errors.AsType[*FunctionError](err); ok {
		err, inv.Err = nil, failure
		inv.Duration = min(inv.ended.Sub(inv.begin), f.Slow.Stretch(f.Timeout))
		peak := int(f.proc.peak.Load())
		inv.MaxMemoryMB, inv.OutOfMemory = min(peak, f.MemoryMB), peak > f.MemoryMB
	}
	for _, d := range []*time.Duration{&inv.Duration, &inv.Init, &inv.CPU, &inv.RunDelay} {
		*d = f.Slow.Shrink(*d)
	}
	inv.BilledMS = int(math.Ceil(float64(inv.Duration+inv.Init) / float64(time.Millisecond)))
	inv.Log = f.tail.bytes()
	return inv, err
}

// invoke returns a [*FunctionError] if the process has ended or is too late.
func (f *Function) invoke(ctx context.Context, payload []byte, inv *Invocation) error {
	if f.proc == nil { // a cold start
		begin := time.Now()
		err := f.init(ctx, platform.MaxInit, inv)
		inv.Init = inv.ended.Sub(begin)
		if _, failed := errors.AsType[*FunctionError](err); err != nil && !failed {
			return err
		}
	}
	if f.proc.alive.Err() != nil { // INIT is part of the invocation
		inv.begin = time.Now()
		if err := f.init(ctx, f.Timeout, inv); err != nil {
			return err
		}
	}
	return f.call(ctx, payload, inv)
}

// init starts a process and waits until it asks for an event.
func (f *Function) init(ctx context.Context, most time.Duration, inv *Invocation) error {
	deadline := time.Now().Add(f.Slow.Stretch(most))
	p, err := startProcess(&f.Config, f.tail)
	if err != nil {
		return err
	}
	f.proc = p
	_, err = f.await(ctx, deadline, inv, nil)
	return err
}

// call hands the event over. The invocation begins with that, unless INIT is part of it.
func (f *Function) call(ctx context.Context, payload []byte, inv *Invocation) error {
	before := f.proc.usage()
	f.proc.set(throttled)
	inv.begin = cmp.Or(inv.begin, time.Now())
	deadline := inv.begin.Add(f.Slow.Stretch(f.Timeout))
	trace, parent := uuid.New(), uuid.New() // in X-Ray's form. The account is AWS's example
	a, err := f.await(ctx, deadline, inv, &event{inv.RequestID, payload, map[string]string{
		"Content-Type":                        "application/json",
		"Lambda-Runtime-Aws-Request-Id":       inv.RequestID,
		"Lambda-Runtime-Deadline-Ms":          strconv.FormatInt(deadline.UnixMilli(), 10),
		"Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:" + f.Region + ":123456789012:function:" + f.Name,
		"Lambda-Runtime-Trace-Id":             fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=0", time.Now().Unix(), trace[:12], parent[:8]),
	}})
	if err != nil {
		return err
	}
	after := f.proc.usage()
	inv.Response, inv.Err, inv.Duration = a.payload, a.err, a.at.Sub(inv.begin)
	inv.CPU, inv.RunDelay = max(0, after.cpu-before.cpu), max(0, after.runDelay-before.runDelay)
	inv.MaxMemoryMB, inv.Children = after.peakMB, after.faults != before.faults || f.proc.hasChildren()
	_, _ = f.await(ctx, deadline, inv, nil) // this invocation is answered: after an error the next one gets a new process
	return nil
}

// await waits until the process asks for an event, and freezes it, as Lambda does between invocations. If there is an
// event, await hands it over and returns its answer. An error ends the process: a [*FunctionError] if it has ended,
// is too late or reports one of INIT, and otherwise the cause of ctx.
func (f *Function) await(ctx context.Context, deadline time.Time, inv *Invocation, e *event) (a answer, err error) {
	var ended time.Time
	defer func() {
		if inv.ended = cmp.Or(ended, time.Now()); err != nil { // ending the process is no part of the invocation
			f.Close()
		}
	}()
	late := fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", inv.RequestID, f.Timeout.Seconds())
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, &FunctionError{"Sandbox.Timedout", late})
	defer cancel()
	api := f.proc.api
	events, polled := api.events, api.polled
	if e == nil {
		events = nil
	}
	for {
		select {
		case events <- e:
			events, polled = nil, nil // the next poll comes after the answer
		case <-polled:
			if e == nil {
				f.proc.set(frozen)
				return answer{}, nil
			} // else it asks anew
		case a = <-api.answers:
			if e == nil { // it is an error of INIT
				err = a.err
			}
			return a, err
		case <-f.proc.alive.Done():
			if len(api.answers) > 0 {
				continue // it had answered before
			}
			ended = f.proc.ended
			reason := "Runtime exited without providing a reason"
			if cause := context.Cause(f.proc.alive); cause != context.Canceled {
				reason = "Runtime exited with error: " + cause.Error()
			}
			return answer{}, &FunctionError{"Runtime.ExitError", fmt.Sprintf("RequestId: %s Error: %s", inv.RequestID, reason)}
		case <-ctx.Done():
			return answer{}, context.Cause(ctx)
		}
	}
}

// Close kills the process and those that it started. A process with an extension gets a SIGTERM and some time first.
func (f *Function) Close() {
	if f.proc == nil || f.proc.alive.Err() != nil {
		return
	}
	if f.proc.api.extended.Load() {
		f.proc.set(throttled)
		_ = f.proc.cmd.Process.Signal(unix.SIGTERM)
		select {
		case <-f.proc.alive.Done():
		case <-time.After(f.Slow.Stretch(platform.Shutdown)):
		}
	}
	_ = f.proc.cmd.Process.Kill() // fails if it has ended
	<-f.proc.alive.Done()
}

// Kill kills the processes that were started with a variable, KEY=VALUE, and does not wait for their end.
func Kill(variable string) {
	all, _ := procfs.AllProcs()
	for _, p := range all {
		if env, err := p.Environ(); err == nil && slices.Contains(env, variable) { // else not ours, or gone
			_ = unix.Kill(p.PID, unix.SIGKILL)
		}
	}
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

// environment returns Lambda's variables and none of this process's own. Source: AWS Lambda Developer Guide, "Defined
// runtime environment variables".
func (c *Config) environment() []string {
	return append([]string{
		"AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023", "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_FUNCTION_NAME=" + c.Name, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		fmt.Sprintf("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%d", c.MemoryMB),
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + c.Name, "AWS_LAMBDA_LOG_STREAM_NAME=local",
		"AWS_REGION=" + c.Region, "AWS_DEFAULT_REGION=" + c.Region,
		// The function must not use the caller's AWS account.
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		"LAMBDA_TASK_ROOT=" + filepath.Dir(c.Path), "LAMBDA_RUNTIME_DIR=/var/runtime", "_HANDLER=bootstrap",
		"LANG=en_US.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin", "TZ=:UTC",
		fmt.Sprintf("GOMAXPROCS=%d", platform.VisibleCores(c.MemoryMB)),
	}, c.Env...)
}
