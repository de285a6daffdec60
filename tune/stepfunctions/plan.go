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
	"lambda-parallel-io/tune/powertuning"
)

// What a read is taken to cost in time before anything was measured. These
// are for an estimate from above; a run measures less.
const (
	readLatency = 18800 * time.Microsecond // a GET and its decoding, sequentially, as the Python original published them at 2,304 MB
	readCPU     = time.Millisecond         // at one vCPU; the function of this repository needs about 0.3 ms
)

// Plan is what a comparison is going to do on AWS and to cost. Its counts are
// exact while nothing fails (Power Tuning tries a power value that fails up to
// three times); its times and dollars are estimates from above, at list
// prices.
type Plan struct {
	Executions  int
	Invocations int // of the function
	GETs        int // 0 where the function's reads are not known
	LISTs       int // of a prefix; then GETs are at most so many
	AtOnce      int // Lambda invocations that run at once, those of Power Tuning included

	Lambda        float64 // dollars: the function's compute and requests
	Executors     float64 // dollars: Power Tuning's own functions, which wait for it at 128 MB
	StepFunctions float64 // dollars
	S3            float64 // dollars

	Retries float64 // dollars that one failing size adds at most: Power Tuning tries it three times
	Takes   time.Duration

	// AtRisk are the sizes at which a variant may run out of memory, by a local
	// comparison: "pool (30) at 128 MB". One size that fails loses its variant.
	AtRisk []string

	Altered string // what Power Tuning makes of a payload that is to be sent as it is, in a sentence
}

// Dollars is the whole cost.
func (p Plan) Dollars() float64 { return p.Lambda + p.Executors + p.StepFunctions + p.S3 }

// NewPlan plans those variants of c that were not started yet. It refuses,
// with the numbers and what to change, a plan whose invocations cannot end
// within the function's timeout (c.Run.TimeoutSec), or, one after the other,
// within the target's ExecutionTimeout. It also refuses an input
// (c.Run.TuningInput) with a field that has no place in a comparison, or with
// processors that a stack's Power Tuning may not invoke. A local comparison of
// the same function tells which sizes are at risk; it may be nil.
func NewPlan(c *comparison.Comparison, target Target, local *comparison.Comparison) (Plan, error) {
	run := c.Run
	if err := checkInput(run.TuningInput, target); err != nil {
		return Plan{}, err
	}
	p := Plan{AtOnce: 2 * len(run.PowerValues)}
	if run.ParallelInvocation {
		p.AtOnce = (1 + run.Num) * len(run.PowerValues)
	}
	for _, v := range c.Variants {
		if v.Started() {
			continue
		}
		e := estimate{run.Spec, v.Variant, run.Calls(v.Variant).InFlight}
		if err := e.check(cmp.Or(target.ExecutionTimeout, DefaultExecutionTimeout)); err != nil {
			return Plan{}, err
		}
		p.add(c, e)
		if v.Strategy == comparison.None {
			p.Altered = powertuning.Input{Payload: v.Payload}.Alters()
		}
		for _, power := range run.PowerValues {
			if local != nil && mayRunOut(local, v.Variant, power) {
				p.AtRisk = append(p.AtRisk, fmt.Sprintf("%s at %s MB", v.Label(), prose.Thousands(power, 0)))
			}
		}
	}
	return p, nil
}

// checkInput refuses an input that would make a comparison something else.
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

func (p *Plan) add(c *comparison.Comparison, e estimate) {
	const overhead = 30 * time.Second // publishing the versions, and the clean-up
	invocations, coldStarts := e.Num*len(e.PowerValues), 0
	if e.TuningInput != nil && e.TuningInput.OnlyColdStarts {
		coldStarts = e.Num
	}
	p.Executions++
	p.Invocations += invocations
	p.GETs += invocations * e.Repeat
	p.LISTs += invocations * e.Lists()
	p.S3 += float64(invocations) * c.GETCostPerMillion() / 1e6
	p.StepFunctions += powertuning.ExecutionCost(RegionOf(e.StateMachine), len(e.PowerValues), coldStarts)
	var longest time.Duration
	for _, power := range e.PowerValues {
		one := e.lasts(power)
		all := e.executorLasts(one)
		longest = max(longest, all)
		function := float64(e.Num) * c.CostPerMillion(power, ms(one)) / 1e6
		executor := platform.ComputeCost(platform.X8664, platform.MinMemory, ms(all))
		p.Lambda += function
		p.Executors += executor
		p.Retries = max(p.Retries, 2*(function+executor+float64(e.Num)*c.GETCostPerMillion()/1e6))
	}
	p.Takes += longest + overhead
}

// mayRunOut reports whether a variant, by what it took in a local comparison,
// may run out of memory at a size. Of a size that was not measured there the
// next larger one tells.
func mayRunOut(local *comparison.Comparison, v comparison.Variant, power int) bool {
	for _, r := range local.Variants {
		for _, cell := range r.Cells { // in ascending order
			if r.Label() == v.Label() && cell.Power >= power {
				return cell.OutOfMemory || 10*cell.MaxMemoryMB >= 9*power // a margin of a tenth is chosen
			}
		}
	}
	return false
}

// estimate is of one variant of a spec.
type estimate struct {
	comparison.Spec
	variant  comparison.Variant
	inFlight int // reads at once
}

// waits returns how long one invocation waits for S3 at least, however much
// memory it has. It is 0 where the reads are not known.
func (e estimate) waits() time.Duration {
	return time.Duration(e.Repeat) * readLatency / time.Duration(e.inFlight)
}

// lasts estimates from above how long one invocation lasts at that memory
// size: the longest of its waits, its CPU time under that size's share, and its
// part of what S3 gives. The function of someone else is taken to last to its
// timeout.
func (e estimate) lasts(power int) time.Duration {
	if e.Repeat == 0 {
		return e.Timeout()
	}
	reads, share := time.Duration(e.Repeat), platform.GetsPerSecond/time.Duration(len(e.PowerValues))
	if e.ParallelInvocation {
		share /= time.Duration(e.Num)
	}
	return min(e.Timeout(), max(
		e.waits(),
		reads*readCPU*platform.MemoryPerVCPU/time.Duration(power),
		reads*time.Second/max(1, share),
	))
}

// executorLasts is how long the executor of a power value lasts whose
// invocations last so long each.
func (e estimate) executorLasts(one time.Duration) time.Duration {
	if e.ParallelInvocation {
		return one
	}
	return time.Duration(e.Num) * (one + e.sleep())
}

func (e estimate) sleep() time.Duration {
	return time.Duration(e.SleepBetweenRunsMS) * time.Millisecond
}

// check refuses what cannot end in time even if the reads waited for nothing
// but S3.
func (e estimate) check(executionTimeout time.Duration) error {
	one, most := e.waits(), e.Timeout()
	if !e.ParallelInvocation {
		most = min(most, executionTimeout/time.Duration(e.Num)-e.sleep())
	}
	if e.Repeat == 0 || one <= most {
		return nil
	}
	remedy := "choose --parallel (parallelInvocation)"
	if n := most * time.Duration(e.inFlight) / readLatency; n > 0 {
		remedy = fmt.Sprintf("lower the reads (--repeat, or the payload's repeat, maxObjects or keys) to %d at most, or %s", n, remedy)
	}
	return fmt.Errorf("%s: %d invocations, each of %d reads at %g ms, %d at once, take %s each and %s in all;\n"+
		"the function's timeout is %s, and the state machine's totalExecutionTimeout is %s\n%s",
		e.variant.Label(), e.Num, e.Repeat, ms(readLatency), e.inFlight, one.Round(time.Millisecond),
		e.executorLasts(one).Round(time.Second), e.Timeout(), executionTimeout, remedy)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

//go:embed plan.tmpl
var layout string

var text = template.Must(template.New("").Funcs(template.FuncMap{
	"n":       func(n int) string { return prose.Thousands(n, 0) },
	"usd":     func(dollars float64) string { return fmt.Sprintf("$%.4f", dollars) },
	"minutes": func(d time.Duration) float64 { return math.Ceil(d.Minutes()) },
	"ms":      ms,
	"list":    prose.List[string],
	"read":    func() time.Duration { return readLatency },
	"cpu":     func() time.Duration { return readCPU },
	"rate":    func() int { return platform.GetsPerSecond },
}).Parse(layout))

// WriteText writes the plan for people.
func (p Plan) WriteText(w io.Writer) error { return text.Execute(w, p) }
