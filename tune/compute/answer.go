package compute

import (
	"cmp"
	"slices"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
)

// answer sets the setting to use, and what would change it.
func (q *Question) answer() {
	a := q.choose(q.Map.Points, q.Run.PowerValues)
	if a == nil {
		return
	}
	answer := &comparison.Answer{Point: *a}
	q.Map.Answer = answer
	one := func(strategy string, n *int) *comparison.Point {
		return &q.points([]comparison.Place{{Strategy: strategy, Concurrency: n, Power: a.Power}})[0]
	}
	answer.Sequential = one("sequential", new(1))
	if s, err := strategies.ByName(a.Strategy); err == nil && s.Bounded {
		answer.Default = one(a.Strategy, new(event.DefaultWorkers(a.Power)))
	}
	at := slices.Index(q.Run.PowerValues, a.Power)
	if at > 0 {
		answer.Smaller = q.bestAt(q.Run.PowerValues[at-1])
	}
	if at+1 < len(q.Run.PowerValues) {
		answer.Larger = q.bestAt(q.Run.PowerValues[at+1])
	}
	if a.Power > platform.NewAccountMemory {
		sizes := slices.DeleteFunc(append(slices.Clone(q.Run.PowerValues), platform.NewAccountMemory),
			func(mb int) bool { return mb > platform.NewAccountMemory })
		answer.SmallAccount = q.choose(q.Map.Points, sizes)
	}
	if f := q.Calibration.Fit; f != nil && f.WakeUp {
		return // known, not assumed
	}
	answer.FreeWakeUps, answer.DearWakeUps = q.withWakeUps(0), q.withWakeUps(comparison.DearWakeUpMS)
}

// withWakeUps returns the answer where a wake-up cost so much, at the concurrencies
// that are the best as it is, or nil where that is no other size.
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

// choose returns the point with the least cost x duration over the sizes, by each
// variant at its best concurrency. Of settings within each other's interval the
// cheaper one is taken; of those that cost the same pool before semaphore before
// the others, then the smaller size. It is nil where no point is usable.
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
	alike := func(a, b *comparison.Point, figure func(*comparison.Point) (value, low, high float64)) bool {
		va, la, ha := figure(a)
		vb, lb, hb := figure(b)
		return vb >= la && vb <= ha && va >= lb && va <= hb
	}
	product := func(p *comparison.Point) (value, low, high float64) {
		scale := p.Product() / p.DurationMS / p.DurationMS // the cost is in proportion to the duration
		return p.Product(), scale * p.LowMS * p.LowMS, scale * p.HighMS * p.HighMS
	}
	cost := func(p *comparison.Point) (value, low, high float64) {
		scale := p.CostPerMillion / p.DurationMS
		return p.CostPerMillion, scale * p.LowMS, scale * p.HighMS
	}
	keep := func(figure func(*comparison.Point) (value, low, high float64)) {
		least := slices.MinFunc(candidates, func(a, b *comparison.Point) int {
			x, _, _ := figure(a)
			y, _, _ := figure(b)
			return cmp.Compare(x, y)
		})
		candidates = slices.DeleteFunc(candidates, func(p *comparison.Point) bool { return p != least && !alike(p, least, figure) })
	}
	keep(product)
	keep(cost)
	order := []string{"pool", "semaphore"}
	return slices.MinFunc(candidates, func(a, b *comparison.Point) int {
		rank := func(p *comparison.Point) int { return (slices.Index(order, p.Strategy) + 3) % 3 } // 0 and 1, and 2 of the others
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Power, b.Power))
	})
}

// bestAt is the point of a size with the least cost x duration.
func (q *Question) bestAt(mb int) *comparison.Point { return q.choose(q.Map.Points, []int{mb}) }
