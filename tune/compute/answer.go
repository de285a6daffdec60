package compute

import (
	"cmp"
	"math"
	"slices"

	"github.com/sourcegraph/conc/iter"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/simulate"
)

// answer sets the setting to use, and what would change it.
func (q *question) answer() {
	sizes := q.Run.PowerValues
	a := q.choose(q.Map.Points, sizes)
	if a == nil {
		return
	}
	answer := &comparison.Answer{Point: *a}
	q.Map.Answer = answer
	one := func(strategy string, n int) *comparison.Point {
		if p := q.point(&comparison.Place{Strategy: strategy, Concurrency: &n, Power: a.Power}); !p.Killed() {
			return &p
		}
		return nil
	}
	answer.Sequential = one("sequential", 1)
	if s, _ := strategies.ByName(a.Strategy); s.Bounded {
		answer.Default = one(a.Strategy, event.DefaultWorkers(a.Power))
	}
	at := slices.Index(sizes, a.Power)
	concurrent := slices.DeleteFunc(slices.Clone(q.Map.Points), func(p comparison.Point) bool { return p.Strategy == "sequential" })
	answer.Smaller = q.choose(concurrent, sizes[max(at-1, 0):at])
	answer.Larger = q.choose(concurrent, sizes[at+1:min(at+2, len(sizes))])
	if most := platform.NewAccountMemory; a.Power > most {
		small := slices.DeleteFunc(slices.Clone(sizes), func(mb int) bool { return mb > most })
		answer.SmallAccount = q.choose(q.Map.Points, append(small, most))
	}
	if f := q.Calibration.Fit; f == nil || !f.WakeUp { // assumed, not known
		answer.FreeWakeUps, answer.DearWakeUps = q.withWakeUps(0), q.withWakeUps(comparison.DearWakeUpMS)
	}
}

// withWakeUps returns the answer if a wake-up cost ms of a vCPU, with each variant's concurrency unchanged, or nil if
// that answer has the same size.
func (q *question) withWakeUps(ms float64) *comparison.Point {
	other := *q
	other.wakeUpMS = ms
	var places []comparison.Place
	for _, v := range q.Variants {
		for _, cell := range v.Cells {
			places = append(places, cell.Computed.Place)
		}
	}
	p := other.choose(iter.Map(places, other.point), q.Run.PowerValues)
	if p != nil && p.Power == q.Map.Answer.Power {
		return nil
	}
	return p
}

// choose returns the point with the least cost x duration over the sizes, which ascend, or nil if none is usable. Of
// points within each other's interval it takes the cheapest, and of those that cost the same the smallest size. At each
// size it takes the variant that is fastest at its best concurrency. Of variants within each other's interval it takes
// pool before semaphore before the others. So it does of those within a twentieth, as a strategy's best concurrency may
// be that much slower than its fastest.
func (q *question) choose(points []comparison.Point, sizes []int) *comparison.Point {
	m := comparison.Map{Points: points}
	rank := func(p *comparison.Point) int { return slices.Index([]string{"semaphore", "pool"}, p.Strategy) }
	var candidates []*comparison.Point
	for _, mb := range sizes {
		var of []*comparison.Point
		for _, v := range q.Run.Variants {
			if p := m.At(v.Place(mb)); p != nil && p.Usable() {
				of = append(of, p)
			}
		}
		if len(of) > 0 {
			of = alike(of, func(p *comparison.Point) float64 { return p.DurationMS }, 1, comparison.Near)
			candidates = append(candidates, slices.MaxFunc(of, func(a, b *comparison.Point) int { return rank(a) - rank(b) }))
		}
	}
	if len(candidates) == 0 {
		return nil
	}
	candidates = alike(candidates, (*comparison.Point).Product, 2, 0)
	candidates = alike(candidates, func(p *comparison.Point) float64 { return p.CostPerMillion }, 1, 0)
	return candidates[0]
}

// alike returns the points whose figure is as good as the least: within that share of it, or the two within each
// other's interval. The figure grows with that power of the duration.
func alike(points []*comparison.Point, figure func(*comparison.Point) float64, power, share float64) (good []*comparison.Point) {
	least := slices.MinFunc(points, func(a, b *comparison.Point) int { return cmp.Compare(figure(a), figure(b)) })
	holds := func(p *comparison.Point, value float64) bool {
		return value >= figure(p)*math.Pow(p.LowMS/p.DurationMS, power) && value <= figure(p)*math.Pow(p.HighMS/p.DurationMS, power)
	}
	for _, p := range points {
		if figure(p) <= (1+share)*figure(least) || holds(least, figure(p)) && holds(p, figure(least)) {
			good = append(good, p)
		}
	}
	return good
}

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
		if p != nil {
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
			case p.Binds == simulate.Processor && p.Power < a.Power:
				bound = p
			}
		}
	}
	reads := min(c.Run.Repeat, mostReads)
	add("answer", &a.Point, reads)
	if s := a.Sequential; s != nil && s.Strategy != a.Strategy {
		add("sequential", s, max(1, min(c.Run.Repeat, int(float64(c.Run.Repeat)*sequentialMS/s.DurationMS))))
	}
	add("rival", rival, reads)
	add("processor", bound, reads)
	return checks
}
