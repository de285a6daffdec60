package stepfunctions

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/fit"
	"lambda-parallel-io/tune/powertuning"
)

// NewCheck turns c, a comparison with a map that was read from the file name, into the check of that map
// on AWS: the same variants, without results. It measures the answer's variant, also at a size where it
// is CPU-bound, and sequential reads for S3's latency: 200, or as many as last 3 s if S3 is as the map
// assumes. In simulation these cells give the CPU time of a read within 3 to 6 % and the median latency within 5 to 7 %.
func NewCheck(c *comparison.Comparison, name string, target Target, num int) error {
	const saturated, reads = 512, 1_000
	run, arch := &c.Run, cmp.Or(target.Arch, c.Run.Arch)
	switch key := cmp.Or(target.ObjectKey, run.ObjectKey); {
	case c.Map == nil || c.Map.Answer == nil || c.Calibration == nil:
		return fmt.Errorf("it has no map with an answer\nmake one: go run ./tune --arch %s", arch)
	case arch != run.Arch:
		return fmt.Errorf("its map is of %s, and the function of %s\nmake one of that: go run ./tune --arch %s", run.Arch, arch, arch)
	case key != run.ObjectKey:
		return fmt.Errorf("its map is of %s, and the stack's object is %s\nmake one of that: go run ./tune --object FILE", run.ObjectKey, key)
	}
	answer := comparison.Check{Place: c.Map.Answer.Place, Repeat: reads, Why: "answer"}
	bound := answer
	bound.Power, bound.Why = saturated, "processor"
	if c.Checks = []comparison.Check{answer, bound}; answer.Power == saturated {
		c.Checks = c.Checks[1:]
	}
	c.Checks = append(c.Checks, comparison.Check{Place: comparison.Place{Strategy: "sequential", Concurrency: new(1), Power: platform.MemoryPerVCPU},
		Repeat: max(200, int(3_000/max(run.LatencyMeanMS, 1))), Why: "sequential"})
	c.Mode, c.Map, c.Recommendation, c.Warnings = comparison.AWS, nil, nil, nil
	c.Calibration.Source += ", " + name
	for i := range c.Variants {
		c.Variants[i].Cells = []comparison.Cell{}
	}
	run.Time, run.Num, run.TimeoutSec = time.Now().UTC(), num, cmp.Or(target.Timeout, run.Timeout()).Seconds()
	run.StateMachine, run.Function, run.Region = target.StateMachine, target.Function, RegionOf(target.Function)
	run.TuningStrategy, run.DiscardTopBottom = powertuning.DefaultStrategy, powertuning.DefaultDiscardTopBottom
	return c.Validate()
}

// executions returns a comparison of one variant for each execution that the checks of c need.
func executions(c *comparison.Comparison) (all []*comparison.Comparison) {
	for _, k := range c.Checks {
		n := slices.IndexFunc(all, func(e *comparison.Comparison) bool { return measures(e, k) })
		if n < 0 {
			p := event.Payload{Strategy: k.Strategy, Repeat: k.Repeat, ObjectKey: c.Run.ObjectKey}
			v := comparison.Variant{Strategy: k.Strategy, Concurrency: k.Concurrency}
			if v.Bounded() {
				p.Concurrency = *k.Concurrency
			}
			v.Payload, _ = json.Marshal(p) // cannot fail: strings and whole numbers
			spec := c.Run.Spec
			spec.Variants, spec.PowerValues, spec.Repeat = []comparison.Variant{v}, nil, k.Repeat
			e := comparison.New(spec, c.Run.Time)
			if e.Variants[0].Execution, e.Variants[0].Error = k.Execution, k.Unchecked; k.MeasuredMS > 0 {
				e.Variants[0].Tuning = &powertuning.Output{}
			}
			n, all = len(all), append(all, e)
		}
		all[n].Run.PowerValues = slices.Sorted(slices.Values(append(all[n].Run.PowerValues, k.Power)))
	}
	return all
}

func measures(e *comparison.Comparison, k comparison.Check) bool {
	return e.Variants[0].Label() == k.Label() && e.Run.Repeat == k.Repeat
}

// check is Tune for a comparison with checks.
func (t *Tuner) check(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	all := executions(c)
	for i, e := range all {
		v := &e.Variants[0]
		err := t.Tune(ctx, e, func(p comparison.Progress) error {
			failed := v.Error
			for j := range c.Checks {
				k := &c.Checks[j]
				if cell := v.Cell(k.Power); measures(e, *k) {
					k.Execution = v.Execution
					if cell != nil {
						k.MeasuredMS, failed = cell.AverageMS, cmp.Or(failed, cell.Error)
					}
				}
			}
			for j := range c.Checks {
				if k := &c.Checks[j]; failed != "" && k.MeasuredMS == 0 {
					k.Unchecked = v.Label() + ": " + failed
				}
			}
			p.Done, p.Total = p.Done+i, len(all)
			return observe(p)
		})
		for _, k := range c.Checks {
			if err == nil && k.Unchecked != "" {
				err = fmt.Errorf("the check has to be made again: %s", k.Unchecked)
			}
		}
		if err != nil {
			return err
		}
	}
	return fit.Check(c)
}
