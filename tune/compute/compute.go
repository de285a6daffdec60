// Package compute computes a map from a calibration: the time and cost of an invocation on Lambda by every strategy, at
// every concurrency and memory size. It measures nothing. The same input gives the same map.
package compute

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/sourcegraph/conc/iter"

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
	intervalDraws = 3      // for the calibration's interval: a ratio over the same draws needs few
	luck          = 0.05   // share of a duration above which it depends on S3's burst
	before        = 1. / 3 // share of a read's CPU time before its request, chosen: with a half, a duration changes by 1 %
	estimated     = 10_000 // reads of a call that an estimate simulates, at most: the time of more is in proportion
)

// question is what the points of a map follow from.
type question struct {
	*comparison.Comparison         // its calibration, and its run: reads, S3, architecture, seed, sizes and variants
	wakeUpMS               float64 // cost of a wake-up on Lambda, in ms of a vCPU
	s3                     profile.S3
	draws                  []simulate.Draw
}

// Map computes the comparison's map and variants. The map has more sizes, in MB, beside the run's. A bounded strategy
// without a concurrency gets the best one of each size. The error is that of an invalid Run.Latency.
func Map(c *comparison.Comparison, more []int) error {
	s3, err := profile.Parse(c.Run.Latency)
	if err != nil {
		return err
	}
	// The sum of many latencies scatters less, so that fewer draws do.
	draws := min(max(maxDraws*2_000/max(c.Run.Repeat, 1), 1), maxDraws)
	q := question{c, c.Calibration.OnLambda(), s3, simulate.Draws(s3, c.Run.Seed, draws, c.Run.Repeat)}
	sizes := slices.Compact(slices.Sorted(slices.Values(slices.Concat(c.Run.PowerValues, more))))
	places := Places(c.Run.Variants, sizes)
	c.Map = &comparison.Map{WakeUpMS: q.wakeUpMS, Draws: draws, Points: iter.Map(places, q.point)}
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

// Places returns each variant at each size in MB. A bounded strategy without a concurrency has all of Concurrencies.
func Places(variants []comparison.Variant, sizes []int) (places []comparison.Place) {
	for _, v := range variants {
		concurrencies := []*int{v.Concurrency}
		if s, _ := strategies.ByName(v.Strategy); s.Bounded && v.Concurrency == nil {
			concurrencies = nil
			for _, n := range Concurrencies {
				concurrencies = append(concurrencies, &n)
			}
		}
		for _, n := range concurrencies {
			for _, mb := range sizes {
				places = append(places, comparison.Place{Strategy: v.Strategy, Concurrency: n, Power: mb})
			}
		}
	}
	return places
}

// point computes a place.
func (q *question) point(p *comparison.Place) comparison.Point {
	simulated := func(of Pick, burst int, draws []simulate.Draw) []simulate.Result {
		in := OnLambda(q.Comparison, *p, q.s3, q.Run.Repeat, of)
		in.WakeUp, in.S3.Burst = q.wakeUpMS, burst
		return in.Runs(draws)
	}
	all := simulated(Middle, q.s3.Burst, q.draws)
	typical := simulate.Summarize(all)
	binds := typical.Binds()
	if slices.ContainsFunc(all, func(r simulate.Result) bool { // where it matters, S3's burst is not known
		return r.Retries > 0 || 1e3*float64(r.Reads) > r.DurationMS*q.s3.GetsPerSecond
	}) {
		s := simulate.Summarize(simulated(Middle, 0, q.draws))
		if s.DurationMS > (1+luck)*typical.DurationMS || binds == simulate.Limit {
			typical, binds = s, simulate.Limit
		}
	}
	switch { // of a point that Lambda ends nothing else matters
	case typical.OutOfMemory:
		binds = simulate.Memory
	case typical.DurationMS >= float64(q.Run.Timeout().Milliseconds()):
		binds = comparison.Timeout
	}
	some := min(intervalDraws, len(q.draws))
	ratio := func(of Pick) float64 {
		other := simulated(of, q.s3.Burst, q.draws[:some])
		return simulate.Summarize(other).DurationMS / simulate.Summarize(all[:some]).DurationMS
	}
	return comparison.Point{Place: *p, DurationMS: typical.DurationMS,
		LowMS: min(ratio(Low), 1) * typical.DurationMS, HighMS: max(ratio(High), 1) * typical.DurationMS,
		P10MS: typical.LowMS, P90MS: typical.HighMS, CPUMS: typical.CPUMS, PeakMB: typical.PeakMB, Binds: binds,
		CostPerMillion: q.CostPerMillion(p.Power, math.Ceil(typical.DurationMS))}
}

// Pick takes a figure's value or an end of its interval: it is Middle, Low or High.
type Pick func(comparison.Figure) float64

func Middle(f comparison.Figure) float64 { return f.Value }
func Low(f comparison.Figure) float64    { return f.Low }
func High(f comparison.Figure) float64   { return f.High }

// OnLambda returns a call of reads on Lambda by a comparison's calibration, with every connection open.
func OnLambda(c *comparison.Comparison, p comparison.Place, s3 profile.S3, reads int, of Pick) simulate.Invocation {
	costs := Costs(c.Calibration, p.Strategy, of)
	costs.WakeUp, costs.Late = c.Calibration.OnLambda(), 0
	return simulate.Invocation{Machine: simulate.Lambda(p.Power, c.Run.Arch), Costs: costs, S3: s3,
		Reads: reads, Workers: *cmp.Or(p.Concurrency, new(int)), Open: event.MaxConcurrency}
}

// Costs returns a calibration's costs for a strategy, as measured on this machine.
func Costs(c *comparison.Calibration, strategy string, of Pick) simulate.Costs {
	costs := simulate.Costs{WakeUp: of(c.WakeUp), Handshake: of(c.Handshake), Late: of(c.Late),
		Bytes: c.ObjectBytes, BaseMB: c.BaseMB, ReadMB: c.ReadMB, WaitingMB: c.WaitingMB}
	readCost(&costs, of(c.CPU(strategy)))
	for _, k := range c.Crowd {
		costs.Crowd = append(costs.Crowd, simulate.Crowd{InFlight: k.InFlight, CPU: of(k.CPU)})
	}
	return costs
}

// readCost makes ms the CPU time of each read, however many are in flight.
func readCost(k *simulate.Costs, ms float64) {
	k.Before, k.After, k.Crowd = before*ms, ms-before*ms, nil
}

// ReadCPU is the CPU time of a 9 KB read, in ms of a vCPU, as measured with this project's function.
const ReadCPU = 0.3

// Estimate returns how long a call of the spec's reads by a variant takes on Lambda at a memory size in MB: the median
// of three draws, or 0 if the reads are not known. On AWS all sizes run side by side and share what S3 grants. Nothing
// was measured: a read is assumed to take cpuMS, in ms of a vCPU, and what s3 takes.
func Estimate(spec comparison.Spec, v comparison.Variant, power int, s3 profile.S3, cpuMS float64) time.Duration {
	sharing := 1
	if spec.AWS() {
		sharing = len(spec.PowerValues)
	}
	if spec.ParallelInvocation {
		sharing *= spec.Num
	}
	costs := simulate.Costs{Bytes: spec.ObjectBytes}
	if spec.Objects != nil {
		costs.Bytes = spec.Objects.Bytes / max(spec.Repeat, 1)
	}
	readCost(&costs, cpuMS)
	call := simulate.Invocation{Machine: simulate.Lambda(power, spec.Arch), Costs: costs, S3: s3.Shared(sharing),
		Reads: min(spec.Repeat, estimated), Workers: spec.InFlight(v), Open: event.MaxConcurrency}
	r := simulate.Summarize(call.Runs(simulate.Draws(call.S3, spec.Seed, 3, call.Reads)))
	return time.Duration(r.DurationMS * float64(spec.Repeat) / float64(max(r.Reads, 1)) * float64(time.Millisecond))
}
