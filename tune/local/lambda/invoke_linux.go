package lambda

import (
	"context"
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
	if err != nil {
		f.end()
	}
	inv.Log = f.tail.bytes()
	return inv, err
}

func (f *Function) invoke(ctx context.Context, payload []byte, inv *Invocation) error {
	var p *poll
	var failure *FunctionError
	var err error
	if f.proc != nil { // it may not have asked for an event since its last answer
		if p, _, err = f.wait(ctx, "", f.deadline); err != nil {
			return err
		}
	}
	if p == nil && !f.began { // a cold start
		begin := time.Now()
		if p, _, err = f.init(ctx, inv.RequestID, begin.Add(maxInit)); err != nil {
			return err
		}
		if p != nil {
			inv.Init = p.at.Sub(begin)
		}
	}
	begin := time.Now()
	f.deadline = begin.Add(f.cfg.Timeout)
	if p != nil {
		return f.call(ctx, p, payload, inv, time.Time{})
	}
	// INIT has failed, or the last process has ended: now INIT is part of the
	// invocation.
	if p, failure, err = f.init(ctx, inv.RequestID, f.deadline); err != nil {
		return err
	}
	if p == nil {
		f.fail(inv, failure, begin)
		return nil
	}
	return f.call(ctx, p, payload, inv, begin)
}

// init starts a process in the last one's place and waits until it asks for its
// first event. Where it does not, the failure says why.
func (f *Function) init(ctx context.Context, id string, deadline time.Time) (*poll, *FunctionError, error) {
	if err := f.start(); err != nil {
		return nil, nil, err
	}
	return f.wait(ctx, id, deadline)
}

// wait waits until the process asks for an event, ends, or is too late: then
// all that it returns is nil. A process that has asked already is never late:
// however long ago the deadline was, there is time to hear it.
func (f *Function) wait(ctx context.Context, id string, deadline time.Time) (*poll, *FunctionError, error) {
	timer := time.NewTimer(max(time.Until(deadline), 100*time.Millisecond))
	defer timer.Stop()
	for {
		select {
		case p := <-f.api.polled:
			if p.Err() == nil {
				return p, nil, nil
			}
		case failure := <-f.api.initErr:
			return nil, failure, nil
		case <-f.proc.gone:
			select {
			case failure := <-f.api.initErr: // its own words tell more than how it ended
				return nil, failure, nil
			default:
				return nil, exited(id, f.proc.state), nil
			}
		case <-timer.C:
			return nil, nil, nil
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// call hands the event over and waits for what becomes of it. The invocation
// begins at begin or, where that is zero, with the event.
func (f *Function) call(ctx context.Context, p *poll, payload []byte, inv *Invocation, begin time.Time) error {
	e := &event{
		id:       inv.RequestID,
		payload:  payload,
		deadline: f.deadline,
		arn:      fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", f.cfg.Region, account, f.cfg.Name),
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
			if handed = true; begin.IsZero() {
				begin = at
			}
		case <-p.Done(): // the process has ended, or it asks anew
			var failure *FunctionError
			var err error
			if p, failure, err = f.wait(ctx, e.id, f.deadline); err != nil {
				return err
			}
			if p == nil {
				f.fail(inv, failure, begin)
				return nil
			}
		}
	}
	timer := time.NewTimer(time.Until(f.deadline))
	defer timer.Stop()
	select {
	case a := <-e.answers:
		f.answered(inv, a, before, begin)
	case <-f.proc.gone:
		select {
		case a := <-e.answers: // answered, then ended
			f.answered(inv, a, before, begin)
		default:
			f.fail(inv, exited(e.id, f.proc.state), begin)
		}
	case <-timer.C:
		f.fail(inv, nil, begin)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// answered notes what an invocation that was answered has taken.
func (f *Function) answered(inv *Invocation, a answer, before usage, begin time.Time) {
	after := f.proc.usage()
	inv.Response, inv.Err = a.payload, a.err
	inv.Duration = a.at.Sub(begin)
	inv.bill()
	inv.MaxMemoryMB = f.proc.peakMB()
	inv.CPU = max(0, after.cpu-before.cpu)
	inv.RunDelay = max(0, after.runDelay-before.runDelay)
	inv.Lost, inv.Free = f.proc.throttle.lost()
	inv.Children = after.children != before.children || f.proc.hasChildren()
}

// fail notes what became of an invocation that has ended the process, by itself
// or, where there is no failure, by the timeout. It is billed to this moment.
func (f *Function) fail(inv *Invocation, failure *FunctionError, begin time.Time) {
	inv.Err = failure
	if !begin.IsZero() {
		inv.Duration = time.Since(begin)
	}
	if failure == nil {
		inv.Err = &FunctionError{"Sandbox.Timedout",
			fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", inv.RequestID, f.cfg.Timeout.Seconds())}
		inv.Duration = f.cfg.Timeout
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
