package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/simulate"
	"lambda-parallel-io/tune/slowmotion"
)

const (
	checkTime   = 12 * time.Second // for all checks together
	checkRounds = 2

	// half of the cores is what a function and S3 may use together in a check, in
	// real time; what needs more runs in slow motion.
	half = 0.5

	// starvedCores is for how many cores the threads of a function may have waited in
	// a check that tells something.
	starvedCores = 0.5
)

// Check measures the checks of c in the model of Lambda, and computes each for this
// machine, for its pace and for the very latencies that it was measured with. What
// does not fit the time, or what the machine was too busy for, says so.
func (t *Tuner) Check(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	end := time.Now().Add(checkTime)
	for i := range c.Checks {
		k := &c.Checks[i]
		if err := observe(comparison.Progress{Done: i, Total: len(c.Checks), Now: k.Name()}); err != nil {
			return err
		}
		once := time.Duration(c.Map.At(k.Place).DurationMS * float64(k.Repeat) / float64(c.Run.Repeat) * float64(time.Millisecond))
		k.Unchecked = "there was no time for it"
		for slow := t.pace(c, k); slow <= comparison.MaxSlow && time.Until(end) > slow.Stretch(checkRounds*once); slow *= 2 {
			if err := t.check(ctx, c, k, slow, checkRounds); err != nil {
				return err
			}
			if k.Starved <= starvedCores {
				break
			}
			k.Unchecked = fmt.Sprintf("its threads waited for %.1f cores of this machine", k.Starved)
		}
	}
	return observe(comparison.Progress{Done: len(c.Checks), Total: len(c.Checks), Changed: true})
}

// pace is how slow a check has to run for the machine to keep up with it.
func (t *Tuner) pace(c *comparison.Comparison, k *comparison.Check) slowmotion.Factor {
	p := c.Map.At(k.Place)
	cores := (p.CPUMS/c.Calibration.Core.Value + t.perGET*float64(c.Run.Repeat)) / p.DurationMS
	return slowmotion.Factor(min(max(1, math.Ceil(cores/half/c.Run.CPUs)), comparison.MaxSlow))
}

// check measures one, in so many rounds, and computes it.
func (t *Tuner) check(ctx context.Context, c *comparison.Comparison, k *comparison.Check, slow slowmotion.Factor, rounds int) error {
	spec := c.Run.Spec
	spec.PowerValues, spec.Num, spec.ForSec, spec.Repeat, spec.Slow = []int{k.Power}, rounds, 0, k.Repeat, slow
	p := event.Payload{Strategy: k.Strategy, Repeat: k.Repeat, ObjectKey: spec.ObjectKey}
	if v := (comparison.Variant{Strategy: k.Strategy, Concurrency: k.Concurrency}); v.Bounded() {
		p.Concurrency = *k.Concurrency
	}
	payload, err := json.Marshal(p)
	if err != nil {
		return err
	}
	spec.Variants = []comparison.Variant{{Strategy: k.Strategy, Concurrency: k.Concurrency, Payload: payload}}
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
	s3, err := profile.Parse(spec.Latency)
	if err != nil {
		return err
	}
	of := func(figure func(comparison.Figure) float64) float64 {
		costs := compute.Costs(c.Calibration, k.Strategy, figure)
		costs.Late /= float64(slow.Times())
		in := simulate.Invocation{Machine: t.machine(once.Run, k.Power, once.Run.CPU.Factor), Costs: costs, S3: s3, Reads: k.Repeat, Open: event.MaxConcurrency}
		if k.Concurrency != nil {
			in.Workers = *k.Concurrency
		}
		var s simulate.Simulator
		var ms []float64
		for round := range rounds {
			ms = append(ms, s.Run(in, simulate.NewDraw(s3, spec.Seed, uint64(round+1), k.Repeat)).DurationMS)
		}
		return comparison.Median(ms)
	}
	k.ComputedMS = of(compute.Middle)
	k.LowMS, k.HighMS = min(of(compute.Low), k.ComputedMS), max(of(compute.High), k.ComputedMS)
	return nil
}
