package lambda

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"lambda-parallel-io/handler/platform"

	"github.com/google/uuid"
)

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
		f.end()
	} else if err != nil {
		f.end()
	}
	for _, d := range []*time.Duration{&inv.Duration, &inv.Init, &inv.CPU, &inv.RunDelay} {
		*d /= time.Duration(f.cfg.Slow.Times())
	}
	inv.BilledMS = int(math.Ceil(float64(inv.Duration+inv.Init) / float64(time.Millisecond)))
	inv.Log = f.tail.bytes()
	return inv, err
}

// invoke returns a [*FunctionError] if the process has ended or is too late.
func (f *Function) invoke(ctx context.Context, payload []byte, inv *Invocation) (err error) {
	if f.proc != nil && f.proc.alive.Err() != nil { // since the last invocation
		f.end()
	}
	if !f.began { // a cold start
		inv.Init, err = f.init(ctx, platform.MaxInit, inv)
		if _, failed := errors.AsType[*FunctionError](err); failed {
			f.end()
		} else if err != nil {
			return err
		}
	}
	if f.proc == nil { // INIT is part of the invocation
		inv.begin = time.Now()
		if _, err := f.init(ctx, f.cfg.Timeout, inv); err != nil {
			return err
		}
	}
	return f.call(ctx, payload, inv)
}

// init starts a process and returns how long it took until it asked for an event.
func (f *Function) init(ctx context.Context, most time.Duration, inv *Invocation) (time.Duration, error) {
	begin := time.Now()
	f.began = true
	f.api.forget()
	p, err := startProcess(f.cfg, f.environment(), f.tail)
	if err != nil {
		return 0, err
	}
	f.proc = p
	ctx, cancel := context.WithDeadlineCause(ctx, begin.Add(f.cfg.Slow.Stretch(most)), f.late(inv))
	defer cancel()
	err = f.wait(ctx, inv)
	return time.Since(begin), err
}

// wait waits until the process asks for an event, and freezes it, as Lambda does
// between invocations. The error is a [*FunctionError] if it ends or is too late.
func (f *Function) wait(ctx context.Context, inv *Invocation) error {
	select {
	case <-f.api.polled:
		f.proc.set(frozen)
		return nil
	case a := <-f.api.answers:
		return a.err
	case <-f.proc.alive.Done():
		return f.lastAnswer(inv).err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lastAnswer returns what a process that has ended answered before, or without a
// time how it ended.
func (f *Function) lastAnswer(inv *Invocation) answer {
	select {
	case a := <-f.api.answers:
		return a
	default:
		reason := "Runtime exited without providing a reason"
		if cause := context.Cause(f.proc.alive); cause != context.Canceled {
			reason = "Runtime exited with error: " + cause.Error()
		}
		return answer{err: &FunctionError{"Runtime.ExitError", fmt.Sprintf("RequestId: %s Error: %s", inv.RequestID, reason)}}
	}
}

// call hands the event over. The invocation begins with that, unless INIT is part of it.
func (f *Function) call(ctx context.Context, payload []byte, inv *Invocation) error {
	before := f.proc.usage()
	f.proc.set(throttled)
	inv.begin = cmp.Or(inv.begin, time.Now())
	deadline := inv.begin.Add(f.cfg.Slow.Stretch(f.cfg.Timeout))
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, f.late(inv))
	defer cancel()
	trace, parent := uuid.New(), uuid.New() // in X-Ray's form
	e := &event{inv.RequestID, payload, map[string]string{
		"Content-Type":                        "application/json",
		"Lambda-Runtime-Aws-Request-Id":       inv.RequestID,
		"Lambda-Runtime-Deadline-Ms":          strconv.FormatInt(deadline.UnixMilli(), 10),
		"Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:" + f.cfg.Region + ":123456789012:function:" + f.cfg.Name, // AWS's example account
		"Lambda-Runtime-Trace-Id":             fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=0", time.Now().Unix(), trace[:12], parent[:8]),
	}}
	var a answer
	for events, polled := f.api.events, f.api.polled; a.at.IsZero(); {
		select {
		case events <- e:
			events, polled = nil, nil // wait takes the next poll, which comes after the answer
		case <-polled: // it asks anew
		case a = <-f.api.answers:
		case <-f.proc.alive.Done():
			if a = f.lastAnswer(inv); a.at.IsZero() {
				return a.err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	after := f.proc.usage()
	inv.Response, inv.Err, inv.Duration = a.payload, a.err, a.at.Sub(inv.begin)
	inv.CPU, inv.RunDelay = max(0, after.cpu-before.cpu), max(0, after.runDelay-before.runDelay)
	inv.MaxMemoryMB, inv.Children = after.peakMB, after.faults != before.faults || f.proc.hasChildren()
	if err := f.wait(ctx, inv); err != nil { // this invocation is answered: the next one gets a new process
		f.end()
	}
	return nil
}

func (f *Function) late(inv *Invocation) *FunctionError {
	const message = "RequestId: %s Error: Task timed out after %.2f seconds"
	return &FunctionError{"Sandbox.Timedout", fmt.Sprintf(message, inv.RequestID, f.cfg.Timeout.Seconds())}
}
