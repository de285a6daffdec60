package local

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/simulate"
	"lambda-parallel-io/tune/slowmotion"
)

const (
	checkTime   = 12 * time.Second        // for all checks together
	checkSetUp  = 1500 * time.Millisecond // about, for the cold start and the warm-up of one
	checkRounds = 2

	// maxUse is the share of the cores that a check may use in real time. A check that
	// needs more runs in slow motion.
	maxUse = 0.45

	// maxStarved bounds for how many cores the function's threads may have waited.
	maxStarved = 0.5
)

// Check measures the checks of c, and computes each for this machine, slow motion and
// the latencies drawn. Unchecked gives the reason if there was no time for one or the
// machine was too busy.
func (t *Tuner) Check(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	end := time.Now().Add(checkTime)
	slow := make([]slowmotion.Factor, len(c.Checks))
	for pass := range 3 { // one that was starved comes again, in slower motion, after the others
		for i := range c.Checks {
			k := &c.Checks[i]
			if pass == 0 {
				k.Unchecked = "there was no time"
			} else if k.Unchecked == "" {
				continue
			}
			if time.Until(end) < lasts(c, k, 1) {
				continue
			}
			if slow[i] == 0 {
				slow[i] = t.slowFor(c, k)
			} else if k.MeasuredMS > 0 {
				slow[i] *= 2
			}
			if slow[i] > comparison.MaxSlow || time.Until(end) < lasts(c, k, slow[i]) {
				continue
			}
			if err := observe(comparison.Progress{Done: i, Total: len(c.Checks), Now: k.Name()}); err != nil {
				return err
			}
			if _, err := t.check(ctx, c, k, slow[i], checkRounds, func(comparison.Progress) error { return nil }); err != nil {
				k.Unchecked = "" // the run was stopped
				return err
			}
			if k.Starved > maxStarved {
				k.Unchecked = fmt.Sprintf("its threads waited for %.1f cores of this machine", k.Starved)
			}
		}
	}
	return observe(comparison.Progress{Done: len(c.Checks), Total: len(c.Checks), Changed: true})
}

// lasts returns about how long a check takes, whose cold start opens its connections.
func lasts(c *comparison.Comparison, k *comparison.Check, slow slowmotion.Factor) time.Duration {
	p := cmp.Or(c.Map.At(k.Place), c.Map.Answer.Sequential) // which is computed even where it is not compared
	connections := min(*cmp.Or(k.Concurrency, &k.Repeat), k.Repeat, event.MaxConcurrency)
	ms := float64(connections)*c.Calibration.Handshake.Value/platform.VCPUs(k.Power) + checkRounds*p.DurationMS*float64(k.Repeat)/float64(c.Run.Repeat)
	return checkSetUp + slow.Stretch(time.Duration(ms*float64(time.Millisecond)))
}

// slowFor returns the slow-motion factor at which this machine can keep up with a
// check, the local S3's work included.
func (t *Tuner) slowFor(c *comparison.Comparison, k *comparison.Check) slowmotion.Factor {
	core, slow := c.Calibration.Core.Value, slowmotion.Factor(1)
	for ; slow < comparison.MaxSlow; slow++ {
		r := t.computed(c, k, slow, core, 1, compute.Middle)[0]
		cores := (r.CPUMS/core + t.perGET*float64(k.Repeat)) / (r.DurationMS * float64(slow))
		if cores <= maxUse*c.Run.CPUs {
			break
		}
	}
	return slow
}

// computed simulates the first rounds of a check on this machine, a core of which is
// worth so many vCPUs.
func (t *Tuner) computed(c *comparison.Comparison, k *comparison.Check, slow slowmotion.Factor, core float64, rounds int, of func(comparison.Figure) float64) []simulate.Result {
	costs := compute.Costs(c.Calibration, k.Strategy, of)
	costs.Late /= float64(slow)
	in := simulate.Invocation{Machine: t.machine(c.Run, k.Power, core, slow), Costs: costs, S3: t.latency, Reads: k.Repeat,
		Workers: *cmp.Or(k.Concurrency, new(int)), Open: event.MaxConcurrency}
	return in.Runs(simulate.Draws(t.latency, c.Run.Seed, rounds, k.Repeat))
}

// check measures and computes one check, and returns what its rounds took, in ms. If
// one fails, Unchecked says why, and there is no time. It calls observe before each round.
func (t *Tuner) check(ctx context.Context, c *comparison.Comparison, k *comparison.Check, slow slowmotion.Factor, rounds int, observe func(comparison.Progress) error) ([]float64, error) {
	spec := c.Run.Spec
	spec.PowerValues, spec.Num, spec.ForSec, spec.Repeat, spec.Slow = []int{k.Power}, rounds, 0, k.Repeat, slow
	spec.TimeoutSec = comparison.DefaultTimeout.Seconds() // the map has told what does not end in time
	spec.Variants = []comparison.Variant{{Strategy: k.Strategy, Concurrency: k.Concurrency, Payload: payload(c, k.Strategy, *cmp.Or(k.Concurrency, new(int)), k.Repeat)}}
	once := comparison.New(spec, c.Run.Time)
	once.Run.CPUs, once.Run.CPU = c.Run.CPUs, c.Run.CPU
	if err := t.Tune(ctx, once, observe); err != nil {
		return nil, err
	}
	cell := once.Variants[0].Cell(k.Power)
	if cell.Error != "" {
		k.Unchecked = cell.Error
		return nil, nil
	}
	k.MeasuredMS, k.Slow, k.Starved, k.Unchecked = comparison.Median(cell.DurationsMS), int(slow), cell.CPUShare.Starved, ""
	t.compute(c, k, slow, rounds)
	return cell.DurationsMS, nil
}

// compute computes the time of a check that was measured.
func (t *Tuner) compute(c *comparison.Comparison, k *comparison.Check, slow slowmotion.Factor, rounds int) {
	duration := func(of func(comparison.Figure) float64) float64 {
		var ms []float64
		for _, r := range t.computed(c, k, slow, c.Run.CPU.Factor, rounds, of) {
			ms = append(ms, r.DurationMS)
		}
		return comparison.Median(ms)
	}
	k.ComputedMS = duration(compute.Middle)
	k.LowMS, k.HighMS = min(duration(compute.Low), k.ComputedMS), max(duration(compute.High), k.ComputedMS)
}
