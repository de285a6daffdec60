package compute

import (
	"slices"

	"lambda-parallel-io/tune/comparison"
)

// The reads of a checked call: few, so that all checks fit their time, even in slow motion. Both rounds of sequential
// reads together take two seconds.
const mostReads, sequentialMS = 1_000, 1_000

// Checks returns the points of a map that are worth measuring: the answer, its nearest rival of another strategy, one
// that is CPU-bound, and sequential with as many reads as fit their time. None is measured yet.
func Checks(c *comparison.Comparison) (checks []comparison.Check) {
	a := c.Map.Answer
	if a == nil {
		return nil
	}
	add := func(why string, p *comparison.Point, reads int) {
		known := func(k comparison.Check) bool { return k.Same(p.Place) }
		if p != nil && !slices.ContainsFunc(checks, known) {
			checks = append(checks, comparison.Check{Place: p.Place, Repeat: reads, Why: why})
		}
	}
	var rival, bound *comparison.Point
	for _, v := range c.Variants {
		for _, cell := range v.Cells {
			switch p := cell.Computed; {
			case v.Sequential() || !p.Usable():
			case p.Strategy != a.Strategy:
				if rival == nil || p.Product() < rival.Product() {
					rival = p
				}
			case p.Binds == "processor" && p.Power < a.Power:
				bound = p
			}
		}
	}
	reads := min(c.Run.Repeat, mostReads)
	add("answer", &a.Point, reads)
	if s := a.Sequential; s != nil && s.Label() != a.Label() {
		add("sequential", s, max(1, min(c.Run.Repeat, int(float64(c.Run.Repeat)*sequentialMS/s.DurationMS))))
	}
	add("rival", rival, reads)
	add("processor", bound, reads)
	return checks
}
