package lambda

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"lambda-parallel-io/handler/platform"

	"github.com/google/uuid"
)

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

// FunctionError is an invocation's failure in Lambda's own words.
type FunctionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (e *FunctionError) Error() string {
	return strings.TrimPrefix(e.Type+": "+e.Message, ": ")
}

// Invoke calls the function and waits until it has answered and asks for another
// event. The invocation holds the function's failure. The error is the model's own,
// or the cause of ctx, which also kills the process.
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
		inv.Duration = min(time.Since(inv.begin), f.cfg.Slow.Stretch(f.cfg.Timeout))
		peak := int(f.proc.peak.Load())
		inv.MaxMemoryMB, inv.OutOfMemory = min(peak, f.cfg.MemoryMB), peak > f.cfg.MemoryMB
	}
	for _, d := range []*time.Duration{&inv.Duration, &inv.Init, &inv.CPU, &inv.RunDelay} {
		*d /= time.Duration(f.cfg.Slow.Times())
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
		inv.Init = time.Since(begin)
		if _, failed := errors.AsType[*FunctionError](err); err != nil && !failed {
			return err
		}
	}
	if f.proc.alive.Err() != nil { // INIT is part of the invocation
		inv.begin = time.Now()
		if err := f.init(ctx, f.cfg.Timeout, inv); err != nil {
			return err
		}
	}
	return f.call(ctx, payload, inv)
}

// init starts a process and waits until it asks for an event.
func (f *Function) init(ctx context.Context, most time.Duration, inv *Invocation) error {
	deadline := time.Now().Add(f.cfg.Slow.Stretch(most))
	f.api.forget()
	p, err := startProcess(&f.cfg, f.environment(), f.tail)
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
	deadline := inv.begin.Add(f.cfg.Slow.Stretch(f.cfg.Timeout))
	trace, parent := uuid.New(), uuid.New() // in X-Ray's form
	a, err := f.await(ctx, deadline, inv, &event{inv.RequestID, payload, map[string]string{
		"Content-Type":                        "application/json",
		"Lambda-Runtime-Aws-Request-Id":       inv.RequestID,
		"Lambda-Runtime-Deadline-Ms":          strconv.FormatInt(deadline.UnixMilli(), 10),
		"Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:" + f.cfg.Region + ":123456789012:function:" + f.cfg.Name, // AWS's example account
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

// await waits until the process asks for an event, and freezes it, as Lambda does
// between invocations. If there is an event, await hands it over and returns its answer.
// An error ends the process: a [*FunctionError] if it has ended, is too late or reports
// one of INIT, and otherwise the cause of ctx.
func (f *Function) await(ctx context.Context, deadline time.Time, inv *Invocation, e *event) (a answer, err error) {
	defer func() {
		if err != nil {
			f.end()
		}
	}()
	const late = "RequestId: %s Error: Task timed out after %.2f seconds"
	message := fmt.Sprintf(late, inv.RequestID, f.cfg.Timeout.Seconds())
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, &FunctionError{"Sandbox.Timedout", message})
	defer cancel()
	events, polled := f.api.events, f.api.polled
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
		case a := <-f.api.answers:
			if e == nil { // it is an error of INIT
				return a, a.err
			}
			return a, nil
		case <-f.proc.alive.Done():
			if len(f.api.answers) > 0 {
				continue // it had answered before
			}
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
