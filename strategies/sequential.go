package strategies

// sequential runs one task after the other in the caller's goroutine: the
// measure of what concurrency gains.
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
