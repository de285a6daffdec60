package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errDeadline ends the reads of an invocation that has no time left.
var errDeadline = errors.New("no time left")

// withDeadline ends ctx before Lambda's deadline, so that there is time to
// unwind what is in flight and to say what was done: Lambda kills a function
// that is late, and its caller learns nothing.
func withDeadline(ctx context.Context, memoryMB int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadlineCause(ctx, deadline.Add(-margin(time.Until(deadline), memoryMB)), errDeadline)
}

// unwindCPU is the processor time set aside for the end of a call. Unwinding
// tens of thousands of reads that wait for a turn and 900 that are in flight
// was measured at 60 ms.
const unwindCPU = 100 * time.Millisecond

// vCPU is the memory size, in MB, that has one vCPU; CPU is in proportion to
// memory (AWS documentation, "Configure Lambda function memory").
const vCPU = 1769

// margin is how long before the deadline the reads end: the time that
// unwindCPU takes at the function's share of a CPU, but at most a quarter of
// what is left.
func margin(left time.Duration, memoryMB int) time.Duration {
	m := unwindCPU
	if memoryMB > 0 && memoryMB < vCPU {
		m = unwindCPU * vCPU / time.Duration(memoryMB)
	}
	return min(m, left/4)
}

// deadlineError says how far the invocation came, and what held it up.
func (m *meter) deadlineError() error {
	err := fmt.Errorf("deadline: %d of %d reads were done in %.1f s, %d attempts failed and were made again",
		m.reads.Load(), len(m.latencies), m.took.Seconds(), m.used.retries)
	if m.used.retries > 0 {
		err = fmt.Errorf("%w, the last one after: %w", err, m.bucket.retryer.lastFailure())
	}
	return fmt.Errorf("%w\nraise the function's timeout or memory, or lower repeat", err)
}
