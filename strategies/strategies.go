// Package strategies runs n independent tasks at once, in one of several ways
// that a program can choose by name. It was written to compare them on AWS
// Lambda, where the tasks wait for S3, and knows nothing of either.
//
// Every strategy keeps the same contract, that of [Strategy.Run]; they differ
// only in how they schedule.
package strategies

import (
	"context"
	"fmt"
	"strings"
)

// Task does the work of item i. It should return soon after ctx ends: Run
// waits for it.
type Task func(ctx context.Context, i int) error

// Strategy is one way to run tasks: one of [All], or what [ByName] returns. The
// zero value is none.
type Strategy struct {
	Name        string // as payloads and flags spell it
	Description string // one line, without a full stop
	Bounded     bool   // whether Run's concurrency has an effect
	Sequential  bool   // whether one task runs at a time, whatever the concurrency

	schedule func(c *call, n, concurrency int)
}

// all is the one list of strategies: the handler, the tuner, the report and
// the deployment read it.
var all = []Strategy{sequential, unbounded, pool, semaphore}

// All returns every strategy, in the order in which they are presented.
func All() []Strategy { return append([]Strategy(nil), all...) }

// Names returns the name of every strategy, in the order of [All].
func Names() []string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Name
	}
	return names
}

// ByName returns the strategy of that name. Its error lists the names that
// there are.
func ByName(name string) (Strategy, error) {
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
	}
	return Strategy{}, fmt.Errorf("unknown strategy %q: it must be one of %s", name, strings.Join(Names(), ", "))
}

// Run runs task once for every i in [0, n) and blocks until all the tasks that
// it started have returned; no goroutine outlives it. At most concurrency
// tasks run at a time where the strategy is Bounded: concurrency must then be
// at least 1. Elsewhere it is ignored. With n of 0 or less nothing runs.
//
// The context of the tasks ends with ctx, and when a task fails. From then on
// no task is started. Run returns nil only when all n tasks have run and
// returned nil; otherwise it returns what came first of
//
//   - the error of a task, not the cancellations that it caused in others;
//   - the cause of ctx ([context.Cause]), when ctx ended before all had run.
//
// A panic in a task also cancels the rest, and is raised again in the caller
// as a [*panics.Recovered] of github.com/sourcegraph/conc/panics with the
// stack of the task; with several, the first one is. A task that leaves its
// goroutine by [runtime.Goexit] makes Run return an error, except in
// sequential, where it leaves the caller's.
func (s Strategy) Run(ctx context.Context, n, concurrency int, task Task) error {
	if s.schedule == nil {
		return fmt.Errorf("strategy %q: it is none of %s", s.Name, strings.Join(Names(), ", "))
	}
	if s.Bounded && concurrency < 1 {
		return fmt.Errorf("strategy %s: concurrency must be at least 1, got %d", s.Name, concurrency)
	}
	c := newCall(ctx, task)
	defer c.cancel(nil)
	s.schedule(c, n, concurrency)
	return c.result(n)
}
