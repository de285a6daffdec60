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

// Invoke calls the function, waits for its answer, and then until it is ready
// for another event. A failure of the function is in the invocation; an error is
// one of this model, or the cause of ctx, with which the process is killed.
func (f *Function) Invoke(ctx context.Context, payload []byte) (Invocation, error) {
	inv := Invocation{RequestID: uuid.NewString()}
	if len(payload) > platform.MaxRequest {
		inv.Err = &FunctionError{"RequestEntityTooLargeException",
			fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", platform.MaxRequest)}
		return inv, nil
	}
	err := f.invoke(ctx, payload, &inv)
	if failure, ok := errors.AsType[*FunctionError](err); ok { // the process has ended, or is to end
		err, inv.Err = nil, failure
		inv.Duration = min(time.Since(inv.begin), f.cfg.Slow.Stretch(f.cfg.Timeout))
		inv.MaxMemoryMB, inv.OutOfMemory = f.proc.throttle.memory()
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

// invoke returns a [*FunctionError] where the process has ended or is too late.
func (f *Function) invoke(ctx context.Context, payload []byte, inv *Invocation) (err error) {
	if f.proc != nil && f.proc.ended() { // since the last invocation
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
	if f.proc == nil { // now INIT is part of the invocation
		inv.begin = time.Now()
		if _, err := f.init(ctx, f.cfg.Timeout, inv); err != nil {
			return err
		}
	}
	return f.call(ctx, payload, inv)
}

// init starts a process and returns how long it took to ask for its first event.
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
	if err := f.wait(ctx, inv); err != nil {
		return 0, err
	}
	return time.Since(begin), nil
}

// wait waits until the process asks for an event, and freezes it: on Lambda
// nothing runs between invocations. Where it ends or is too late, the error is a
// [*FunctionError].
func (f *Function) wait(ctx context.Context, inv *Invocation) error {
	select {
	case <-f.api.polled:
		f.proc.throttle.set(frozen)
		return nil
	case a := <-f.api.answers:
		return a.err
	case <-f.proc.gone:
		select {
		case a := <-f.api.answers: // its own words tell more than how it ended
			return a.err
		default:
			return exited(inv.RequestID, f.proc.state)
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// call hands the event over, with which an invocation begins unless it has begun.
func (f *Function) call(ctx context.Context, payload []byte, inv *Invocation) error {
	cpu, children, _ := f.proc.usage()
	delay := runDelay(f.proc.pid)
	f.proc.throttle.set(throttled)
	inv.begin = cmp.Or(inv.begin, time.Now())
	deadline := inv.begin.Add(f.cfg.Slow.Stretch(f.cfg.Timeout))
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, f.late(inv))
	defer cancel()
	e := &event{inv.RequestID, payload, map[string]string{
		"Content-Type":                  "application/json",
		"Lambda-Runtime-Aws-Request-Id": inv.RequestID,
		"Lambda-Runtime-Deadline-Ms":    strconv.FormatInt(deadline.UnixMilli(), 10),
		"Lambda-Runtime-Invoked-Function-Arn": fmt.Sprintf("arn:aws:lambda:%s:123456789012:function:%s",
			f.cfg.Region, f.cfg.Name), // AWS's example
		"Lambda-Runtime-Trace-Id": traceID(),
	}}
	var a answer
	for events, polled := f.api.events, f.api.polled; a.at.IsZero(); {
		select {
		case events <- e:
			events, polled = nil, nil // what it asks for from now on, it asks for after its answer
		case <-polled: // it asks anew
		case a = <-f.api.answers:
		case <-f.proc.gone:
			select {
			case a = <-f.api.answers: // answered, then ended
			default:
				return exited(inv.RequestID, f.proc.state)
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	cpuAfter, childrenAfter, peakMB := f.proc.usage()
	inv.Response, inv.Err, inv.Duration = a.payload, a.err, a.at.Sub(inv.begin)
	inv.CPU, inv.MaxMemoryMB = max(0, cpuAfter-cpu), peakMB
	inv.RunDelay = max(0, runDelay(f.proc.pid)-delay)
	inv.Children = childrenAfter != children || f.proc.hasChildren()
	if err := f.wait(ctx, inv); err != nil { // it has ended, or makes no end: this one is answered
		f.end()
	}
	return nil
}

func (f *Function) late(inv *Invocation) *FunctionError {
	return &FunctionError{"Sandbox.Timedout",
		fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", inv.RequestID, f.cfg.Timeout.Seconds())}
}

// traceID returns one as X-Ray writes it.
func traceID() string {
	trace, parent := uuid.New(), uuid.New()
	return fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=0", time.Now().Unix(), trace[:12], parent[:8])
}
