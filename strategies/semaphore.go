package strategies

import (
	"sync"

	xsemaphore "golang.org/x/sync/semaphore"
)

// semaphore starts a goroutine a task, once it has one of concurrency places:
// golang.org/x/sync/semaphore. The place is acquired before the goroutine is
// started, so that an item that waits costs nothing.
var semaphore = Strategy{
	Name:        "semaphore",
	Description: "a goroutine an item, x/sync/semaphore",
	Bounded:     true,
	schedule: func(c *call, n, concurrency int) {
		var wg sync.WaitGroup
		sem := xsemaphore.NewWeighted(int64(concurrency))
		for i := 0; i < n; i++ {
			if sem.Acquire(c.ctx, 1) != nil {
				break // the call has ended: result says why
			}
			wg.Go(func() {
				defer sem.Release(1)
				c.run(i)
			})
		}
		wg.Wait()
	},
}
