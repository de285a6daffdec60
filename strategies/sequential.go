package strategies

// sequential runs one task after the other in the caller's goroutine. It is the
// baseline for the gain of concurrency.
var sequential = Strategy{
	Name:        "sequential",
	Description: "one after the other",
	Sequential:  true,
	schedule: func(c *call, n, _ int) {
		for i := 0; i < n && !c.ended(); i++ {
			c.run(i)
		}
	},
}
