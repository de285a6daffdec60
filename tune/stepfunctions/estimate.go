package stepfunctions

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"text/template"
	"time"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/profile"
)

// Assumptions about reads before anything was measured: most, above what runs measure, gives the cost
// of a comparison; least refuses what cannot end in time.
var (
	most  = compute.Assumed{S3: profile.MustParse("public"), CPUMS: 1}
	least = compute.Assumed{S3: profile.MustParse("apg"), CPUMS: compute.ReadCPU}
)

// Estimate is what a comparison does on AWS, and what it costs. Its counts are exact unless something
// fails. Its times and dollars are upper estimates, at list prices.
type Estimate struct {
	Executions  int
	Invocations int // of the function
	GETs        int // 0 if the function's reads are not known
	LISTs       int // of a prefix; GETs is then the most
	AtOnce      int // concurrent Lambda invocations, Power Tuning's own included

	Lambda        float64 // dollars: the function's compute and requests
	Executors     float64 // dollars: Power Tuning's own functions, which wait for it at 128 MB
	StepFunctions float64 // dollars
	S3            float64 // dollars

	Retries float64 // dollars that one failing size adds at most: Power Tuning tries it three times
	Takes   time.Duration
	AtRisk  []string // sizes that may run out of memory, by a local comparison: "pool (30) at 128 MB"
	Altered string   // a sentence on how Power Tuning changes the payload

	Cells []string // of a check: what it measures
	Whole float64  // of a check: dollars for measuring every cell of the map
}

// Dollars is the total cost.
func (e Estimate) Dollars() float64 { return e.Lambda + e.Executors + e.StepFunctions + e.S3 }

// NewEstimate covers the variants of c that have not started. It refuses, with numbers and a remedy, a
// comparison whose invocations cannot end within the function's timeout (c.Run.TimeoutSec) or, one after
// another, within the target's ExecutionTimeout; an input (c.Run.TuningInput) with a field that a comparison
// cannot use; and processors that a stack's Power Tuning may not invoke. local, a comparison of the same
// function on this machine, tells the sizes at risk; it may be nil.
func NewEstimate(c *comparison.Comparison, target Target, local *comparison.Comparison) (e Estimate, err error) {
	if err := checkInput(c.Run.TuningInput, target); err != nil {
		return e, err
	}
	if len(c.Checks) == 0 {
		return e, e.of(c, target, local)
	}
	var whole Estimate
	for _, v := range c.Variants {
		whole.add(c, v.Variant)
	}
	e.Whole = whole.Dollars()
	for _, k := range c.Checks {
		if k.Execution == "" {
			e.Cells = append(e.Cells, fmt.Sprintf("%s (%d reads)", k.Name(), k.Repeat))
		}
	}
	for _, x := range executions(c) {
		err = cmp.Or(err, e.of(x, target, local))
	}
	return e, err
}

// of adds the variants of c that have not started.
func (e *Estimate) of(c *comparison.Comparison, target Target, local *comparison.Comparison) error {
	run := c.Run
	atOnce := 1
	if run.ParallelInvocation {
		atOnce = run.Num
	}
	e.AtOnce = max(e.AtOnce, (1+atOnce)*len(run.PowerValues)) // with an executor for each size
	for _, v := range c.Variants {
		if v.Started() {
			continue
		}
		if err := check(run.Spec, v.Variant, cmp.Or(target.ExecutionTimeout, DefaultExecutionTimeout)); err != nil {
			return err
		}
		e.add(c, v.Variant)
		if v.Strategy == comparison.None {
			e.Altered = powertuning.Input{Payload: v.Payload}.Alters()
		}
		for _, power := range run.PowerValues {
			if local != nil && mayRunOut(local, v.Variant, power) {
				e.AtRisk = append(e.AtRisk, fmt.Sprintf("%s at %s MB", v.Label(), prose.Thousands(power, 0)))
			}
		}
	}
	return nil
}

// checkInput refuses an input with fields that a comparison cannot use.
func checkInput(in *powertuning.Input, target Target) error {
	if in == nil {
		return nil
	}
	for _, processor := range []string{in.PreProcessorARN, in.PostProcessorARN} {
		if processor != "" && !strings.HasPrefix(processor, target.mayInvoke) {
			return fmt.Errorf("the processor %s in the input: the stack's Power Tuning may invoke %s alone\nremove it, or name a Power Tuning that may by --state-machine ARN",
				processor, target.mayInvoke)
		}
	}
	if in.AutoOptimize || in.AutoOptimizeAlias != "" || in.DryRun || in.PayloadS3 != "" {
		return errors.New("autoOptimize, dryRun and payloadS3 in the input have no place in a comparison:\n" +
			"it sets no size, measures, and has payloads of its own; remove them")
	}
	return nil
}

func (e *Estimate) add(c *comparison.Comparison, v comparison.Variant) {
	const overhead = 30 * time.Second // publishing the versions, and the clean-up
	run := c.Run
	invocations, coldStarts := run.Num*len(run.PowerValues), 0
	if run.TuningInput != nil && run.TuningInput.OnlyColdStarts {
		coldStarts = run.Num
	}
	e.Executions++
	e.Invocations += invocations
	e.GETs += invocations * run.Repeat
	e.LISTs += invocations * run.Lists()
	e.S3 += float64(invocations) * c.GETCostPerMillion() / 1e6
	e.StepFunctions += powertuning.ExecutionCost(RegionOf(run.StateMachine), len(run.PowerValues), coldStarts)
	var longest time.Duration
	for _, power := range run.PowerValues {
		// A function that is not this project's is assumed to last until its timeout.
		one := min(run.Timeout(), cmp.Or(compute.Estimate(run.Spec, v, power, most), run.Timeout()))
		all := executorLasts(run.Spec, one)
		longest = max(longest, all)
		function := float64(run.Num) * c.CostPerMillion(power, ms(one)) / 1e6
		executor := platform.ComputeCost(platform.X8664, platform.MinMemory, ms(all))
		e.Lambda += function
		e.Executors += executor
		e.Retries = max(e.Retries, 2*(function+executor+float64(run.Num)*c.GETCostPerMillion()/1e6))
	}
	e.Takes += longest + overhead
}

// mayRunOut reports whether a variant may run out of memory at a size, by what it used in a local
// comparison at that size, or else at the next larger one. Of a map that is what was computed for its strategy.
func mayRunOut(local *comparison.Comparison, v comparison.Variant, power int) bool {
	for _, r := range local.Variants {
		for _, cell := range r.Cells { // in ascending order
			used := float64(cell.MaxMemoryMB)
			if cell.Computed != nil {
				used = cell.Computed.PeakMB
			}
			if cell.Power >= power && (r.Label() == v.Label() || cell.Computed != nil && r.Strategy == v.Strategy) {
				return cell.OutOfMemory || used >= 0.9*float64(power) // a margin of a tenth is chosen
			}
		}
	}
	return false
}

// executorLasts returns how long the executor of one size lasts, given the duration of an invocation.
func executorLasts(spec comparison.Spec, one time.Duration) time.Duration {
	if spec.ParallelInvocation {
		return one
	}
	return time.Duration(spec.Num) * (one + time.Duration(spec.SleepBetweenRunsMS)*time.Millisecond)
}

// check refuses a variant that cannot end in time even at the largest size.
func check(spec comparison.Spec, v comparison.Variant, executionTimeout time.Duration) error {
	power := spec.PowerValues[len(spec.PowerValues)-1]
	one, allowed := compute.Estimate(spec, v, power, least), spec.Timeout()
	if !spec.ParallelInvocation {
		allowed = min(allowed, executionTimeout/time.Duration(spec.Num)-time.Duration(spec.SleepBetweenRunsMS)*time.Millisecond)
	}
	if one <= allowed {
		return nil
	}
	remedy := "choose --parallel (parallelInvocation)"
	if n := int(0.95 * float64(spec.Repeat) * float64(allowed) / float64(one)); n > 0 { // a little below what just fits
		remedy = fmt.Sprintf("lower the reads (--repeat, or the payload's repeat, maxObjects or keys) to %d, or %s", n, remedy)
	}
	return fmt.Errorf("%s: %d invocations, each of %d reads, %d at once, take at least %s each and %s in all, where S3 answers in %s on average;\n"+
		"the function's timeout is %s, and the state machine's totalExecutionTimeout is %s\n%s",
		v.Label(), spec.Num, spec.Repeat, spec.InFlight(v), one.Round(time.Millisecond),
		executorLasts(spec, one).Round(time.Second), least.S3.Mean().Round(time.Millisecond/10), spec.Timeout(), executionTimeout, remedy)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

//go:embed estimate.tmpl
var layout string

var text = template.Must(template.New("").Funcs(template.FuncMap{
	"n":       func(n int) string { return prose.Thousands(n, 0) },
	"usd":     func(dollars float64) string { return fmt.Sprintf("$%.4f", dollars) },
	"minutes": func(d time.Duration) float64 { return math.Ceil(d.Minutes()) },
	"ms":      ms,
	"list":    prose.List[string],
	"read":    func() time.Duration { return most.S3.Mean().Round(time.Millisecond / 10) },
	"cpu":     func() float64 { return most.CPUMS },
	"rate":    func() int { return platform.GetsPerSecond },
}).Parse(layout))

// WriteText writes the estimate for the terminal.
func (e Estimate) WriteText(w io.Writer) error { return text.Execute(w, e) }
