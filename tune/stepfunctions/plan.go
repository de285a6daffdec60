package stepfunctions

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/prose"
)

// What a read is taken to cost in time before anything was measured. These
// are for an estimate from above; a run measures less.
const (
	readLatency = 18800 * time.Microsecond // a GET and its decoding, sequentially, as the Python original published them at 2,304 MB
	readCPU     = time.Millisecond         // at one vCPU; the function of this repository needs about 0.3 ms
	prefixRate  = 5500                     // GETs a second that S3 gives one prefix; all sizes of an execution share it
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
		e := estimate{run.Spec, v.Variant, InFlight(run.Spec, v.Variant)}
		if err := e.check(cmp.Or(target.ExecutionTimeout, DefaultExecutionTimeout)); err != nil {
			return Plan{}, err
		}
		p.add(c, e)
		if v.Strategy == comparison.None {
			p.Altered = powertuning.Input{Payload: v.Payload}.Alters()
		}
		for _, power := range run.PowerValues {
			if mayRunOut(local, v.Variant, power) {
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
	for name, arn := range map[string]string{"preProcessorARN": in.PreProcessorARN, "postProcessorARN": in.PostProcessorARN} {
		if arn != "" && !strings.HasPrefix(arn, target.mayInvoke) {
			return fmt.Errorf("%s in the input is %s: the stack's Power Tuning may invoke %s alone\nremove it, or name a Power Tuning that may by --state-machine ARN", name, arn, target.mayInvoke)
		}
	}
	for _, f := range []struct {
		set       bool
		name, why string
	}{
		{in.AutoOptimize || in.AutoOptimizeAlias != "", "autoOptimize", "it changes the function's memory size after each variant"},
		{in.DryRun, "dryRun", "it measures nothing (--dry-run shows the plan alone)"},
		{in.PayloadS3 != "", "payloadS3", "every variant would be sent the same payload"},
	} {
		if f.set {
			return fmt.Errorf("%s in the input has no place in a comparison: %s\nremove it", f.name, f.why)
		}
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
		executor := powertuning.ComputeCost(powertuning.X8664, powertuning.MinPower, ms(all))
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
	if local == nil {
		return false
	}
	for _, r := range local.Variants {
		if r.Label() != v.Label() {
			continue
		}
		for _, cell := range r.Cells { // in ascending order
			if cell.Power >= power {
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

// InFlight returns how many reads v does at once. A payload that is sent as
// it is says so itself.
func InFlight(s comparison.Spec, v comparison.Variant) int {
	if p, err := event.Decode(v.Payload, event.DefaultConcurrency); err == nil {
		v.Strategy, v.Concurrency = p.Strategy, &p.Concurrency
	}
	strategy, err := strategies.ByName(v.Strategy)
	switch {
	case err != nil || strategy.Sequential:
		return 1
	case strategy.Bounded && v.Concurrency != nil:
		return max(1, *v.Concurrency)
	}
	return max(1, min(s.Repeat, event.MaxConcurrency))
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
	reads, share := time.Duration(e.Repeat), prefixRate/time.Duration(len(e.PowerValues))
	if e.ParallelInvocation {
		share /= time.Duration(e.Num)
	}
	return min(e.Timeout(), max(
		e.waits(),
		reads*readCPU*comparison.MemoryPerVCPU/time.Duration(power),
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
	one := e.waits()
	all := e.executorLasts(one)
	repeat := "--repeat"
	switch {
	case e.Objects != nil:
		repeat = "the payload's maxObjects or keys"
	case e.variant.Strategy == comparison.None:
		repeat = "the payload's repeat"
	}
	reads := fmt.Sprintf("%d reads at %g ms, %d at once, is %s", e.Repeat, ms(readLatency), e.inFlight, one.Round(time.Millisecond))
	within := func(d time.Duration) int { return int(d * time.Duration(e.inFlight) / readLatency) }
	switch {
	case e.Repeat == 0:
		return nil
	case one > e.Timeout():
		return fmt.Errorf("%s: an invocation of %s, and the function's timeout is %s\nlower %s to %d at most",
			e.variant.Label(), reads, e.Timeout(), repeat, within(e.Timeout()))
	case all > executionTimeout:
		remedy := "choose --parallel (parallelInvocation)"
		if n := within(executionTimeout/time.Duration(e.Num) - e.sleep()); n > 0 {
			remedy = fmt.Sprintf("lower %s to %d at most, or %s", repeat, n, remedy)
		}
		return fmt.Errorf("%s: %d invocations one after the other, each of %s, are %s, and the state machine's totalExecutionTimeout is %s\n%s",
			e.variant.Label(), e.Num, reads, all.Round(time.Second), executionTimeout, remedy)
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// WriteText writes the plan for people.
func (p Plan) WriteText(w io.Writer) error {
	var b strings.Builder
	gets, plural := "", "s"
	if p.GETs > 0 {
		gets = fmt.Sprintf(", %s S3 GETs", prose.Thousands(p.GETs, 0))
	}
	if p.LISTs > 0 {
		gets = fmt.Sprintf(", up to%s and %s LISTs:\n  as many objects below the prefix as maxObjects allows", gets[1:], prose.Thousands(p.LISTs, 0))
	}
	if p.Executions == 1 {
		plural = ""
	}
	fmt.Fprintf(&b, "  On AWS: %d execution%s of Power Tuning, one after the other,\n  %s invocations%s\n",
		p.Executions, plural, prose.Thousands(p.Invocations, 0), gets)
	fmt.Fprintf(&b, "  about %d min, up to %d Lambda invocations at once (new accounts: 10 at most)\n\n", int(math.Ceil(p.Takes.Minutes())), p.AtOnce)
	for _, line := range []struct {
		what    string
		dollars float64
	}{
		{"Lambda, compute and requests", p.Lambda},
		{"Lambda, Power Tuning's own functions", p.Executors},
		{"Step Functions", p.StepFunctions},
		{"S3", p.S3},
		{"together", p.Dollars()},
	} {
		fmt.Fprintf(&b, "    %-38s $%.4f\n", line.what, line.dollars)
	}
	fmt.Fprintf(&b, "\n  Estimated from above, at list prices: a read takes %g ms, and %g ms of CPU at\n  one vCPU; all sizes share %s GETs a second.\n",
		ms(readLatency), ms(readCPU), prose.Thousands(prefixRate, 0))
	fmt.Fprintf(&b, "  Power Tuning tries a size that fails three times, which adds up to $%.4f, and\n  its variant is lost then.\n", p.Retries)
	if len(p.AtRisk) > 0 {
		fmt.Fprintf(&b, "  By the local run, memory may not do for %s:\n  leave these sizes out by --power.\n", prose.List(p.AtRisk))
	}
	if p.Altered != "" {
		fmt.Fprintf(&b, "  %s.\n", p.Altered)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
