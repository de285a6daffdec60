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

// errDeadline is the cause of the context when an invocation has no time left.
var errDeadline = errors.New("no time left")

// withDeadline returns a context that ends before Lambda's deadline. This leaves
// the CPU time unwind to cancel the reads in flight and to report what was done:
// Lambda kills a function at its deadline, and the caller would learn nothing.
func withDeadline(ctx context.Context, unwind time.Duration, memoryMB int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadlineCause(ctx, deadline.Add(-margin(time.Until(deadline), unwind, memoryMB)), errDeadline)
}

// margin returns how long before the deadline the reads must end: the CPU time
// unwind at the function's share of a vCPU, but at most half of the time left.
func margin(left, unwind time.Duration, memoryMB int) time.Duration {
	if memoryMB > 0 && memoryMB < platform.MemoryPerVCPU {
		unwind = unwind * platform.MemoryPerVCPU / time.Duration(memoryMB)
	}
	return min(unwind, left/2)
}

// unwinding returns the CPU time that ending a call takes. It depends on the
// concurrent reads: about 3 µs for a read that waits for a slot, and 500 µs for a
// read in flight, whose connection is closed (900 in flight among 20,000 took
// 370 ms).
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

// deadlineError returns an error that says how many reads were done, what was in
// flight, why reads were retried, and what to do.
func (m *meter) deadlineError() error {
	var inFlight []string
	for p := range m.cut {
		if n := m.cut[p].Load(); n > 0 {
			inFlight = append(inFlight, fmt.Sprintf("%d %v", n, phase(p)))
		}
	}
	note := ""
	if inFlight != nil {
		note = "; in flight: " + strings.Join(inFlight, ", ")
	}
	return fmt.Errorf("deadline: %d of %d reads were done in %.1f s%s%s\n%s", m.reads.Load(), len(m.latencies), m.took.Seconds(), note, m.retryNote(), m.advice())
}

// advice returns the remedy for the phase that most reads in flight were in, or for
// the failure last retried.
func (m *meter) advice() string {
	most := queued
	for p := range m.cut {
		if m.cut[p].Load() > m.cut[most].Load() {
			most = phase(p)
		}
	}
	return m.tally.advice(most, m.cut[most].Load(), "let it read fewer objects")
}

// advice returns what to do about a deadline that n requests reached in that phase.
// If there were fewer retries, their cause is not what held the call up. less says
// how to ask for fewer objects.
func (t *tally) advice(in phase, n int64, less string) string {
	if last := t.last.Load(); last != nil && remedyOf(*last) != "" && (in == pausing || t.retries.Load() >= n) {
		return remedyOf(*last) + "; or raise the function's timeout, or " + less
	}
	switch in {
	case connecting:
		return wayToS3
	case starved:
		return "raise the function's memory, lower the concurrency, or " + less + ": objects waited for memory that other objects held"
	case waiting:
		return "raise the function's timeout, or " + less + ": S3 had not answered yet, and more memory does not change that"
	}
	return "raise the function's timeout or memory, or " + less
}
