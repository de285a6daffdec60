package stepfunctions

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
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

// Ask completes the request by the target and its execution input, and makes the comparison.
func (t Target) Ask(r comparison.Request) (*comparison.Comparison, error) {
	if t.Input != "" {
		var in powertuning.Input
		raw, err := os.ReadFile(t.Input)
		if err == nil {
			in, err = powertuning.ParseInput(raw)
		}
		if err != nil {
			return nil, fmt.Errorf("--input %s: %w", t.Input, err)
		}
		r.Input = &in
	}
	s := &r.Spec
	s.Arch, s.TimeoutSec, s.StateMachine, s.Function = t.Arch, t.Timeout.Seconds(), t.StateMachine, t.Function
	s.Region, s.ParallelInvocation = RegionOf(t.Function), t.Parallel // prices are those of the function's region
	s.ObjectKey, r.Powers, r.Ours = cmp.Or(t.ObjectKey, "sample.json"), t.PowerValues, true
	if r.PrefixWins = r.Prefix != nil; !r.PrefixWins && t.ObjectKey == "" {
		r.Prefix = t.Prefix
	}
	spec, err := comparison.Build(r)
	return comparison.New(spec, time.Now()), err
}

// NewCheck turns c, a comparison with a map that was read from the file name, into the check of that map on AWS: the
// same variants, without results. It measures the answer's variant, also at a size where it is CPU-bound, and
// sequential reads for S3's latency: 200, or as many as last 3 s if S3 is as the map assumes. In simulation these
// cells give the CPU time of a read within 3 to 6 % and the median latency within 5 to 7 %.
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

// Assumptions about reads before anything was measured: slow ones, above what runs measure, give the cost of a
// comparison; fast ones, of [compute.ReadCPU], refuse what cannot end in time.
var slow, fast = profile.MustParse("public"), profile.MustParse("apg")

const slowCPU = 1. // CPU time of a slow read, in ms of a vCPU

// Estimate is what a comparison does on AWS, and what it costs. Its counts are exact unless something fails. Its
// times and dollars are upper estimates, at list prices.
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

	Checks []*comparison.Check // what it measures
	Whole  float64             // of a check: dollars for measuring every cell of the map
}

// Dollars is the total cost.
func (e Estimate) Dollars() float64 { return e.Lambda + e.Executors + e.StepFunctions + e.S3 }

// NewEstimate covers the variants of c that have not started. It refuses, with numbers and a remedy, a comparison
// whose invocations cannot end within the function's timeout or, all of a size, within the target's ExecutionTimeout,
// and an input that a comparison cannot use. local, a comparison of the same function on this machine, tells the
// sizes at risk; it may be nil.
func NewEstimate(c *comparison.Comparison, target Target, local *comparison.Comparison) (e Estimate, err error) {
	if len(c.Checks) > 0 {
		var whole Estimate
		for _, v := range c.Variants {
			whole.add(&execution{run: c.Run, v: &v})
		}
		e.Whole = whole.Dollars()
	}
	for _, x := range executions(c) {
		n, _ := turns(x.run.Spec)
		e.AtOnce = max(e.AtOnce, (1+x.run.Num/int(n))*len(x.run.PowerValues)) // with an executor for each size
		if x.v.Execution != "" || x.v.Ended() {
			continue
		}
		if err := x.check(target); err != nil {
			return e, err
		}
		e.add(x)
		e.Checks = append(e.Checks, x.checks...)
		if x.v.Strategy == comparison.None {
			e.Altered = x.input().Alters()
		}
		for _, power := range x.run.PowerValues {
			if local != nil && mayRunOut(local, x.v.Variant, power) {
				e.AtRisk = append(e.AtRisk, fmt.Sprintf("%s at %s MB", x.v.Label(), prose.Thousands(power, 0)))
			}
		}
	}
	return e, nil
}

// add adds an execution.
func (e *Estimate) add(x *execution) {
	const overhead = 30 * time.Second // publishing the versions, and the clean-up
	c, num := comparison.Comparison{Run: x.run}, x.run.Num
	e.Executions++
	e.StepFunctions += powertuning.ExecutionCost(RegionOf(c.Run.StateMachine), x.input())
	n, pause := turns(c.Run.Spec)
	var longest time.Duration
	for _, power := range c.Run.PowerValues {
		// A function that is not this project's is assumed to last until its timeout.
		one := min(c.Run.Timeout(), cmp.Or(compute.Estimate(c.Run.Spec, x.v.Variant, power, slow, slowCPU), c.Run.Timeout()))
		all := n * (one + pause)
		longest = max(longest, all)
		function := float64(num) * c.CostPerMillion(power, ms(one)) / 1e6
		executor := platform.ComputeCost(platform.X8664, platform.MinMemory, ms(all))
		reads := float64(num) * c.GETCostPerMillion() / 1e6
		e.Invocations += num
		e.GETs += num * c.Run.Repeat
		e.LISTs += num * c.Run.Lists()
		e.Lambda += function
		e.Executors += executor
		e.S3 += reads
		e.Retries = max(e.Retries, 2*(function+executor+reads))
	}
	e.Takes += longest + overhead
}

// mayRunOut reports whether a variant may run out of memory at a size, by what it used in a local comparison at that
// size, or else at the next larger one. Of a map that is what was computed for its strategy.
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

// check refuses input that a comparison cannot use, processors that a stack's Power Tuning may not invoke, and a
// variant that cannot end in time even at the largest size.
func (x *execution) check(target Target) error {
	in, spec, v := x.input(), x.run.Spec, x.v.Variant
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
	const byDefault = 600 * time.Second // totalExecutionTimeout that `pulumi up` deploys
	executionTimeout := cmp.Or(target.ExecutionTimeout, byDefault)
	one := compute.Estimate(spec, v, slices.Max(spec.PowerValues), fast, compute.ReadCPU)
	n, pause := turns(spec)
	allowed := min(spec.Timeout(), executionTimeout/n-pause)
	if one <= allowed {
		return nil
	}
	remedy := "choose --parallel (parallelInvocation)"
	if spec.ParallelInvocation {
		remedy = "raise the timeout that is too short"
	}
	if fit := int(0.95 * float64(spec.Repeat) * float64(allowed) / float64(one)); fit > 0 { // a little fewer than just fit
		remedy = fmt.Sprintf("lower the reads (--repeat, or the payload's repeat, maxObjects or keys) to %d, or %s", fit, remedy)
	}
	return fmt.Errorf("%s: %d invocations, each of %d reads, %d at once, take at least %s each and %s in all, where S3 answers in %s on average;\n"+
		"the function's timeout is %s, and the state machine's totalExecutionTimeout is %s\n%s",
		v.Label(), spec.Num, spec.Repeat, spec.InFlight(v), one.Round(time.Millisecond),
		(n * (one + pause)).Round(time.Second), fast.Mean().Round(time.Millisecond/10), spec.Timeout(), executionTimeout, remedy)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

//go:embed texts.tmpl
var layout string

var texts = template.Must(template.New("").Funcs(template.FuncMap{
	"n":       func(n int) string { return prose.Thousands(n, 0) },
	"usd":     func(dollars float64) string { return fmt.Sprintf("$%.4f", dollars) },
	"minutes": func(d time.Duration) float64 { return math.Ceil(d.Minutes()) },
	"list":    prose.List[string],
	"read":    func() float64 { return ms(slow.Mean().Round(time.Millisecond / 10)) },
	"cpu":     func() float64 { return slowCPU },
	"rate":    func() int { return platform.GetsPerSecond },
}).Parse(layout))

// say returns a text of the template.
func say(name string, data any) string {
	var b strings.Builder
	_ = texts.ExecuteTemplate(&b, name, data) // a test renders each text
	return b.String()
}

// WriteText writes the estimate for the terminal.
func (e Estimate) WriteText(w io.Writer) error { return texts.ExecuteTemplate(w, "estimate", e) }
