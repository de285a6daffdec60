// Package strategies runs n independent tasks concurrently, by one of several
// strategies that a program can choose by name. It was written to compare the
// strategies on AWS Lambda, where the tasks wait for S3, but depends on neither.
//
// Every strategy has the contract of [Strategy.Run]. The strategies differ only in
// how they schedule tasks.
package strategies

import (
	"context"
	"fmt"
	"strings"
)

// Task processes item i. It should return soon after ctx ends, because Run waits
// for it.
type Task func(ctx context.Context, i int) error

// Strategy is a way to run tasks, returned by [All] or [ByName]. The zero value is
// not a valid strategy.
type Strategy struct {
	Name        string // as spelled in payloads and flags
	Description string // one line, without a full stop
	Bounded     bool   // whether Run's concurrency limits the tasks
	Sequential  bool   // whether only one task runs at a time, whatever the concurrency

	schedule func(c *call, n, concurrency int)
}

// all is the only list of strategies: the handler, the tuner, the report and the
// deployment use it.
var all = []Strategy{sequential, unbounded, pool, semaphore}

// All returns every strategy, in the order of presentation.
func All() []Strategy { return append([]Strategy(nil), all...) }

// Names returns the name of every strategy, in the order of [All].
func Names() []string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Name
	}
	return names
}

// ByName returns the strategy of that name. If there is none, the error lists the
// known names.
func ByName(name string) (Strategy, error) {
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
	}
	return Strategy{}, fmt.Errorf("unknown strategy %q: it must be one of %s", name, strings.Join(Names(), ", "))
}

// Run runs task once for every i in [0, n) and blocks until every task that it
// started has returned; no goroutine outlives it. If the strategy is Bounded, at
// most concurrency tasks run at a time, and concurrency must be at least 1.
// Otherwise Run ignores concurrency. If n is 0 or less, nothing runs.
//
// The context of the tasks ends when ctx ends or a task fails. After that, Run
// starts no more tasks. Run returns nil only if all n tasks have run and returned
// nil. Otherwise it returns whichever came first:
//
//   - the error of a task, and not the cancellations that it caused in others;
//   - the cause of ctx ([context.Cause]), if ctx ended before all tasks had run.
//
// A panic in a task also cancels the other tasks. Run raises the first panic again
// in the caller, as a [*panics.Recovered] of github.com/sourcegraph/conc/panics
// with the stack of the task. If a task ends its goroutine with [runtime.Goexit],
// Run returns an error, except in sequential, where the task ends the caller's
// goroutine.
func (s Strategy) Run(ctx context.Context, n, concurrency int, task Task) error {
	if s.schedule == nil {
		return fmt.Errorf("unknown strategy %q: it must be one of %s", s.Name, strings.Join(Names(), ", "))
	}
	if s.Bounded && concurrency < 1 {
		return fmt.Errorf("strategy %s: concurrency must be at least 1, got %d", s.Name, concurrency)
	}
	c := newCall(ctx, task)
	defer c.cancel(nil)
	s.schedule(c, n, concurrency)
	return c.result(n)
}
