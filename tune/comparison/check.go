package comparison

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/powertuning"
)

// The limits of what is measured.
const (
	maxMS      = 3_600_000            // Lambda's timeout is at most 900 s
	maxDollars = 1_000.0              // of one invocation
	maxAnswer  = platform.MaxResponse // bytes of a response: older files have them whole

	MinFactor, MaxFactor = 0.1, 20.0 // of a CPU
)

// Factor returns f as a CPU's factor or scale can be: within the limits, to a hundredth.
func Factor(f float64) float64 { return math.Round(100*min(max(f, MinFactor), MaxFactor)) / 100 }

// Validate reports the first thing in a comparison that no run could have
// written. The views rely on what it checks.
func (c *Comparison) Validate() error {
	if c.Mode != Local && c.Mode != AWS || c.Run.AWS() != (c.Mode == AWS) {
		return fmt.Errorf("mode must be %s, or %s with a state machine, got %.40q", Local, AWS, c.Mode)
	}
	cpu := cmp.Or(c.Run.CPU, &CPU{Factor: 1})
	year, _, _ := c.Run.Time.Date()
	if err := cmp.Or(
		c.Run.Spec.Validate(),
		within("time's year", year, 1, 9999),
		within("cpus", c.Run.CPUs, 0, 1<<16),
		within("cpu factor", cpu.Factor, MinFactor, MaxFactor),
		within("cpu scale", cpu.Scale, 0, MaxFactor),
		within("cpu low", cpu.Low, 0, cpu.Factor),
		within("cpu high", cpu.High, cpu.Low, MaxFactor),
		within("length of the versions and sources",
			len(fmt.Sprint(c.Run.OS, c.Run.CPULimit, c.Run.CPU, c.Run.Versions)), 0, maxText),
	); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	for i := range c.Variants {
		if err := c.checkResult(&c.Variants[i]); err != nil {
			return fmt.Errorf("variant %d: %w", i+1, err)
		}
	}
	if err := cmp.Or(c.Calibration.check(), c.checkMap()); err != nil {
		return err
	}
	if _, cell := c.Recommended(); c.Recommendation != nil && (cell == nil || cell.Error != "") {
		return errors.New("the recommendation names no cell that was measured")
	}
	return within("length of the rule", len(cmp.Or(c.Recommendation, &Recommendation{}).Rule), 0, maxText)
}

func (c *Comparison) checkResult(r *Result) error {
	if err := cmp.Or(within("length of the error", len(r.Error), 0, maxText), c.checkExecution(r.Execution)); err != nil {
		return err
	}
	last := 0
	for i := range r.Cells {
		cell := &r.Cells[i]
		if cell.Power <= last || !slices.Contains(c.Run.PowerValues, cell.Power) {
			return fmt.Errorf("cell of %d MB: the cells must be of the run's power values, in ascending order", cell.Power)
		}
		last = cell.Power
		if err := cell.check(); err != nil {
			return fmt.Errorf("cell of %d MB: %w", cell.Power, err)
		}
	}
	tuning := cmp.Or(r.Tuning, &powertuning.Output{})
	for _, s := range tuning.Stats {
		if err := cmp.Or(
			within("value", s.Value, 1, platform.MaxMemory),
			within("averageDuration", s.AverageDuration, 0, maxMS),
			within("averagePrice", s.AveragePrice, 0, maxDollars),
		); err != nil {
			return fmt.Errorf("stats: %w", err)
		}
	}
	return cmp.Or(within("number of stats", len(tuning.Stats), 0, maxSizes),
		within("length of the visualization", len(tuning.StateMachine.Visualization), 0, maxText))
}

// checkExecution checks an execution's ARN, which ends up in commands for a shell.
func (c *Comparison) checkExecution(arn string) error {
	name, ours := strings.CutPrefix(arn, strings.Replace(c.Run.StateMachine, ":stateMachine:", ":execution:", 1)+":")
	return unless(arn == "" || ours && executionName.MatchString(name),
		"execution", "%.200q is none of the state machine %s", arn, c.Run.StateMachine)
}

// executionName is what Step Functions allows.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
var executionName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

func (c *Cell) check() error {
	if len(c.DurationsMS) != len(c.BilledMS) || len(c.DurationsMS) > MaxNum {
		return fmt.Errorf("%d durations and %d billed durations: there must be as many, at most %d",
			len(c.DurationsMS), len(c.BilledMS), MaxNum)
	}
	for i, d := range c.DurationsMS {
		if err := cmp.Or(within("duration", d, 1e-6, maxMS), within("billed duration", c.BilledMS[i], 0, maxMS)); err != nil {
			return err
		}
	}
	share, warm := cmp.Or(c.CPUShare, &CPUShare{}), cmp.Or(c.WarmUp, &WarmUp{})
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
