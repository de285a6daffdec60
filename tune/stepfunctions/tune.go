package stepfunctions

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	smithytime "github.com/aws/smithy-go/time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/fit"
	"lambda-parallel-io/tune/powertuning"
)

// Tune runs the variants of c that have not ended, one after another: two executions on one function must never
// overlap. It waits for a variant that already has an execution. It names the others after c.Run.Time, which must not
// change when a comparison is resumed. It calls observe with Changed before each start, once no other execution runs
// for the function, and again as soon as the execution has started.
//
// A failure of one variant is stored in it, and the next one goes on. An error of Tune concerns the whole comparison:
// credentials (see [IsCredentials]), somebody else's execution, the cause of ctx, an error of observe, or AWS out of
// reach. The current variant can then be resumed. Nothing is stopped: the error names an execution that goes on, and
// the commands that show and stop it.
//
// With c.Checks, Tune measures the open checks until one fails, and fits the map to them.
func (t *Tuner) Tune(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	all := executions(c)
	for i, x := range all {
		x.Tuner, x.more = t, i+1 < len(all) && len(c.Checks) == 0
		x.tell = func(now, finished string, changed bool) error {
			p := comparison.Progress{Step: "measuring", Done: i, Total: len(all), Now: now, Finished: finished, Changed: changed}
			if x.v.Ended() {
				p.Done++
			}
			x.record(c)
			return observe(p)
		}
		if err := x.settle(ctx); err != nil {
			return err
		}
		if n := slices.IndexFunc(c.Checks, func(k comparison.Check) bool { return k.Unchecked != "" }); n >= 0 {
			return fmt.Errorf("the check has to be made again: %s", c.Checks[n].Unchecked)
		}
	}
	if len(c.Checks) > 0 {
		return fit.Check(c)
	}
	return nil
}

// execution is the execution of one variant.
type execution struct {
	*Tuner
	run    comparison.Run
	v      *comparison.Result
	checks []*comparison.Check                            // that it measures
	more   bool                                           // others follow even if it fails, and need the function
	tell   func(now, finished string, changed bool) error // reports progress
}

// executions returns what c needs: one for each variant or, of checks, one for those that differ in the size alone.
func executions(c *comparison.Comparison) (all []*execution) {
	if len(c.Checks) == 0 {
		for i := range c.Variants {
			all = append(all, &execution{run: c.Run, v: &c.Variants[i]})
		}
	}
	for i := range c.Checks {
		k := &c.Checks[i]
		n := slices.IndexFunc(all, func(x *execution) bool { return x.v.Label() == k.Label() && x.run.Repeat == k.Repeat })
		if n < 0 {
			v := k.Variant(c.Run.ObjectKey, k.Repeat)
			x := &execution{run: c.Run, v: &comparison.Result{Variant: v, Execution: k.Execution, Error: k.Unchecked}}
			if x.run.PowerValues, x.run.Repeat = nil, k.Repeat; k.MeasuredMS > 0 {
				x.v.Tuning = &powertuning.Output{}
			}
			n, all = len(all), append(all, x)
		}
		all[n].run.PowerValues = slices.Sorted(slices.Values(append(all[n].run.PowerValues, k.Power)))
		all[n].checks = append(all[n].checks, k)
	}
	return all
}

// record puts what was measured into the checks of c. A failure is that of every check without a measurement.
func (x *execution) record(c *comparison.Comparison) {
	failed := x.v.Error
	for _, k := range x.checks {
		k.Execution = x.v.Execution
		if cell := x.v.Cell(k.Power); cell != nil {
			k.MeasuredMS, failed = cell.AverageMS, cmp.Or(failed, cell.Error)
		}
	}
	for i := range c.Checks {
		if k := &c.Checks[i]; failed != "" && k.MeasuredMS == 0 {
			k.Unchecked = x.v.Label() + ": " + failed
		}
	}
}

// settle fills in the variant unless it has ended.
func (x *execution) settle(ctx context.Context) error {
	if x.v.Ended() {
		return nil
	}
	e, err := x.wait(ctx)
	if err != nil && x.v.Execution != "" {
		return fmt.Errorf("%w\nthe execution of %s goes on:\n%s", err, x.v.Label(), x.commands(x.v.Execution))
	}
	if err == nil && !x.v.Ended() {
		err = x.readAnswer(ctx, e)
	}
	if err != nil {
		return err
	}
	took := elapsed(e, aws.ToTime(e.StopDate))
	finished := fmt.Sprintf("%s: failed after %s: %s", x.v.Label(), took, x.v.Error)
	if x.v.Error == "" {
		finished = fmt.Sprintf("%s: %d sizes in %s", x.v.Label(), len(x.v.Tuning.Stats), took)
	}
	return x.tell("", finished, true)
}

func (x *execution) start(ctx context.Context) error {
	name, in := x.request()
	arn := strings.Replace(x.StateMachine, ":stateMachine:", ":execution:", 1) + ":" + name
	err := x.idle(ctx, arn)
	if ctx.Err() != nil {
		return fmt.Errorf("%w before %s was started: no execution of this comparison runs", context.Cause(ctx), x.v.Label())
	}
	if err == nil {
		err = x.tell(x.v.Label()+", starting", "", true)
	}
	if err != nil {
		return err
	}
	_, err = x.client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &x.StateMachine, Name: &name, Input: &in})
	_, exists := errors.AsType[*types.ExecutionAlreadyExists](err)
	switch {
	case err == nil || exists: // one that exists has ended; it is ours, as name and input are the same
		x.v.Execution = arn
	case ctx.Err() != nil:
		return fmt.Errorf("%w while %s was started: its execution may run\n%s", context.Cause(ctx), x.v.Label(), x.commands(arn))
	default:
		return x.failed(ctx, "states:StartExecution", x.StateMachine, err)
	}
	return x.tell(x.v.Label()+", started", "", true)
}

// idle returns an error if another execution of the state machine runs for the function: two of them would change
// each other's memory size and aliases, and spoil both results without an error. It may miss one that has just
// started, as ListExecutions is eventually consistent, and those of another Power Tuning.
func (t *Tuner) idle(ctx context.Context, own string) error {
	pages := sfn.NewListExecutionsPaginator(t.client,
		&sfn.ListExecutionsInput{StateMachineArn: &t.StateMachine, StatusFilter: types.ExecutionStatusRunning})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return t.failed(ctx, "states:ListExecutions", t.StateMachine, err)
		}
		for _, running := range page.Executions {
			arn := aws.ToString(running.ExecutionArn)
			if arn == own {
				continue
			}
			e, err := t.client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
			if err != nil {
				return t.failed(ctx, "states:DescribeExecution", arn, err)
			}
			var in struct{ LambdaARN string } // empty where the input cannot be read: it may be the same function
			_ = json.Unmarshal([]byte(aws.ToString(e.Input)), &in)
			same := in.LambdaARN == "" || strings.HasPrefix(in.LambdaARN+":", t.Function+":") // or an alias of it
			if same && e.Status == types.ExecutionStatusRunning {
				return fmt.Errorf("the execution %s runs for the same function, %s, since %s: two at once would spoil each other's figures\nwait until it has ended, or stop it:\n%s",
					arn, cmp.Or(in.LambdaARN, "or one that its input does not name"), aws.ToTime(e.StartDate).UTC().Format(time.DateTime+" UTC"), t.commands(arn))
			}
		}
	}
	return nil
}

// wait polls the execution, which it starts if need be, until it has ended. One that is gone is the variant's error.
func (x *execution) wait(ctx context.Context) (*sfn.DescribeExecutionOutput, error) {
	if x.v.Execution == "" {
		if err := x.start(ctx); err != nil {
			return nil, err
		}
	}
	const unseen = 5 // polls that may miss an execution that has just started: answers are eventually consistent
	for n := 0; ; n++ {
		e, err := x.client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &x.v.Execution})
		_, gone := errors.AsType[*types.ExecutionDoesNotExist](err)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%w during %s", context.Cause(ctx), x.v.Label())
		case gone && n < unseen:
		case gone:
			x.v.Error = fmt.Sprintf("the execution %s does not exist: Step Functions deletes executions after 90 days", x.v.Execution)
			return &sfn.DescribeExecutionOutput{}, nil
		case err != nil:
			return nil, x.failed(ctx, "states:DescribeExecution", x.v.Execution, err)
		case e.Status != types.ExecutionStatusRunning:
			return e, nil
		default:
			if err := x.tell(fmt.Sprintf("%s, %s for %s", x.v.Label(), e.Status, elapsed(e, x.now())), "", false); err != nil {
				return nil, err
			}
		}
		delay, _ := x.backoff.BackoffDelay(n, nil)  // fails only without the system's random numbers
		_ = smithytime.SleepWithContext(ctx, delay) // the next poll sees that ctx has ended
	}
}

// elapsed is never negative, even though the two times may come from different clocks.
func elapsed(e *sfn.DescribeExecutionOutput, until time.Time) time.Duration {
	return max(0, until.Sub(aws.ToTime(e.StartDate))).Round(time.Second)
}

// commands show and stop an execution. The text says what stopping leaves behind.
func (t *Tuner) commands(execution string) string {
	return say("commands", struct{ Execution, Region, Profile string }{execution, t.Region, t.Profile})
}

// input returns the input of the execution, in which the comparison's values replace those of a given input.
func (x *execution) input() powertuning.Input {
	run := &x.run
	in := *cmp.Or(run.TuningInput, &powertuning.Input{})
	in.LambdaARN, in.PowerValues, in.Num, in.Payload = run.Function, run.PowerValues, run.Num, x.v.Payload
	in.Strategy, in.BalancedWeight, in.DiscardTopBottom = run.TuningStrategy, &run.BalancedWeight, &run.DiscardTopBottom
	in.SleepBetweenMS, in.ParallelInvocation = run.SleepBetweenRunsMS, run.ParallelInvocation
	in.IncludeOutputResults = true
	return in
}

// request returns the name and the input of the execution. The name is readable and, for one variant of one
// comparison, always the same: StartExecution is idempotent for a name and an input, so an execution whose ARN was
// never saved is found again, not started twice. It refuses the same name with another input, hence the hash of it.
func (x *execution) request() (name, input string) {
	b, _ := json.Marshal(x.input()) // cannot fail: a payload is JSON
	name = x.v.Strategy
	if x.v.Concurrency != nil {
		name += fmt.Sprintf("-%d", *x.v.Concurrency)
	}
	at := x.run.Time.UTC()
	sum := sha256.Sum256([]byte(x.run.StateMachine + at.Format(time.RFC3339Nano) + name + string(b)))
	return fmt.Sprintf("%s-%s-%x", name, at.Format("20060102T150405Z"), sum[:8]), string(b)
}
