package lambda

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Invoke calls the function and waits for its answer. A failure of the
// function is in the invocation; an error is one of this model, or the cause
// of ctx, with which the process is killed.
func (f *Function) Invoke(ctx context.Context, payload []byte) (Invocation, error) {
	inv := Invocation{RequestID: uuid.NewString()}
	if len(payload) > maxRequest {
		inv.Err = &FunctionError{"RequestEntityTooLargeException",
			fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", maxRequest)}
		return inv, nil
	}
	err := f.invoke(ctx, payload, &inv)
	if failure, ok := errors.AsType[*FunctionError](err); ok {
		f.fail(&inv, failure)
		err = nil
	} else if err != nil {
		f.end()
	}
	inv.Log = f.tail.bytes()
	return inv, err
}

// invoke returns a [*FunctionError] where the process has ended or is too late.
func (f *Function) invoke(ctx context.Context, payload []byte, inv *Invocation) error {
	var p *poll
	var err error
	if f.proc != nil { // it may not have asked for an event since its last answer
		p, err = f.wait(ctx, inv, f.deadline)
	} else if !f.began { // a cold start
		begin := time.Now()
		if p, err = f.init(ctx, inv, begin.Add(maxInit)); err == nil {
			inv.Init = p.at.Sub(begin)
		}
	}
	if _, ended := errors.AsType[*FunctionError](err); err != nil && !ended {
		return err
	}
	begin := time.Now()
	f.deadline = begin.Add(f.cfg.Timeout)
	if p == nil { // INIT has failed, or the last process has ended: now INIT is part of the invocation
		inv.begin = begin
		if p, err = f.init(ctx, inv, f.deadline); err != nil {
			return err
		}
	}
	return f.call(ctx, p, payload, inv)
}

// init starts a process in the last one's place, unthrottled, and waits until
// it asks for its first event.
func (f *Function) init(ctx context.Context, inv *Invocation, deadline time.Time) (*poll, error) {
	f.end()
	f.api.forget()
	f.mu.Lock()
	p, err := startProcess(f.cfg.Path, f.environment(), f.cfg.MemoryMB, f.tail)
	f.proc, f.began = p, true
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return f.wait(ctx, inv, deadline)
}

// wait waits until the process asks for an event. Where it ends or is too late,
// the error is a [*FunctionError]. A process that has asked already is never
// late: however long ago the deadline was, there is time to hear it.
func (f *Function) wait(ctx context.Context, inv *Invocation, deadline time.Time) (*poll, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, max(time.Until(deadline), 100*time.Millisecond), f.late(inv))
	defer cancel()
	for {
		select {
		case p := <-f.api.polled:
			if p.Err() == nil {
				return p, nil
			}
		case failure := <-f.api.initErr:
			return nil, failure
		case <-f.proc.gone:
			select {
			case failure := <-f.api.initErr: // its own words tell more than how it ended
				return nil, failure
			default:
				return nil, exited(inv.RequestID, f.proc.state)
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// call hands the event over and waits for what becomes of it. The invocation
// begins with the event, unless it has begun already.
func (f *Function) call(ctx context.Context, p *poll, payload []byte, inv *Invocation) (err error) {
	e := &event{
		id:       inv.RequestID,
		payload:  payload,
		deadline: f.deadline,
		arn:      fmt.Sprintf("arn:aws:lambda:%s:123456789012:function:%s", f.cfg.Region, f.cfg.Name), // as in AWS's own examples
		trace:    traceID(),
		handed:   make(chan time.Time, 1),
		answers:  make(chan answer, 1),
	}
	before := f.proc.usage()
	f.proc.throttle.set(throttled)
	for handed := false; !handed; {
		select {
		case p.events <- e:
			at := <-e.handed
			handed, inv.begin = true, cmp.Or(inv.begin, at)
		case <-p.Done(): // the process has ended, or it asks anew
			if p, err = f.wait(ctx, inv, f.deadline); err != nil {
				return err
			}
		}
	}
	ctx, cancel := context.WithDeadlineCause(ctx, f.deadline, f.late(inv))
	defer cancel()
	var a answer
	select {
	case a = <-e.answers:
	case <-f.proc.gone:
		select {
		case a = <-e.answers: // answered, then ended
		default:
			return exited(e.id, f.proc.state)
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	after := f.proc.usage()
	inv.Response, inv.Err = a.payload, a.err
	inv.Duration = a.at.Sub(inv.begin)
	inv.bill()
	inv.MaxMemoryMB = after.peakMB
	inv.CPU = max(0, after.cpu-before.cpu)
	inv.RunDelay = max(0, after.runDelay-before.runDelay)
	inv.Children = after.children != before.children || f.proc.hasChildren()
	return nil
}

const timedOut = "Sandbox.Timedout"

// late is the failure of an invocation that lasts longer than it may.
func (f *Function) late(inv *Invocation) *FunctionError {
	return &FunctionError{timedOut, fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", inv.RequestID, f.cfg.Timeout.Seconds())}
}

// fail notes an invocation that has ended the process, or is to end it. It is
// billed to this moment, and no further than to the timeout.
func (f *Function) fail(inv *Invocation, failure *FunctionError) {
	inv.Err = failure
	if failure.Type == timedOut {
		inv.Duration = f.cfg.Timeout
	} else if !inv.begin.IsZero() {
		inv.Duration = time.Since(inv.begin)
	}
	inv.bill()
	inv.MaxMemoryMB, inv.OutOfMemory = f.proc.throttle.memory()
	f.end()
}

// traceID returns one as X-Ray writes it.
func traceID() string {
	trace, parent := uuid.New(), uuid.New()
	return fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=0", time.Now().Unix(), trace[:12], parent[:8])
}
