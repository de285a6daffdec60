package comparison

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"lambda-parallel-io/handler/platform"
)

// The limits of what is measured.
const (
	maxMS     = 3_600_000            // Lambda's timeout is at most 900 s
	maxNumber = 1 << 40              // of anything else
	maxAnswer = platform.MaxResponse // bytes of a response: older files hold whole responses
	maxPoints = 100_000              // of a map

	MinFactor, MaxFactor = 0.1, 20.0 // vCPUs per core
)

// Factor clamps f to the range of a CPU's factor or scale, and rounds it to a hundredth.
func Factor(f float64) float64 { return math.Round(100*min(max(f, MinFactor), MaxFactor)) / 100 }

// Validate reports the first thing in a comparison that no run could have written. The views rely on what it checks.
func (c *Comparison) Validate() error {
	if c.Mode != Local && c.Mode != AWS || c.Run.AWS() != (c.Mode == AWS) {
		return fmt.Errorf("mode must be %s, or %s with a state machine, got %.40q", Local, AWS, c.Mode)
	}
	year, _, _ := c.Run.Time.Date()
	if err := cmp.Or(c.Run.Spec.Validate(), within("time's year", year, 1, 9999)); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	for i := range c.Variants {
		if err := c.checkResult(&c.Variants[i]); err != nil {
			return fmt.Errorf("variant %d: %w", i+1, err)
		}
	}
	for _, k := range c.Checks {
		if err := c.checkExecution(k.Execution); err != nil {
			return fmt.Errorf("check of %.40q at %d MB: %w", k.Strategy, k.Power, err)
		}
	}
	most := maxCells
	if c.Map == nil && (c.Mode == Local || c.Calibration == nil) {
		most = 0
	}
	if err := cmp.Or(within("number of checks", len(c.Checks), 0, most),
		unless(c.Map == nil || c.Calibration != nil, "calibration", "is missing: the map was computed from one"),
		plausible("", reflect.ValueOf(*c))); err != nil {
		return err
	}
	if _, cell := c.Recommended(); c.Recommendation != nil && (cell == nil || cell.Error != "") {
		return errors.New("the recommendation names no cell that was measured")
	}
	return nil
}

func (c *Comparison) checkResult(r *Result) error {
	last := 0
	for _, cell := range r.Cells {
		if cell.Power <= last || !slices.Contains(c.Run.PowerValues, cell.Power) {
			return fmt.Errorf("cell of %d MB: the cells must be of the run's power values, in ascending order", cell.Power)
		}
		last = cell.Power
		if p := cell.Computed; (p != nil) != (c.Map != nil) || p != nil && p.Power != cell.Power {
			return fmt.Errorf("cell of %d MB: the cells of a map, and no others, have their computed point", cell.Power)
		}
	}
	return c.checkExecution(r.Execution)
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

// plausible checks everything below v that JSON holds: no number is negative or absurdly large, no text is longer
// than maxText, and each struct with a check method passes it.
func plausible(name string, v reflect.Value) error {
	most := float64(maxNumber)
	if strings.HasSuffix(name, "ms") {
		most = maxMS
	}
	switch v.Kind() {
	case reflect.Int:
		return within(name, int(v.Int()), 0, int(most))
	case reflect.Float64:
		return within(name, v.Float(), 0, most)
	case reflect.String:
		return within("length of "+name, v.Len(), 0, maxText)
	case reflect.Pointer:
		if !v.IsNil() {
			return plausible(name, v.Elem())
		}
	case reflect.Slice, reflect.Map:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return nil
		}
		for key, value := range v.Seq2() {
			if err := cmp.Or(plausible("a key", key), plausible(name, value)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		var err error
		if c, ok := v.Interface().(interface{ check() error }); ok {
			err = c.check()
		}
		for field, value := range v.Fields() {
			tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if err == nil && field.IsExported() && tag != "-" {
				err = plausible(tag, value)
			}
		}
		if err != nil && name != "" {
			return fmt.Errorf("%s: %w", name, err)
		}
		return err
	}
	return nil
}

func (c CPU) check() error {
	return cmp.Or(within("factor", c.Factor, MinFactor, MaxFactor), within("scale", c.Scale, 0, MaxFactor),
		within("low", c.Low, 0, c.Factor), within("high", c.High, c.Low, MaxFactor))
}

func (c Cell) check() error {
	if len(c.DurationsMS) != len(c.BilledMS) || len(c.DurationsMS) > MaxNum {
		return fmt.Errorf("%d durations and %d billed durations: there must be as many, at most %d",
			len(c.DurationsMS), len(c.BilledMS), MaxNum)
	}
	for _, d := range c.DurationsMS {
		if err := within("duration", d, 1e-6, maxMS); err != nil {
			return err
		}
	}
	return within("size of the response", len(c.Response), 0, maxAnswer)
}

func (p Place) check() error {
	return cmp.Or(within("length of the strategy", len(p.Strategy), 1, maxText),
		within("concurrency", *cmp.Or(p.Concurrency, new(1)), 1, maxConcurrency),
		within("power", p.Power, platform.MinMemory, platform.MaxMemory))
}

func (m Map) check() error { return within("number of points", len(m.Points), 1, maxPoints) }

func (p Point) check() error {
	return cmp.Or(within("duration_ms", p.DurationMS, 1e-6, maxMS),
		within("low_ms", p.LowMS, 0, p.DurationMS), within("high_ms", p.HighMS, p.DurationMS, maxMS))
}

func (f Figure) check() error {
	return cmp.Or(within("low", f.Low, 0, f.Value), within("high", f.High, f.Value, maxMS))
}

func (c Calibration) check() error {
	ascending := slices.IsSortedFunc(c.Crowd, func(a, b CrowdCost) int { return a.InFlight - b.InFlight })
	return cmp.Or(within("number of strategies", len(c.Reads), 1, maxVariants),
		unless(ascending, "crowd", "%v: it must be in ascending order", c.Crowd))
}
