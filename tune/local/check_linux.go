package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/simulate"
	"lambda-parallel-io/tune/slowmotion"
)

const (
	checkTime   = 12 * time.Second // for all checks together
	checkRounds = 2

	// maxUse is the share of the cores that a check may use in real time. A check that
	// needs more runs in slow motion.
	maxUse = 0.5

	// maxStarved bounds for how many cores the function's threads may have waited.
	maxStarved = 0.5
)

// Check measures the checks of c, and computes each for this machine, slow motion and
// the latencies drawn. Unchecked gives the reason if there was no time for one or the
// machine was too busy.
func (t *Tuner) Check(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	end := time.Now().Add(checkTime)
	for i := range c.Checks {
		k := &c.Checks[i]
		if err := observe(comparison.Progress{Done: i, Total: len(c.Checks), Now: k.Name()}); err != nil {
			return err
		}
		p := cmp.Or(c.Map.At(k.Place), c.Map.Answer.Sequential) // which is computed even where it is not compared
		once := time.Duration(p.DurationMS * float64(k.Repeat) / float64(c.Run.Repeat) * float64(time.Millisecond))
		k.Unchecked = "there was no time for it"
		for slow := t.slowFor(c, p); slow <= comparison.MaxSlow && time.Until(end) > slow.Stretch(checkRounds*once); slow *= 2 {
			if err := t.check(ctx, c, k, slow, checkRounds); err != nil {
				return err
			}
			if k.Starved <= maxStarved {
				break
			}
			k.Unchecked = fmt.Sprintf("its threads waited for %.1f cores of this machine", k.Starved)
		}
	}
	return observe(comparison.Progress{Done: len(c.Checks), Total: len(c.Checks), Changed: true})
}

// slowFor returns the slow-motion factor at which this machine can keep up with a point of the map.
func (t *Tuner) slowFor(c *comparison.Comparison, p *comparison.Point) slowmotion.Factor {
	cores := (p.CPUMS/c.Calibration.Core.Value + t.perGET*float64(c.Run.Repeat)) / p.DurationMS
	return slowmotion.Factor(min(max(1, math.Ceil(cores/maxUse/c.Run.CPUs)), comparison.MaxSlow))
}

// check measures and computes one check.
func (t *Tuner) check(ctx context.Context, c *comparison.Comparison, k *comparison.Check, slow slowmotion.Factor, rounds int) error {
	spec := c.Run.Spec
	spec.PowerValues, spec.Num, spec.ForSec, spec.Repeat, spec.Slow = []int{k.Power}, rounds, 0, k.Repeat, slow
	workers := *cmp.Or(k.Concurrency, new(int))
	spec.Variants = []comparison.Variant{{Strategy: k.Strategy, Concurrency: k.Concurrency, Payload: payload(c, k.Strategy, workers, k.Repeat)}}
	once := comparison.New(spec, c.Run.Time)
	once.Run.CPUs, once.Run.CPU = c.Run.CPUs, c.Run.CPU
	if err := t.Tune(ctx, once, func(comparison.Progress) error { return nil }); err != nil {
		return err
	}
	cell := once.Variants[0].Cell(k.Power)
	if cell.Error != "" {
		return errors.New("checking " + k.Name() + ": " + cell.Error)
	}
	k.MeasuredMS, k.Slow, k.Starved, k.Unchecked = comparison.Median(cell.DurationsMS), int(slow), cell.CPUShare.Starved, ""
	computed := func(figure func(comparison.Figure) float64) float64 {
		costs := compute.Costs(c.Calibration, k.Strategy, figure)
		costs.Late /= float64(slow.Times())
		in := simulate.Invocation{Machine: t.machine(once.Run, k.Power, once.Run.CPU.Factor), Costs: costs, S3: t.latency, Reads: k.Repeat, Workers: workers, Open: event.MaxConcurrency}
		var s simulate.Simulator
		var ms []float64
		for round := range rounds {
			ms = append(ms, s.Run(in, simulate.NewDraw(t.latency, spec.Seed, uint64(round+1), k.Repeat)).DurationMS)
		}
		return comparison.Median(ms)
	}
	k.ComputedMS = computed(compute.Middle)
	k.LowMS, k.HighMS = min(computed(compute.Low), k.ComputedMS), max(computed(compute.High), k.ComputedMS)
	return nil
}
