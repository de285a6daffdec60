package lambda

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"sync"
	"time"
)

// Config says which function to run, and as what.
type Config struct {
	Path     string        // an executable that speaks the Runtime API
	Env      []string      // KEY=VALUE, beyond Lambda's own variables, which they override
	MemoryMB int           // MinMemoryMB to MaxMemoryMB
	Timeout  time.Duration // up to MaxTimeout
	Name     string        // of the function
	Region   string
	Log      io.Writer   // takes what the function prints; may be nil
	Errors   *log.Logger // takes what goes wrong on the Runtime API's connections
}

// Function is one execution environment: a process at a time, started when an
// invocation needs one. Its methods are for one goroutine at a time. Close it.
type Function struct {
	cfg  Config
	api  *runtimeAPI
	tail *tail

	mu   sync.Mutex // guards proc against the Runtime API's goroutines
	proc *process

	closed   sync.Once
	began    bool          // a process has been started before: INIT is no longer apart
	deadline time.Time     // of the last invocation
	control  time.Duration // processor time of the throttles of processes that have gone
}

// New makes the environment. The process starts with the first invocation.
func New(cfg Config) (*Function, error) {
	f := &Function{cfg: cfg, tail: &tail{next: cfg.Log}}
	api, err := startRuntimeAPI(f.freeze, cfg.Errors)
	if err != nil {
		return nil, err
	}
	f.api = api
	return f, nil
}

// Close kills the process and what it has started, and ends the Runtime API.
// Closing again does nothing.
func (f *Function) Close() error {
	var err error
	f.closed.Do(func() {
		f.end()
		KillMarked(f.mark())
		err = f.api.close()
	})
	return err
}

// Control returns the processor time that the throttle has cost so far, of
// processes that have gone.
func (f *Function) Control() time.Duration { return f.control }

// freeze stops a process that asks for its next event: on Lambda nothing runs
// between invocations.
func (f *Function) freeze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.proc != nil {
		f.proc.throttle.set(frozen)
	}
}

// start starts a process in the last one's place, unthrottled for its INIT.
func (f *Function) start() error {
	f.end()
	f.api.forget()
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := startProcess(f.cfg.Path, f.environment(), f.cfg.MemoryMB, f.tail)
	f.proc = p
	f.began = true
	return err
}

// end kills the process, if there is one.
func (f *Function) end() {
	if f.proc == nil {
		return
	}
	f.proc.kill()
	f.control += f.proc.control
	f.mu.Lock()
	f.proc = nil
	f.mu.Unlock()
}

// Invoke calls the function and waits for its answer. A failure of the
// function is in the invocation; an error is one of this model, or the cause
// of ctx, with which the process is killed.
func (f *Function) Invoke(ctx context.Context, payload []byte) (Invocation, error) {
	inv := Invocation{RequestID: requestID()}
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
	p, err := f.idle(ctx)
	if err != nil {
		return err
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
	if p == nil { // INIT failed, or the last process has ended: now it is part of the invocation
		var failure *FunctionError
		if p, failure, err = f.init(ctx, inv.RequestID, f.deadline); err != nil {
			return err
		}
		if p == nil {
			f.fail(inv, failure, begin)
			return nil
		}
	} else {
		begin = time.Time{} // begins with the event
	}
	return f.call(ctx, p, payload, inv, begin)
}

// idle waits until the process asks for an event, which it may not have done
// since its last answer. It returns nil when there is no process to wait for.
func (f *Function) idle(ctx context.Context) (*poll, error) {
	if f.proc == nil {
		return nil, nil
	}
	p, _, err := f.wait(ctx, "", f.deadline)
	if p == nil {
		f.end()
	}
	return p, err
}

// init starts a process and waits until it asks for its first event. Where it
// does not, the failure says why.
func (f *Function) init(ctx context.Context, id string, deadline time.Time) (*poll, *FunctionError, error) {
	if err := f.start(); err != nil {
		return nil, nil, err
	}
	return f.wait(ctx, id, deadline)
}

// wait waits until the process asks for an event, ends, or is too late: then
// all that it returns is nil. A process that has asked already is never late.
func (f *Function) wait(ctx context.Context, id string, deadline time.Time) (*poll, *FunctionError, error) {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for late := false; ; {
		select {
		case p := <-f.api.polled:
			if !p.hungUp() {
				return p, nil, nil
			}
			continue
		default:
			if late {
				return nil, nil, nil
			}
		}
		select {
		case p := <-f.api.polled:
			if !p.hungUp() {
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
			late = true
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// call hands the event over and waits for what becomes of it. A begin of zero
// stands for that moment.
func (f *Function) call(ctx context.Context, p *poll, payload []byte, inv *Invocation, begin time.Time) error {
	e := &event{
		id:       inv.RequestID,
		payload:  payload,
		deadline: f.deadline,
		arn:      f.arn(),
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
		case <-p.gone: // the process has ended, or it asks anew
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
		f.finish(inv, a, before, begin)
	case <-f.proc.gone:
		select {
		case a := <-e.answers: // answered, then ended
			f.finish(inv, a, before, begin)
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

// finish fills in an invocation that was answered.
func (f *Function) finish(inv *Invocation, a answer, before usage, begin time.Time) {
	after := f.proc.usage()
	inv.Response, inv.Err = a.payload, a.err
	inv.Duration = a.at.Sub(begin)
	inv.BilledMS = billed(inv.Duration, inv.Init)
	inv.MaxMemoryMB = peakMB(f.proc.pid)
	inv.CPU = max(0, after.cpu-before.cpu)
	inv.RunDelay = max(0, after.runDelay-before.runDelay)
	inv.Children = after.children != before.children || hasCompany(f.proc.pid)
}

// fail fills in an invocation that ended the process, by itself or, without a
// failure of its own, by the timeout. It is billed to this moment.
func (f *Function) fail(inv *Invocation, failure *FunctionError, begin time.Time) {
	inv.Err = failure
	if !begin.IsZero() {
		inv.Duration = time.Since(begin)
	}
	if failure == nil {
		inv.Err = timedOut(inv.RequestID, f.cfg.Timeout)
		inv.Duration = f.cfg.Timeout
	}
	inv.BilledMS = billed(inv.Duration, inv.Init)
	if f.proc != nil {
		inv.MaxMemoryMB, inv.OutOfMemory = f.proc.throttle.memory()
	}
	f.end()
}

// mark is a variable that only this environment's processes have.
func (f *Function) mark() string { return "AWS_LAMBDA_RUNTIME_API=" + f.api.addr }

func (f *Function) arn() string {
	return fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", f.cfg.Region, account, f.cfg.Name)
}

// account is the number that AWS's own examples use.
const account = "123456789012"

// requestID returns a random UUID, version 4.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: see crypto/rand
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func traceID() string {
	var b [20]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=0", time.Now().Unix(), b[:12], b[12:])
}
