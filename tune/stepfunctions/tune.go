package stepfunctions

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// Tune runs the variants of c that have not ended, one after the other: two
// executions on one function must never overlap. A variant that has an
// execution already is waited for; the others are started under a name that
// follows from c.Run.Time, which must not change when a comparison is taken up
// again. So observe is called, with Changed, before each start, once it is
// known that no other execution runs for the function, and again as soon as the
// execution has been started.
//
// What goes wrong in one variant is its error, and the next one goes on. The
// error of Tune is one of the comparison as a whole: credentials (see
// [IsCredentials]), an execution of someone else, the cause of ctx, what observe
// returned, or that AWS could not be reached. It leaves the variant that it met
// as it was, to be taken up again, stops nothing, and names the execution that
// goes on, with the commands that show and stop it.
//
// Of a check it measures the checks that are open, and makes it the map as it is on
// that Lambda. An execution that fails is the last one, and leaves no check open.
func (t *Tuner) Tune(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	if len(c.Checks) > 0 {
		return t.check(ctx, c, observe)
	}
	for i := range c.Variants {
		v := &c.Variants[i]
		if v.Ended() {
			continue
		}
		tell := func(now, finished string, changed bool) error {
			p := comparison.Progress{Done: i, Total: len(c.Variants), Now: now, Finished: finished, Changed: changed}
			if v.Ended() {
				p.Done++
			}
			return observe(p)
		}
		turn := &turn{t, c.Run, v, i+1 < len(c.Variants), tell}
		took, err := turn.take(ctx)
		if err != nil {
			return err
		}
		if err := tell("", outcome(*v, took), true); err != nil {
			return err
		}
	}
	return nil
}

// turn is that of one variant.
type turn struct {
	*Tuner
	run    comparison.Run
	v      *comparison.Result
	needed bool                                           // whether the function is, after it
	tell   func(now, finished string, changed bool) error // what the variant does, and what has finished
}

// take runs the variant's execution, or waits for the one it has, and fills in
// the variant. It returns how long the execution took.
func (t *turn) take(ctx context.Context) (time.Duration, error) {
	var e *sfn.DescribeExecutionOutput
	var err error
	if t.v.Execution == "" {
		err = t.start(ctx)
	}
	if err == nil {
		e, err = t.wait(ctx)
	}
	switch {
	case err != nil && t.v.Execution != "":
		return 0, fmt.Errorf("%w\nthe execution of %s goes on:\n%s", err, t.v.Label(), t.commands(t.v.Execution))
	case err != nil || t.v.Ended():
		return 0, err
	}
	return elapsed(e, aws.ToTime(e.StopDate)), t.readAnswer(ctx, e)
}

// start starts the variant's execution, unless it was started before.
func (t *turn) start(ctx context.Context) error {
	in := input(t.run, *t.v)
	name := executionName(t.run, *t.v, in)
	arn := strings.Replace(t.StateMachine, ":stateMachine:", ":execution:", 1) + ":" + name
	err := t.idle(ctx, arn)
	if ctx.Err() != nil {
		return fmt.Errorf("%w before %s was started: no execution of this comparison runs", context.Cause(ctx), t.v.Label())
	}
	if err != nil {
		return err
	}
	if err := t.tell(t.v.Label()+", starting", "", true); err != nil {
		return err
	}
	out, err := t.client.StartExecution(ctx,
		&sfn.StartExecutionInput{StateMachineArn: &t.StateMachine, Name: &name, Input: &in})
	var exists *types.ExecutionAlreadyExists
	switch {
	case err == nil:
		t.v.Execution = aws.ToString(out.ExecutionArn)
	case errors.As(err, &exists): // and has ended: name and input are one, so it is ours
		t.v.Execution = arn
	case ctx.Err() != nil:
		return fmt.Errorf("%w while %s was started: its execution may run\n%s",
			context.Cause(ctx), t.v.Label(), t.commands(arn))
	default:
		return t.failed(ctx, "states:StartExecution", t.StateMachine, err)
	}
	return t.tell(t.v.Label()+", started", "", true)
}

// idle returns nil when no execution of the state machine runs for the
// function but the caller's own: two of them rewrite each other's memory size
// and aliases, and the figures of both go wrong without a word.
//
// What it sees may be some seconds old (ListExecutions is eventually
// consistent), and of another Power Tuning it sees nothing.
func (t *Tuner) idle(ctx context.Context, own string) error {
	pages := sfn.NewListExecutionsPaginator(t.client, &sfn.ListExecutionsInput{
		StateMachineArn: &t.StateMachine,
		StatusFilter:    types.ExecutionStatusRunning,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return t.failed(ctx, "states:ListExecutions", t.StateMachine, err)
		}
		for _, e := range page.Executions {
			if aws.ToString(e.ExecutionArn) == own {
				continue
			}
			if err := t.tunesAnother(ctx, aws.ToString(e.ExecutionArn)); err != nil {
				return err
			}
		}
	}
	return nil
}

// tunesAnother returns nil when an execution has ended or is for another
// function.
func (t *Tuner) tunesAnother(ctx context.Context, execution string) error {
	e, err := t.client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &execution})
	if err != nil {
		return t.failed(ctx, "states:DescribeExecution", execution, err)
	}
	var in struct {
		LambdaARN string `json:"lambdaARN"`
	}
	// An input that cannot be read leaves the name empty: it may be the same.
	_ = json.Unmarshal([]byte(aws.ToString(e.Input)), &in)
	if ended(e.Status) || in.LambdaARN != "" && in.LambdaARN != t.Function && !strings.HasPrefix(in.LambdaARN, t.Function+":") { // an alias
		return nil
	}
	return fmt.Errorf("the execution %s runs for the same function, %s, since %s: two at once would spoil each other's figures\nwait until it has ended, or stop it:\n%s",
		execution, cmp.Or(in.LambdaARN, "or one that its input does not name"), aws.ToTime(e.StartDate).UTC().Format(time.DateTime+" UTC"), t.commands(execution))
}

func ended(s types.ExecutionStatus) bool {
	return s != types.ExecutionStatusRunning && s != types.ExecutionStatusPendingRedrive
}

// wait looks at the variant's execution until it has ended.
func (t *turn) wait(ctx context.Context) (*sfn.DescribeExecutionOutput, error) {
	const unseen = 5 // looks that may miss an execution just started: answers are eventually consistent
	for n := 0; ; n++ {
		e, err := t.client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &t.v.Execution})
		var gone *types.ExecutionDoesNotExist
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%w during %s", context.Cause(ctx), t.v.Label())
		case errors.As(err, &gone) && n < unseen:
		case errors.As(err, &gone):
			t.v.Error = fmt.Sprintf("the execution %s does not exist (any more: Step Functions forgets one after 90 days)", t.v.Execution)
			return nil, nil
		case err != nil:
			return nil, t.failed(ctx, "states:DescribeExecution", t.v.Execution, err)
		case ended(e.Status):
			return e, nil
		default:
			if err := t.tell(fmt.Sprintf("%s, %s for %s", t.v.Label(), e.Status, elapsed(e, t.now())), "", false); err != nil {
				return nil, err
			}
		}
		delay, _ := t.backoff.BackoffDelay(n, nil) // fails without the system's random numbers alone
		_ = pause(ctx, delay)                      // that ctx has ended is seen above
	}
}

// elapsed is never negative: one of the times may be by another clock.
func elapsed(e *sfn.DescribeExecutionOutput, until time.Time) time.Duration {
	return max(0, until.Sub(aws.ToTime(e.StartDate))).Round(time.Second)
}

// commands are those that show and stop an execution, and what stopping
// leaves behind.
func (t *Tuner) commands(execution string) string {
	rest := execution + " --region " + t.Region
	if t.Profile != "" {
		rest += " --profile " + t.Profile
	}
	return "  show it: aws stepfunctions describe-execution --execution-arn " + rest + "\n" +
		"  stop it: aws stepfunctions stop-execution --execution-arn " + rest + "\n" +
		"  Stopping it skips Power Tuning's clean-up: the function keeps the aliases RAM<power> and their versions,\n" +
		"  and may keep another memory size on $LATEST, which `pulumi refresh`, then `pulumi up`, sets right."
}

// input is what the state machine is given for a variant: the input that was
// given, if one was, and over it what the comparison says.
func input(run comparison.Run, v comparison.Result) string {
	var in powertuning.Input
	if run.TuningInput != nil {
		in = *run.TuningInput
	}
	in.LambdaARN = run.Function
	in.PowerValues, in.Num, in.Payload = run.PowerValues, run.Num, v.Payload
	in.Strategy, in.BalancedWeight, in.DiscardTopBottom = run.TuningStrategy, &run.BalancedWeight, &run.DiscardTopBottom
	in.SleepBetweenMS, in.ParallelInvocation = run.SleepBetweenRunsMS, run.ParallelInvocation
	in.IncludeOutputResults = true
	b, _ := json.Marshal(in) // a payload is JSON
	return string(b)
}

// executionName names the execution of a variant, readably, and the same
// again for the same variant of the same comparison. So an execution whose
// start was cut off before its ARN was saved is found by its name, and
// StartExecution, idempotent for the same name and input, never starts it
// twice. The input is part of the name, since another input would be refused
// under it.
func executionName(run comparison.Run, v comparison.Result, input string) string {
	label := v.Strategy
	if v.Concurrency != nil {
		label += "-" + strconv.Itoa(*v.Concurrency)
	}
	at := run.Time.UTC()
	sum := sha256.Sum256([]byte(run.StateMachine + at.Format(time.RFC3339Nano) + label + input))
	return fmt.Sprintf("%s-%s-%x", label, at.Format("20060102T150405Z"), sum[:8])
}
