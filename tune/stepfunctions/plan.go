package stepfunctions

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// DefaultExecutionTimeout is the totalExecutionTimeout that `pulumi up`
// deploys: the most that an executor may take for all invocations at one
// power value.
const DefaultExecutionTimeout = 600 * time.Second

// Plan is what a comparison is going to do on AWS and to cost. Its counts are
// exact while nothing fails (Power Tuning tries a power value that fails up to
// three times); its times and dollars are estimates from above, at list
// prices.
type Plan struct {
	Executions  int
	Invocations int // of the function
	GETs        int // 0 where the function's reads are not known
	AtOnce      int // Lambda invocations that run at once, those of Power Tuning included

	Lambda        float64 // dollars: the function's compute and requests
	Executors     float64 // dollars: Power Tuning's own functions, which wait for it at 128 MB
	StepFunctions float64 // dollars
	S3            float64 // dollars

	Takes time.Duration
}

// Dollars is the whole cost.
func (p Plan) Dollars() float64 { return p.Lambda + p.Executors + p.StepFunctions + p.S3 }

// NewPlan plans those variants of c that were not started yet. It refuses,
// with the numbers and what to change, a plan whose invocations cannot end
// within the function's timeout (c.Run.TimeoutSec), or, one after the other,
// within executionTimeout: the state machine's totalExecutionTimeout, for
// which 0 stands for [DefaultExecutionTimeout]. It also refuses an input
// (c.Run.TuningInput) with a field that has no place in a comparison.
func NewPlan(c *comparison.Comparison, executionTimeout time.Duration) (Plan, error) {
	if executionTimeout == 0 {
		executionTimeout = DefaultExecutionTimeout
	}
	run := c.Run
	if run.Num < powertuning.MinNum {
		return Plan{}, fmt.Errorf("-num must be at least %d on AWS, got %d: Power Tuning does not take less", powertuning.MinNum, run.Num)
	}
	if run.TuningInput != nil {
		if err := checkInput(*run.TuningInput); err != nil {
			return Plan{}, err
		}
	}
	p := Plan{AtOnce: 2 * len(run.PowerValues)}
	if run.ParallelInvocation {
		p.AtOnce = (1 + run.Num) * len(run.PowerValues)
	}
	for _, v := range c.Variants {
		if finished(v) || v.Execution != "" {
			continue
		}
		if err := fits(run, v, executionTimeout); err != nil {
			return Plan{}, err
		}
		p.add(c, v)
	}
	return p, nil
}

func (p *Plan) add(c *comparison.Comparison, v comparison.Result) {
	const overhead = 30 * time.Second // publishing the versions, and the clean-up
	run := c.Run
	invocations := run.Num * len(run.PowerValues)
	p.Executions++
	p.Invocations += invocations
	p.GETs += invocations * run.Repeat
	p.S3 += float64(invocations) * c.GETCostPerMillion() / 1e6
	p.StepFunctions += powertuning.ExecutionCost(region(run.StateMachine), len(run.PowerValues), coldStarts(run))
	var longest time.Duration
	for _, power := range run.PowerValues {
		one := lasts(run, v, power)
		all := executorLasts(run, one)
		longest = max(longest, all)
		p.Lambda += float64(run.Num) * c.CostPerMillion(power, ms(one)) / 1e6
		p.Executors += powertuning.ComputeCost(powertuning.X8664, powertuning.MinPower, ms(all))
	}
	p.Takes += longest + overhead
}

// coldStarts is how many versions of a power value are published for their
// cold starts.
func coldStarts(run comparison.Run) int {
	if run.TuningInput != nil && run.TuningInput.OnlyColdStarts {
		return run.Num
	}
	return 0
}

// executorLasts is how long the executor of a power value lasts whose
// invocations last so long each.
func executorLasts(run comparison.Run, one time.Duration) time.Duration {
	if run.ParallelInvocation {
		return one
	}
	return time.Duration(run.Num) * (one + time.Duration(run.SleepBetweenRunsMS)*time.Millisecond)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// fits refuses what cannot end in time even if the reads waited for nothing
// but S3.
func fits(run comparison.Run, v comparison.Result, executionTimeout time.Duration) error {
	if run.Repeat == 0 {
		return nil
	}
	one := waits(run, v)
	if limit := functionTimeout(run); one > limit {
		return fmt.Errorf("%s: an invocation of %s, and the function's timeout is %s\nlower %s to %d at most",
			v.Label(), reads(run, v), limit, repeatOf(v), repeatWithin(run, v, limit))
	}
	if all := executorLasts(run, one); all > executionTimeout {
		within := executionTimeout/time.Duration(run.Num) - time.Duration(run.SleepBetweenRunsMS)*time.Millisecond
		remedies := []string{"choose -parallel (parallelInvocation)"}
		if n := repeatWithin(run, v, within); n > 0 {
			remedies = append([]string{fmt.Sprintf("lower %s to %d at most", repeatOf(v), n)}, remedies...)
		}
		return fmt.Errorf("%s: %d invocations one after the other, each of %s, are %s, and the state machine's totalExecutionTimeout is %s\n%s",
			v.Label(), run.Num, reads(run, v), all.Round(time.Second), executionTimeout, strings.Join(remedies, ", or "))
	}
	return nil
}

// repeatOf names what says how many reads an invocation of v makes.
func repeatOf(v comparison.Result) string {
	if _, err := strategies.ByName(v.Strategy); err != nil {
		return "the payload's repeat"
	}
	return "-repeat"
}

// repeatWithin returns how many reads one invocation of v can wait for in d.
func repeatWithin(run comparison.Run, v comparison.Result, d time.Duration) int {
	return int(d * time.Duration(inFlight(run, v)) / readLatency)
}

func reads(run comparison.Run, v comparison.Result) string {
	return fmt.Sprintf("%d reads at %g ms, %d at once, is %s", run.Repeat, ms(readLatency), inFlight(run, v), waits(run, v).Round(time.Millisecond))
}

// WriteText writes the plan for people.
func (p Plan) WriteText(w io.Writer) error {
	var b strings.Builder
	gets := ""
	if p.GETs > 0 {
		gets = fmt.Sprintf(", %s S3 GETs", grouped(p.GETs))
	}
	plural := "s"
	if p.Executions == 1 {
		plural = ""
	}
	fmt.Fprintf(&b, "  On AWS: %s execution%s of Power Tuning, one after the other,\n  %s invocations%s\n",
		grouped(p.Executions), plural, grouped(p.Invocations), gets)
	fmt.Fprintf(&b, "  about %d min, up to %d Lambda invocations at once (new accounts: 10 at most)\n\n", int(math.Ceil(p.Takes.Minutes())), p.AtOnce)
	for _, line := range []struct {
		what    string
		dollars float64
	}{
		{"Lambda, compute and requests", p.Lambda},
		{"Lambda, Power Tuning's own functions", p.Executors},
		{"Step Functions", p.StepFunctions},
		{"S3 GETs", p.S3},
		{"together", p.Dollars()},
	} {
		fmt.Fprintf(&b, "    %-38s $%.4f\n", line.what, line.dollars)
	}
	fmt.Fprintf(&b, "\n  Estimated from above, at list prices: a read takes %g ms, and %g ms of CPU at\n  one vCPU; all sizes share %s GETs a second.\n",
		ms(readLatency), ms(readCPU), grouped(prefixRate))
	b.WriteString("  Power Tuning tries a size that fails up to three times.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// grouped writes n with a comma between thousands.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
