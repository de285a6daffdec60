package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/strategies"
)

// errDeadline ends the reads of an invocation that has no time left.
var errDeadline = errors.New("no time left")

// withDeadline ends ctx before Lambda's deadline, so that there is time to
// unwind what is in flight and to say what was done: Lambda kills a function
// that is late, and its caller learns nothing.
func withDeadline(ctx context.Context, unwind time.Duration, memoryMB int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadlineCause(ctx, deadline.Add(-margin(time.Until(deadline), unwind, memoryMB)), errDeadline)
}

// margin is how long before the deadline the reads end: the time that their
// unwinding takes at the function's share of a CPU, but at most half of what
// is left.
func margin(left, unwind time.Duration, memoryMB int) time.Duration {
	if memoryMB > 0 && memoryMB < platform.MemoryPerVCPU {
		unwind = unwind * platform.MemoryPerVCPU / time.Duration(memoryMB)
	}
	return min(unwind, left/2)
}

// unwinding is the processor time that ending a call takes, by its reads at a
// time: about 3 µs for one that waits for its turn, and 500 µs for one in
// flight, whose connection is closed (900 in flight among 20,000 took 370 ms).
func unwinding(reads, concurrency int, s strategies.Strategy) time.Duration {
	switch {
	case s.Sequential:
		reads = 1
	case s.Bounded:
		reads = min(concurrency, reads)
	}
	inFlight := min(reads, maxConnections)
	return 10*time.Millisecond + time.Duration(reads)*3*time.Microsecond + time.Duration(inFlight)*500*time.Microsecond
}

// deadlineError says how far the invocation came, what was in flight, and what
// held it up.
func (m *meter) deadlineError() error {
	var inFlight []string
	for p := range m.cut {
		if n := m.cut[p].Load(); n > 0 {
			inFlight = append(inFlight, fmt.Sprintf("%d %v", n, phase(p)))
		}
	}
	what := ""
	if inFlight != nil {
		what = "; in flight: " + strings.Join(inFlight, ", ")
	}
	return fmt.Errorf("deadline: %d of %d reads were done in %.1f s%s%s\n%s", m.reads.Load(), len(m.latencies), m.took.Seconds(), what, m.heldUp(), m.advice())
}

// advice is the remedy of what was last tried again in vain, or else of what
// most reads in flight were waiting for.
func (m *meter) advice() string {
	most := queued
	for p := range m.cut {
		if m.cut[p].Load() > m.cut[most].Load() {
			most = phase(p)
		}
	}
	return m.tally.advice(most, "let it read fewer objects")
}

// advice says what to do about a deadline that came in that phase; less is how
// to ask for less.
func (t *tally) advice(in phase, less string) string {
	if last := t.last.Load(); last != nil && remedyOf(*last) != "" {
		return remedyOf(*last) + "; or raise the function's timeout, or " + less
	}
	switch in {
	case connecting:
		return wayToS3
	case crowded:
		return "raise the function's memory, lower the concurrency, or " + less + ": objects were waiting for the memory that others had"
	case waiting:
		return "raise the function's timeout, or " + less + ": S3 had not answered yet, which more memory does not change"
	}
	return "raise the function's timeout or memory, or " + less
}
