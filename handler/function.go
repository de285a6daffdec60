package main

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
)

// function is what a process keeps from one invocation to the next.
type function struct {
	bucket   *bucket
	workers  int  // the concurrency of a payload that names none
	memoryMB int  // 0 when unknown
	shared   bool // whether the process may serve several invocations at once
}

func newFunction(ctx context.Context, getenv func(string) string) (*function, error) {
	memoryMB := memorySize(getenv)
	workers, err := event.Workers(getenv("MAX_WORKERS"), memoryMB)
	if err != nil {
		return nil, err
	}
	name := getenv("BUCKET")
	if err := checkBucket(name); err != nil {
		return nil, err
	}
	b, err := openBucket(ctx, name, stallTime)
	if err != nil {
		return nil, err
	}
	atOnce, _ := strconv.Atoi(getenv("AWS_LAMBDA_MAX_CONCURRENCY")) // by which aws-lambda-go polls; elsewhere it is not set
	return &function{bucket: b, workers: workers, memoryMB: memoryMB, shared: atOnce > 1}, nil
}

// Invoke serves one invocation: every read ends whole, or the invocation
// fails, or its answer reports what became of each object. It takes the
// payload as it was sent, because the runtime's own decoder overlooks what
// follows a payload's first value.
func (f *function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	p, err := event.Decode(payload, f.workers)
	if err != nil {
		return nil, err
	}
	s, err := strategies.ByName(p.Strategy)
	if err != nil {
		return nil, err
	}
	w, err := f.find(ctx, p)
	if err != nil {
		return nil, err
	}
	ctx, cancel := withDeadline(ctx, unwinding(w.n, p.Concurrency, s)+w.reporting(), f.memoryMB)
	defer cancel()
	m := newMeter(w.n)
	err = s.Run(m.into(ctx), w.n, p.Concurrency, func(ctx context.Context, i int) error {
		started := m.begin()
		o, whole, err := w.read(ctx)
		m.end(i, started, o, whole, err)
		return err
	})
	m.stop()
	// The time-out of a connection is a context.DeadlineExceeded, too.
	late := ctx.Err() != nil && (errors.Is(err, errDeadline) || errors.Is(err, context.DeadlineExceeded))
	if late {
		err = m.deadlineError()
	}
	// A report stands for what was done before the call had to stop.
	if err != nil && !(w.report && (late || m.reads.Load() > 0)) {
		return nil, err
	}
	a := m.answer(s, p.Concurrency)
	a.MemoryMB = f.memoryMB
	if f.shared { // it is the process's, and holds the neighbours'
		a.CPUSec = 0
	}
	w.complete(&a, err)
	return json.Marshal(a)
}
