package strategies

import (
	"sync"

	xsemaphore "golang.org/x/sync/semaphore"
)

// semaphore starts a goroutine for each task and runs at most concurrency of them at
// a time: golang.org/x/sync/semaphore. It acquires the semaphore before it starts a
// goroutine, so that a waiting item costs nothing.
var semaphore = Strategy{
	Name:        "semaphore",
	Description: "a goroutine an item, x/sync/semaphore",
	Bounded:     true,
	schedule: func(c *call, n, concurrency int) {
		var wg sync.WaitGroup
		sem := xsemaphore.NewWeighted(int64(concurrency))
		for i := 0; i < n; i++ {
			if sem.Acquire(c.ctx, 1) != nil {
				break // the call has ended, and result returns the cause
			}
			wg.Go(func() {
				defer sem.Release(1)
				c.run(i)
			})
		}
		wg.Wait()
	},
}
