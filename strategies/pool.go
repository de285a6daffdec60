package strategies

import concpool "github.com/sourcegraph/conc/pool"

// pool hands the tasks to at most concurrency goroutines, which are reused:
// github.com/sourcegraph/conc's pool.
//
// It is conc's plain Pool rather than its ContextPool: of that, v0.3.0 starts
// every task that was submitted even after cancellation, and returns nil when
// the caller's context ended. What the context is owed is the call's business,
// for every strategy alike.
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
