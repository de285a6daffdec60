// Package compute draws a map from a calibration: what an invocation takes and
// costs by every strategy, at every concurrency and memory size, on Lambda. It
// measures nothing and repeats itself exactly.
package compute

import (
	"math"
	"slices"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/simulate"
)

// Sizes are the memory sizes of a map by default, in MB: those of the matrix
// (comparison.DefaultMapPowers), the most of a new account, one vCPU, and some
// between.
var Sizes = []int{128, 256, 512, 768, 1_024, 1_536, platform.MemoryPerVCPU, 2_048, platform.NewAccountMemory, 3_072, 4_096, 6_144, 10_240}

// Concurrencies are those of a map, finer where the best ones are.
var Concurrencies = []int{1, 4, 8, 15, 20, 30, 40, 60, 80, 100, 120, 160, 200, 240, 320, 480, event.MaxConcurrency}

const (
	maxDraws = 25
	someOf   = 3 // draws, for the interval that the calibration leaves: a ratio of the same draws needs few

	// before is the share of a read's processor time that comes before its request
	// is sent. It is chosen: a half in its place changes a duration by 1 %.
	before = 1. / 3

	// luck is the share of a duration above which it depends on S3's burst.
	luck = 0.05
)

// Question is what a map is to tell.
type Question struct {
	*comparison.Comparison         // its calibration, and its run: reads, S3, architecture, seed, sizes and variants
	More                   []int   // memory sizes that the map has beside the run's, in MB
	WakeUpMS               float64 // that Lambda's wake-ups are taken to cost
	draws                  []simulate.Draw
	s3                     profile.S3
}

// Map computes the map and the variants of the comparison: a variant of a bounded
// strategy that names no concurrency has the best one of each size. An error is
// one of the run's latency.
func Map(c *comparison.Comparison, more []int, wakeUpMS float64) error {
	s3, err := profile.Parse(c.Run.Latency)
	if err != nil {
		return err
	}
	q := Question{Comparison: c, More: more, WakeUpMS: wakeUpMS, s3: s3}
	// Of many reads few draws tell as much: their sum scatters less.
	draws := min(max(maxDraws*2_000/max(c.Run.Repeat, 1), 1), maxDraws)
	for k := range draws {
		q.draws = append(q.draws, simulate.NewDraw(s3, c.Run.Seed, uint64(k+1), c.Run.Repeat))
	}
	sizes := slices.Compact(slices.Sorted(slices.Values(slices.Concat(c.Run.PowerValues, more))))
	c.Map = &comparison.Map{WakeUpMS: wakeUpMS, Draws: draws, Points: q.points(Places(c.Run.Variants, sizes))}
	for i := range c.Variants {
		v := &c.Variants[i]
		v.Cells = nil
		for _, power := range c.Run.PowerValues {
			if p := c.Map.Best(v.Variant, power); p != nil {
				v.Cells = append(v.Cells, comparison.Cell{Power: power, Computed: p})
			}
		}
	}
	q.answer()
	return nil
}

// Places are those of a map of variants at memory sizes in MB, each once: a
// bounded strategy that names no concurrency has all of Concurrencies.
func Places(variants []comparison.Variant, sizes []int) (places []comparison.Place) {
	add := func(v comparison.Variant, n *int) {
		for _, mb := range sizes {
			p := comparison.Place{Strategy: v.Strategy, Concurrency: n, Power: mb}
			if !slices.ContainsFunc(places, func(o comparison.Place) bool { return o.Label() == p.Label() && o.Power == mb }) {
				places = append(places, p)
			}
		}
	}
	for _, v := range variants {
		if s, err := strategies.ByName(v.Strategy); err == nil && s.Bounded && v.Concurrency == nil {
			for _, n := range Concurrencies {
				add(v, &n)
			}
		} else {
			add(v, v.Concurrency)
		}
	}
	return places
}

// points computes places, in their order.
func (q *Question) points(places []comparison.Place) []comparison.Point {
	invocations := func(of func(comparison.Figure) float64, burst bool) (all []simulate.Invocation) {
		for _, p := range places {
			all = append(all, q.invocation(p, of, burst))
		}
		return all
	}
	some := q.draws[:min(someOf, len(q.draws))]
	all := simulate.Sweep(invocations(Middle, true), q.draws)
	low, high := simulate.Sweep(invocations(Low, true), some), simulate.Sweep(invocations(High, true), some)
	var again []int // those that S3 refused: how much it grants at once is not known
	var without []simulate.Invocation
	for i, results := range all {
		if slices.ContainsFunc(results, func(r simulate.Result) bool { return r.Retries > 0 }) {
			again, without = append(again, i), append(without, q.invocation(places[i], Middle, false))
		}
	}
	limited := map[int][]simulate.Result{}
	for k, results := range simulate.Sweep(without, q.draws) {
		limited[again[k]] = results
	}
	points := make([]comparison.Point, len(places))
	for i, p := range places {
		typical := simulate.Summarize(all[i])
		binds := typical.Binds()
		ratio := func(other []simulate.Result) float64 {
			return simulate.Summarize(other).DurationMS / simulate.Summarize(all[i][:len(some)]).DurationMS
		}
		least, most := min(ratio(low[i]), 1), max(ratio(high[i]), 1)
		if results := limited[i]; results != nil {
			if slow := simulate.Summarize(results); slow.DurationMS > (1+luck)*typical.DurationMS || binds == simulate.Limit {
				typical, binds = slow, simulate.Limit
			}
		}
		points[i] = comparison.Point{Place: p, DurationMS: typical.DurationMS,
			LowMS: least * typical.DurationMS, HighMS: most * typical.DurationMS,
			P10MS: typical.LowMS, P90MS: typical.HighMS, CPUMS: typical.CPUMS, PeakMB: typical.PeakMB, Binds: binds,
			CostPerMillion: q.CostPerMillion(p.Power, math.Ceil(typical.DurationMS))}
	}
	return points
}

// Middle, Low and High are what a figure may be taken for.
func Middle(f comparison.Figure) float64 { return f.Value }
func Low(f comparison.Figure) float64    { return f.Low }
func High(f comparison.Figure) float64   { return f.High }

// invocation is a place of the map.
func (q *Question) invocation(p comparison.Place, of func(comparison.Figure) float64, burst bool) simulate.Invocation {
	s3 := q.s3
	if !burst {
		s3.Burst = 0
	}
	return Invocation(p, OnLambda(Costs(q.Calibration, p.Strategy, of), q.WakeUpMS), s3, q.Run.Arch, q.Run.Repeat)
}

// OnLambda are costs without what this machine adds to them, where a wake-up takes
// so much.
func OnLambda(costs simulate.Costs, wakeUpMS float64) simulate.Costs {
	costs.WakeUp, costs.Late = wakeUpMS, 0
	return costs
}

// Costs are those of a calibration for a strategy, as they were measured on this
// machine: of each figure the value, or an end of its interval.
func Costs(c *comparison.Calibration, strategy string, of func(comparison.Figure) float64) simulate.Costs {
	cpu := of(c.CPU(strategy))
	costs := simulate.Costs{Before: before * cpu, After: cpu - before*cpu,
		WakeUp: of(c.WakeUp), Handshake: of(c.Handshake), Late: of(c.Late),
		Bytes: c.ObjectBytes, BaseMB: c.BaseMB, ReadMB: c.ReadMB, WaitingMB: c.WaitingMB}
	for _, k := range c.Crowd {
		costs.Crowd = append(costs.Crowd, simulate.Crowd{InFlight: k.InFlight, CPU: of(k.CPU)})
	}
	return costs
}
