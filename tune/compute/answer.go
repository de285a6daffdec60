package compute

import (
	"cmp"
	"math"
	"slices"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
)

// answer sets the setting to use, and what would change it.
func (q *Question) answer() {
	sizes := q.Run.PowerValues
	a := q.choose(q.Map.Points, sizes)
	if a == nil {
		return
	}
	answer := &comparison.Answer{Point: *a}
	q.Map.Answer = answer
	one := func(strategy string, n int) *comparison.Point {
		if p := &q.points([]comparison.Place{{Strategy: strategy, Concurrency: &n, Power: a.Power}})[0]; !p.Killed() {
			return p
		}
		return nil
	}
	answer.Sequential = one("sequential", 1)
	if s, err := strategies.ByName(a.Strategy); err == nil && s.Bounded {
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
func (q *Question) withWakeUps(ms float64) *comparison.Point {
	other := *q
	other.WakeUpMS = ms
	var places []comparison.Place
	for _, v := range q.Variants {
		for _, cell := range v.Cells {
			places = append(places, cell.Computed.Place)
		}
	}
	if p := other.choose(other.points(places), q.Run.PowerValues); p != nil && p.Power != q.Map.Answer.Power {
		return p
	}
	return nil
}

// choose returns the point with the least cost x duration over the sizes, with each variant at its best concurrency,
// or nil if no point is usable. Of points within each other's interval it takes the cheapest; of those that cost the
// same, pool before semaphore before the others, then the smallest size.
func (q *Question) choose(points []comparison.Point, sizes []int) *comparison.Point {
	m := comparison.Map{Points: points}
	var candidates []*comparison.Point
	for _, v := range q.Run.Variants {
		for _, mb := range sizes {
			if p := m.Best(v, mb); p != nil && p.Usable() {
				candidates = append(candidates, p)
			}
		}
	}
	if len(candidates) == 0 {
		return nil
	}
	// keep leaves the points whose figure is as good as the least. The figure grows with that power of the duration.
	keep := func(figure func(*comparison.Point) float64, power float64) {
		least := slices.MinFunc(candidates, func(a, b *comparison.Point) int { return cmp.Compare(figure(a), figure(b)) })
		holds := func(p *comparison.Point, value float64) bool {
			return value >= figure(p)*math.Pow(p.LowMS/p.DurationMS, power) && value <= figure(p)*math.Pow(p.HighMS/p.DurationMS, power)
		}
		candidates = slices.DeleteFunc(candidates, func(p *comparison.Point) bool {
			return p != least && !(holds(least, figure(p)) && holds(p, figure(least)))
		})
	}
	keep((*comparison.Point).Product, 2)
	keep(func(p *comparison.Point) float64 { return p.CostPerMillion }, 1)
	// 0, 1 and, of any other, 2
	rank := func(p *comparison.Point) int {
		return (slices.Index([]string{"pool", "semaphore"}, p.Strategy) + 3) % 3
	}
	return slices.MinFunc(candidates, func(a, b *comparison.Point) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Power, b.Power))
	})
}
