package stepfunctions

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// What a check on AWS measures: of three such cells a fit gives the processor
// within 3 to 6 % and the median latency within 5 to 7 % (tried in simulation).
const (
	checkReads     = 1_000
	saturatedMB    = 512
	leastReads     = 200   // by sequential
	sequentialMS   = 3_000 // that they take, if S3 is as it is assumed
	leastLatencyMS = 1.0
)

// Confirming are the points that a map leaves to be confirmed: its answer's
// variant, also at a size where the processor binds, and sequential for S3's
// latency, whose assumed mean is in ms.
func Confirming(a comparison.Place, latencyMeanMS float64) []comparison.Check {
	reads := max(leastReads, int(sequentialMS/max(latencyMeanMS, leastLatencyMS)))
	checks := []comparison.Check{
		{Place: a, Repeat: checkReads, Why: "answer"},
		{Place: comparison.Place{Strategy: a.Strategy, Concurrency: a.Concurrency, Power: saturatedMB}, Repeat: checkReads, Why: "processor"},
		{Place: comparison.Place{Strategy: "sequential", Concurrency: new(1), Power: platform.MemoryPerVCPU}, Repeat: reads, Why: "sequential"},
	}
	if a.Power == saturatedMB {
		return slices.Delete(checks, 1, 2)
	}
	return checks
}

// execution is what measures some of the checks: a comparison of one variant.
type execution struct {
	*comparison.Comparison
	checks []*comparison.Check
}

// executions are those of the checks of c, as far as they are known.
func executions(c *comparison.Comparison) (all []execution) {
	for i := range c.Checks {
		k := &c.Checks[i]
		n := slices.IndexFunc(all, func(e execution) bool { return e.Variants[0].Label() == k.Label() && e.Run.Repeat == k.Repeat })
		if n < 0 {
			p := event.Payload{Strategy: k.Strategy, Repeat: k.Repeat, ObjectKey: c.Run.ObjectKey}
			v := comparison.Variant{Strategy: k.Strategy, Concurrency: k.Concurrency}
			if v.Bounded() {
				p.Concurrency = *k.Concurrency
			}
			v.Payload, _ = json.Marshal(p) // strings and whole numbers
			spec := c.Run.Spec
			spec.Variants, spec.PowerValues, spec.Repeat = []comparison.Variant{v}, nil, k.Repeat
			n, all = len(all), append(all, execution{Comparison: comparison.New(spec, c.Run.Time)})
			r := &all[n].Variants[0]
			if r.Execution, r.Error = k.Execution, k.Unchecked; k.MeasuredMS > 0 {
				r.Tuning = &powertuning.Output{}
			}
		}
		e := &all[n]
		e.checks = append(e.checks, k)
		e.Run.PowerValues = slices.Sorted(slices.Values(append(e.Run.PowerValues, k.Power)))
	}
	return all
}

// Check measures the checks of c that are open, one execution after the other, as
// Tune does; see there for what it starts and returns. An execution that fails is
// the last one, and leaves no check open.
func (t *Tuner) Check(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	all := executions(c)
	for i, e := range all {
		v := &e.Variants[0]
		if err := t.Tune(ctx, e.Comparison, func(p comparison.Progress) error {
			failed := v.Error
			for _, k := range e.checks {
				k.Execution = v.Execution
				if cell := v.Cell(k.Power); cell != nil {
					k.MeasuredMS, failed = cell.AverageMS, cmp.Or(failed, cell.Error)
				}
			}
			for j := range c.Checks {
				if k := &c.Checks[j]; failed != "" && k.MeasuredMS == 0 {
					k.Unchecked = v.Label() + ": " + failed
				}
			}
			p.Done, p.Total = p.Done+i, len(all)
			return observe(p)
		}); err != nil {
			return err
		}
		for _, k := range c.Checks {
			if k.Unchecked != "" {
				return fmt.Errorf("the check is not whole, and has to be made again: %s", k.Unchecked)
			}
		}
	}
	return nil
}

// cells says what the execution measures.
func (e execution) cells() string {
	var sizes []string
	for _, mb := range e.Run.PowerValues {
		sizes = append(sizes, prose.Thousands(mb, 0))
	}
	return fmt.Sprintf("%s at %s MB, %s reads", e.Variants[0].Label(), prose.List(sizes), prose.Thousands(e.Run.Repeat, 0))
}
