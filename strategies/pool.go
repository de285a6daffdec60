package strategies

import concpool "github.com/sourcegraph/conc/pool"

// pool runs the tasks in at most concurrency goroutines, which it reuses:
// github.com/sourcegraph/conc's pool.
//
// It uses conc's Pool and not its ContextPool. In v0.3.0 the latter starts every
// submitted task even after cancellation, and returns nil if the caller's context
// has ended. The call handles the context, in the same way for every strategy.
var pool = Strategy{
	Name:        "pool",
	Description: "reused goroutines, sourcegraph/conc",
	Bounded:     true,
	schedule: func(c *call, n, concurrency int) {
		p := concpool.New().WithMaxGoroutines(concurrency)
		for i := 0; i < n && !c.ended(); i++ {
			p.Go(func() { c.run(i) })
		}
		p.Wait()
	},
}
