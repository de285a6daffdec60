package report

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// The limits of a comparison that the views draw: far above what a run can
// take, and low enough that every view is drawn in seconds.
const (
	maxVariants = 256
	maxSizes    = 64
	maxRuns     = 10_000
	maxCells    = 4_096
	maxMS       = 3_600_000 // Lambda's timeout is at most 900 s
	maxDollars  = 1_000.0   // of one invocation
	maxText     = 16 << 10  // bytes of a name or a message
	maxBlob     = 256 << 10 // bytes of a payload: that of Step Functions
	maxAnswer   = 6 << 20   // bytes of a response: Lambda's limit
)

// check reports the first thing in a comparison that no run could have
// written. The views rely on what it checks.
func check(c *comparison.Comparison) error {
	if c.Mode != comparison.Local && c.Mode != comparison.AWS {
		return fmt.Errorf("mode must be %s or %s, got %.40q", comparison.Local, comparison.AWS, c.Mode)
	}
	if err := checkRun(c.Run); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	if n := len(c.Variants); n > maxVariants || n*len(c.Run.PowerValues) > maxCells {
		return fmt.Errorf("%d variants x %d sizes: there can be %d variants and %d cells", n, len(c.Run.PowerValues), maxVariants, maxCells)
	}
	for i := range c.Variants {
		if err := checkVariant(&c.Variants[i], c.Run.PowerValues); err != nil {
			return fmt.Errorf("variant %d: %w", i+1, err)
		}
	}
	if n := len(c.Predictions); n > maxSizes {
		return fmt.Errorf("%d predictions: there can be %d", n, maxSizes)
	}
	for _, p := range c.Predictions {
		if !slices.Contains(c.Run.PowerValues, p.Power) {
			return fmt.Errorf("prediction of %d MB: it must be of one of the run's power values", p.Power)
		}
		if err := cmp.Or(within("concurrency", p.Concurrency, 1, event.MaxConcurrency), within("cpu_ms_per_read", p.CPUPerRead, 0, maxMS)); err != nil {
			return fmt.Errorf("prediction of %d MB: %w", p.Power, err)
		}
	}
	if c.Recommendation == nil {
		return nil
	}
	if _, cell := c.Recommended(); cell == nil || cell.Error != "" {
		return errors.New("the recommendation names no cell that was measured")
	}
	return within("rule", len(c.Recommendation.Rule), 0, maxText)
}

func checkRun(r comparison.Run) error {
	if n := len(r.PowerValues); n > maxSizes {
		return fmt.Errorf("%d power values: there can be %d", n, maxSizes)
	}
	for i, p := range r.PowerValues {
		if p < powertuning.MinPower || p > powertuning.MaxPower || i > 0 && p <= r.PowerValues[i-1] {
			return fmt.Errorf("power values must be %d to %d MB in ascending order, got %d", powertuning.MinPower, powertuning.MaxPower, p)
		}
	}
	if r.Arch != powertuning.ARM64 && r.Arch != powertuning.X8664 {
		return fmt.Errorf("arch must be %s or %s, got %.40q", powertuning.ARM64, powertuning.X8664, r.Arch)
	}
	text := len(r.OS) + len(r.Region) + len(r.ObjectKey) + len(r.Function) + len(r.TuningStrategy) + len(r.Latency) + len(r.StateMachine)
	for k, v := range r.Versions {
		text += len(k) + len(v)
	}
	payload := 0
	if r.TuningInput != nil {
		payload = len(r.TuningInput.Payload)
	}
	year, _, _ := r.Time.Date()
	return cmp.Or(
		within("time's year", year, 1, 9999),
		within("cpus", r.CPUs, 0, 1<<16),
		within("num", r.Num, 0, maxRuns),
		within("repeat", r.Repeat, 0, 1_000_000),
		within("object_bytes", r.ObjectBytes, 0, 1<<40),
		within("records", r.Records, 0, 1<<40),
		within("balanced_weight", r.BalancedWeight, 0, 1),
		within("discard_top_bottom", r.DiscardTopBottom, 0, 0.4),
		within("timeout_sec", r.TimeoutSec, 0, maxMS/1000),
		within("latency_mean_ms", r.LatencyMeanMS, 0, maxMS),
		within("size of tuning_input's payload", payload, 0, maxBlob),
		within("length of the names", text, 0, maxText),
	)
}

func checkVariant(v *comparison.Result, powers []int) error {
	concurrency, visualization := 0, ""
	if v.Concurrency != nil {
		concurrency = *v.Concurrency
	}
	if v.Tuning != nil {
		visualization = v.Tuning.StateMachine.Visualization
	}
	if err := cmp.Or(
		within("concurrency", concurrency, 0, 1<<20),
		within("length of the strategy", len(v.Strategy), 1, maxText),
		within("length of the execution", len(v.Execution), 0, maxText),
		within("length of the error", len(v.Error), 0, maxText),
		within("length of the visualization", len(visualization), 0, maxText),
		within("size of the payload", len(v.Payload), 0, maxBlob),
	); err != nil {
		return err
	}
	last := 0
	for i := range v.Cells {
		c := &v.Cells[i]
		if c.Power <= last || !slices.Contains(powers, c.Power) {
			return fmt.Errorf("cell of %d MB: the cells must be of the run's power values, in ascending order", c.Power)
		}
		last = c.Power
		if err := checkCell(c); err != nil {
			return fmt.Errorf("cell of %d MB: %w", c.Power, err)
		}
	}
	if v.Tuning == nil {
		return nil
	}
	if len(v.Tuning.Stats) > maxSizes {
		return fmt.Errorf("%d stats: there can be %d", len(v.Tuning.Stats), maxSizes)
	}
	for _, s := range v.Tuning.Stats {
		if err := cmp.Or(within("value", s.Value, 1, powertuning.MaxPower),
			within("averageDuration", s.AverageDuration, 0, maxMS), within("averagePrice", s.AveragePrice, 0, maxDollars)); err != nil {
			return fmt.Errorf("stats: %w", err)
		}
	}
	return nil
}

func checkCell(c *comparison.Cell) error {
	if len(c.DurationsMS) != len(c.BilledMS) || len(c.DurationsMS) > maxRuns {
		return fmt.Errorf("%d durations and %d billed durations: there must be as many, at most %d", len(c.DurationsMS), len(c.BilledMS), maxRuns)
	}
	for i, d := range c.DurationsMS {
		if err := cmp.Or(within("duration", d, 1e-6, maxMS), within("billed duration", c.BilledMS[i], 0, maxMS)); err != nil {
			return err
		}
	}
	share, warm := comparison.CPUShare{}, comparison.WarmUp{}
	if c.CPUShare != nil {
		share = *c.CPUShare
	}
	if c.WarmUp != nil {
		warm = *c.WarmUp
	}
	return cmp.Or(
		within("average_ms", c.AverageMS, 0, maxMS),
		within("average_cost", c.AverageCost, 0, maxDollars),
		within("init_ms", c.InitMS, 0, maxMS),
		within("warm-up duration", warm.DurationMS, 0, maxMS),
		within("warm-up billed duration", warm.BilledMS, 0, maxMS),
		within("max_memory_mb", c.MaxMemoryMB, 0, 1<<20),
		within("cpu_share target", share.Target, 0, 1e3),
		within("cpu_share used", share.Used, 0, 1e3),
		within("cpu_share starved", share.Starved, 0, 1e6),
		within("size of the response", len(c.Response), 0, maxAnswer),
		within("length of the error", len(c.Error), 0, maxText),
	)
}

func within[N int | float64](name string, got, least, most N) error {
	if got >= least && got <= most {
		return nil
	}
	return fmt.Errorf("%s must be %v to %v, got %v", name, least, most, got)
}
