package stepfunctions

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
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

// executions returns those that c needs: one for each variant or, if c has checks, for those that differ
// in the size alone.
func executions(c *comparison.Comparison) (all []*execution) {
	if len(c.Checks) == 0 {
		for i := range c.Variants {
			all = append(all, &execution{run: c.Run, v: &c.Variants[i]})
		}
	}
	for i := range c.Checks {
		k := &c.Checks[i]
		n := slices.IndexFunc(all, func(x *execution) bool { return x.v.Label() == k.Label() && x.run.Repeat == k.Repeat })
		if n < 0 {
			p := event.Payload{Strategy: k.Strategy, Repeat: k.Repeat, ObjectKey: c.Run.ObjectKey}
			v := comparison.Variant{Strategy: k.Strategy, Concurrency: k.Concurrency}
			if v.Bounded() {
				p.Concurrency = *k.Concurrency
			}
			v.Payload, _ = json.Marshal(p) // cannot fail: strings and whole numbers
			x := &execution{run: c.Run, v: &comparison.Result{Variant: v, Execution: k.Execution, Error: k.Unchecked}}
			if x.run.PowerValues, x.run.Repeat = nil, k.Repeat; k.MeasuredMS > 0 {
				x.v.Tuning = &powertuning.Output{}
			}
			n, all = len(all), append(all, x)
		}
		all[n].run.PowerValues = slices.Sorted(slices.Values(append(all[n].run.PowerValues, k.Power)))
		all[n].checks = append(all[n].checks, k)
	}
	return all
}

// record puts what was measured into the checks of c. A failure is that of every check without a measurement.
func (x *execution) record(c *comparison.Comparison) {
	failed := x.v.Error
	for _, k := range x.checks {
		k.Execution = x.v.Execution
		if cell := x.v.Cell(k.Power); cell != nil {
			k.MeasuredMS, failed = cell.AverageMS, cmp.Or(failed, cell.Error)
		}
	}
	for i := range c.Checks {
		if k := &c.Checks[i]; failed != "" && k.MeasuredMS == 0 {
			k.Unchecked = x.v.Label() + ": " + failed
		}
	}
}
