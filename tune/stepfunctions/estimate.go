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
// comparison whose invocations cannot end within the function's timeout (c.Run.TimeoutSec) or, all of a size,
// within the target's ExecutionTimeout; an input (c.Run.TuningInput) with a field that a comparison cannot
// use; and processors that a stack's Power Tuning may not invoke. local, a comparison of the same function
// on this machine, tells the sizes at risk; it may be nil.
func NewEstimate(c *comparison.Comparison, target Target, local *comparison.Comparison) (e Estimate, err error) {
	const byDefault = 600 * time.Second // totalExecutionTimeout that `pulumi up` deploys
	if err := checkInput(cmp.Or(c.Run.TuningInput, &powertuning.Input{}), target); err != nil {
		return e, err
	}
	if len(c.Checks) > 0 {
		var whole Estimate
		for _, v := range c.Variants {
			whole.add(c.Run, v.Variant)
		}
		e.Whole = whole.Dollars()
	}
	for _, x := range executions(c) {
		run, v := x.run, x.v.Variant
		n, _ := turns(run.Spec)
		e.AtOnce = max(e.AtOnce, (1+run.Num/int(n))*len(run.PowerValues)) // with an executor for each size
		if x.v.Execution != "" || x.v.Ended() {
			continue
		}
		if err := check(run.Spec, v, cmp.Or(target.ExecutionTimeout, byDefault)); err != nil {
			return e, err
		}
		e.add(run, v)
		for _, k := range x.checks {
			e.Cells = append(e.Cells, fmt.Sprintf("%s (%d reads)", k.Name(), k.Repeat))
		}
		if v.Strategy == comparison.None {
			e.Altered = powertuning.Input{Payload: v.Payload}.Alters()
		}
		for _, power := range run.PowerValues {
			if local != nil && mayRunOut(local, v, power) {
				e.AtRisk = append(e.AtRisk, fmt.Sprintf("%s at %s MB", v.Label(), prose.Thousands(power, 0)))
			}
		}
	}
	return e, nil
}

// checkInput refuses an input with fields that a comparison cannot use.
func checkInput(in *powertuning.Input, target Target) error {
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

// add adds an execution.
func (e *Estimate) add(run comparison.Run, v comparison.Variant) {
	const overhead = 30 * time.Second // publishing the versions, and the clean-up
	c := comparison.Comparison{Run: run}
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
	n, pause := turns(run.Spec)
	var longest time.Duration
	for _, power := range run.PowerValues {
		// A function that is not this project's is assumed to last until its timeout.
		one := min(run.Timeout(), cmp.Or(compute.Estimate(run.Spec, v, power, most), run.Timeout()))
		all := n * (one + pause)
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

// turns returns how many invocations of a size follow one another, and the pause after each.
func turns(spec comparison.Spec) (n, pause time.Duration) {
	if spec.ParallelInvocation {
		return 1, 0
	}
	return time.Duration(spec.Num), time.Duration(spec.SleepBetweenRunsMS) * time.Millisecond
}

// check refuses a variant that cannot end in time even at the largest size.
func check(spec comparison.Spec, v comparison.Variant, executionTimeout time.Duration) error {
	one := compute.Estimate(spec, v, spec.PowerValues[len(spec.PowerValues)-1], least)
	n, pause := turns(spec)
	allowed := min(spec.Timeout(), executionTimeout/n-pause)
	if one <= allowed {
		return nil
	}
	remedy := "choose --parallel (parallelInvocation)"
	if fit := int(0.95 * float64(spec.Repeat) * float64(allowed) / float64(one)); fit > 0 { // a little fewer than just fit
		remedy = fmt.Sprintf("lower the reads (--repeat, or the payload's repeat, maxObjects or keys) to %d, or %s", fit, remedy)
	}
	return fmt.Errorf("%s: %d invocations, each of %d reads, %d at once, take at least %s each and %s in all, where S3 answers in %s on average;\n"+
		"the function's timeout is %s, and the state machine's totalExecutionTimeout is %s\n%s",
		v.Label(), spec.Num, spec.Repeat, spec.InFlight(v), one.Round(time.Millisecond),
		(n * (one + pause)).Round(time.Second), least.S3.Mean().Round(time.Millisecond/10), spec.Timeout(), executionTimeout, remedy)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

//go:embed estimate.tmpl
var layout string

var text = template.Must(template.New("").Funcs(template.FuncMap{
	"n":       func(n int) string { return prose.Thousands(n, 0) },
	"usd":     func(dollars float64) string { return fmt.Sprintf("$%.4f", dollars) },
	"minutes": func(d time.Duration) float64 { return math.Ceil(d.Minutes()) },
	"list":    prose.List[string],
	"read":    func() float64 { return ms(most.S3.Mean().Round(time.Millisecond / 10)) },
	"cpu":     func() float64 { return most.CPUMS },
	"rate":    func() int { return platform.GetsPerSecond },
}).Parse(layout))

// WriteText writes the estimate for the terminal.
func (e Estimate) WriteText(w io.Writer) error { return text.Execute(w, e) }
