package strategies

import "sync"

// unbounded starts a goroutine for every task at once. Without a limit, n tasks may
// need n times the memory and the file descriptors of one. So a task should
// acquire a scarce resource before it allocates anything else.
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
