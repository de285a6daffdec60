// Package compute computes a map from a calibration: the time and cost of an invocation on Lambda by every strategy, at
// every concurrency and memory size. It measures nothing. The same input gives the same map.
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

// Sizes are the default memory sizes of a map, in MB: comparison.DefaultMapPowers and some between.
var Sizes = []int{128, 256, 512, 768, 1_024, 1_536, platform.MemoryPerVCPU, 2_048, platform.NewAccountMemory, 3_072, 4_096, 6_144, 10_240}

// Concurrencies are those of a map, finer where the best ones are.
var Concurrencies = []int{1, 4, 8, 15, 20, 30, 40, 60, 80, 100, 120, 160, 200, 240, 320, 480, event.MaxConcurrency}

const (
	maxDraws      = 25
	intervalDraws = 3 // for the calibration's interval: a ratio over the same draws needs few

	// before is the share of a read's CPU time that comes before its request is sent. It is chosen: with a half, a
	// duration changes by 1 %.
	before = 1. / 3

	// luck is the share of a duration above which it depends on S3's burst.
	luck = 0.05
)

// Question is the input of a map.
type Question struct {
	*comparison.Comparison         // its calibration, and its run: reads, S3, architecture, seed, sizes and variants
	WakeUpMS               float64 // assumed cost of a wake-up on Lambda, in ms of a vCPU
	draws                  []simulate.Draw
	s3                     profile.S3
}

// Map computes the comparison's map and variants. The map has more sizes, in MB, beside the run's. A bounded strategy
// without a concurrency gets the best one of each size. The error is that of an invalid Run.Latency.
func Map(c *comparison.Comparison, more []int, wakeUpMS float64) error {
	s3, err := profile.Parse(c.Run.Latency)
	if err != nil {
		return err
	}
	q := Question{Comparison: c, WakeUpMS: wakeUpMS, s3: s3}
	// The sum of many latencies scatters less, so that fewer draws do.
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
			if p := c.Map.At(v.Place(power)); p != nil {
				v.Cells = append(v.Cells, comparison.Cell{Power: power, Computed: p})
			}
		}
	}
	q.answer()
	return nil
}

// Places returns the settings of a map of variants at memory sizes in MB, each once. A bounded strategy without a
// concurrency has all of Concurrencies.
func Places(variants []comparison.Variant, sizes []int) (places []comparison.Place) {
	for _, v := range variants {
		concurrencies := []*int{v.Concurrency}
		if s, err := strategies.ByName(v.Strategy); err == nil && s.Bounded && v.Concurrency == nil {
			concurrencies = nil
			for _, n := range Concurrencies {
				concurrencies = append(concurrencies, &n)
			}
		}
		for _, n := range concurrencies {
			for _, mb := range sizes {
				p := comparison.Place{Strategy: v.Strategy, Concurrency: n, Power: mb}
				if !slices.ContainsFunc(places, p.Same) {
					places = append(places, p)
				}
			}
		}
	}
	return places
}

// points computes places, in their order.
func (q *Question) points(places []comparison.Place) []comparison.Point {
	sweep := func(of func(comparison.Figure) float64, draws int) [][]simulate.Result {
		var all []simulate.Invocation
		for _, p := range places {
			all = append(all, q.invocation(p, of, q.s3.Burst))
		}
		return simulate.Sweep(all, q.draws[:draws])
	}
	some := min(intervalDraws, len(q.draws))
	all, low, high := sweep(Middle, len(q.draws)), sweep(Low, some), sweep(High, some)
	var refused []int // points with retries, or faster than S3's limit: S3's burst is not known
	var without []simulate.Invocation
	for i, results := range all {
		if slices.ContainsFunc(results, func(r simulate.Result) bool {
			return r.Retries > 0 || 1e3*float64(r.Reads) > r.DurationMS*q.s3.GetsPerSecond
		}) {
			refused, without = append(refused, i), append(without, q.invocation(places[i], Middle, 0))
		}
	}
	slow := simulate.Sweep(without, q.draws)
	points := make([]comparison.Point, len(places))
	for i, p := range places {
		typical := simulate.Summarize(all[i])
		binds := typical.Binds()
		ratio := func(other []simulate.Result) float64 {
			return simulate.Summarize(other).DurationMS / simulate.Summarize(all[i][:some]).DurationMS
		}
		if k, found := slices.BinarySearch(refused, i); found {
			if s := simulate.Summarize(slow[k]); s.DurationMS > (1+luck)*typical.DurationMS || binds == simulate.Limit {
				typical, binds = s, simulate.Limit
			}
		}
		switch { // of a point that Lambda ends nothing else matters
		case typical.OutOfMemory:
			binds = simulate.Memory
		case typical.DurationMS >= float64(q.Run.Timeout().Milliseconds()):
			binds = comparison.Timeout
		}
		points[i] = comparison.Point{Place: p, DurationMS: typical.DurationMS,
			LowMS: min(ratio(low[i]), 1) * typical.DurationMS, HighMS: max(ratio(high[i]), 1) * typical.DurationMS,
			P10MS: typical.LowMS, P90MS: typical.HighMS, CPUMS: typical.CPUMS, PeakMB: typical.PeakMB, Binds: binds,
			CostPerMillion: q.CostPerMillion(p.Power, math.Ceil(typical.DurationMS))}
	}
	return points
}

// Middle, Low and High select a figure's value or an end of its interval.
func Middle(f comparison.Figure) float64 { return f.Value }
func Low(f comparison.Figure) float64    { return f.Low }
func High(f comparison.Figure) float64   { return f.High }

func (q *Question) invocation(p comparison.Place, of func(comparison.Figure) float64, burst int) simulate.Invocation {
	s3 := q.s3
	s3.Burst = burst
	return Invocation(p, OnLambda(Costs(q.Calibration, p.Strategy, of), q.WakeUpMS), s3, q.Run.Arch, q.Run.Repeat)
}

// OnLambda returns the costs with Lambda's wake-up, in ms of a vCPU, and without the local S3's delay.
func OnLambda(costs simulate.Costs, wakeUpMS float64) simulate.Costs {
	costs.WakeUp, costs.Late = wakeUpMS, 0
	return costs
}

// Costs returns a calibration's costs for a strategy, as measured on this machine; of selects [Middle], [Low] or [High].
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
