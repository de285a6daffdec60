package main

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
)

// function holds the state that a process keeps between invocations.
type function struct {
	bucket   *bucket
	workers  int  // the concurrency of a payload that sets none
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
	atOnce, _ := strconv.Atoi(getenv("AWS_LAMBDA_MAX_CONCURRENCY")) // set where aws-lambda-go polls for several invocations at once
	return &function{bucket: b, workers: workers, memoryMB: memoryMB, shared: atOnce > 1}, nil
}

// Invoke serves one invocation and returns its answer as JSON. Unless every
// object is read completely, it either returns an error, or its answer reports
// the outcome of each object. It takes the payload undecoded, because the
// runtime's own decoder ignores anything after the first JSON value.
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
	// A connection's timeout is a context.DeadlineExceeded too, so ask ctx first.
	late := ctx.Err() != nil && (errors.Is(err, errDeadline) || errors.Is(err, context.DeadlineExceeded))
	if late {
		err = m.deadlineError()
	}
	// A report covers what was done before the call stopped.
	if err != nil && !(w.report && (late || m.reads.Load() > 0)) {
		return nil, err
	}
	a := m.answer(s, p.Concurrency)
	a.MemoryMB = f.memoryMB
	if f.shared { // the CPU time of the process includes other invocations
		a.CPUSec = 0
	}
	w.complete(&a, err)
	return json.Marshal(a)
}
