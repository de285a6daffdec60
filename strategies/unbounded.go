package strategies

import "sync"

// unbounded starts a goroutine for every task at once. Nothing holds it back:
// n tasks need the memory and the descriptors of n tasks, so a task should
// wait for what is scarce before it takes anything else.
var unbounded = Strategy{
	Name:        "unbounded",
	Description: "a goroutine an item, all at once",
	schedule: func(c *call, n, _ int) {
		var wg sync.WaitGroup
		for i := 0; i < n && !c.ended(); i++ {
			wg.Go(func() { c.run(i) })
		}
		wg.Wait()
	},
}
