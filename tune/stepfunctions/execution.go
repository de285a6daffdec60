package stepfunctions

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"

	"lambda-parallel-io/tune/comparison"
)

// variantError is what went wrong in one variant and is no hindrance to the
// others.
type variantError string

func (e variantError) Error() string { return string(e) }

// variant runs v's execution, or waits for the one it has, and fills in v. It
// returns how long the execution took.
func (t *Tuner) variant(ctx context.Context, run comparison.Run, v *comparison.Result, tell func(now string, changed bool)) (time.Duration, error) {
	var err error
	if v.Execution == "" {
		tell(v.Label()+", starting", false)
		if err = t.start(ctx, run, v); err == nil {
			tell(v.Label()+", started", true)
		}
	}
	var e *sfn.DescribeExecutionOutput
	if err == nil {
		e, err = t.wait(ctx, *v, tell)
	}
	var own variantError
	switch {
	case errors.As(err, &own):
		v.Error = own.Error()
		return 0, nil
	case err != nil:
		return 0, err
	}
	return elapsed(e.StartDate, e.StopDate), t.fill(ctx, run, v, e)
}

// start starts v's execution, unless it was started before.
func (t *Tuner) start(ctx context.Context, run comparison.Run, v *comparison.Result) error {
	in, err := input(run, *v)
	if err != nil {
		return err
	}
	name := executionName(run, *v, in)
	arn := executionARN(t.StateMachine, name)
	if err := t.idle(ctx, arn); err != nil {
		if ctx.Err() != nil {
			return t.interrupted(ctx, *v)
		}
		return err
	}
	out, err := t.client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &t.StateMachine, Name: &name, Input: &in})
	var exists *types.ExecutionAlreadyExists
	var refused *types.InvalidExecutionInput
	switch {
	case err == nil:
		v.Execution = aws.ToString(out.ExecutionArn)
		return nil
	case errors.As(err, &exists): // and has ended: name and input are one, so it is ours
		v.Execution = arn
		return nil
	case ctx.Err() != nil:
		return &InterruptedError{arn, context.Cause(ctx), fmt.Sprintf(
			"interrupted while %s was started: its execution may run\n%s", v.Label(), t.commands(arn))}
	case errors.As(err, &refused):
		return variantError("the state machine refused the execution's input: " + refused.ErrorMessage())
	}
	return t.failed("StartExecution", t.StateMachine, err)
}

// wait looks at v's execution until it has ended.
func (t *Tuner) wait(ctx context.Context, v comparison.Result, tell func(string, bool)) (*sfn.DescribeExecutionOutput, error) {
	const unseen = 5 // looks that may miss an execution just started: answers are eventually consistent
	for n := 0; ; n++ {
		e, err := t.client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &v.Execution}, patient)
		var gone *types.ExecutionDoesNotExist
		switch {
		case ctx.Err() != nil:
			return nil, t.interrupted(ctx, v)
		case errors.As(err, &gone) && n < unseen:
		case errors.As(err, &gone):
			return nil, variantError(fmt.Sprintf("the execution %s does not exist (any more: Step Functions forgets one after 90 days)", v.Execution))
		case err != nil:
			return nil, fmt.Errorf("%w\nthe execution of %s goes on:\n%s", t.failed("DescribeExecution", v.Execution, err), v.Label(), t.commands(v.Execution))
		case ended(e.Status):
			return e, nil
		default:
			now := time.Now()
			tell(fmt.Sprintf("%s, %s for %s", v.Label(), e.Status, elapsed(e.StartDate, &now).Round(time.Second)), false)
		}
		select {
		case <-ctx.Done():
			return nil, t.interrupted(ctx, v)
		case <-time.After(t.Backoff(n)):
		}
	}
}

// elapsed is never negative: one of the times may be by another clock.
func elapsed(from, to *time.Time) time.Duration {
	if from == nil || to == nil {
		return 0
	}
	return max(0, to.Sub(*from))
}

// failed says what a call that failed for good means, and what to do.
func (t *Tuner) failed(action, resource string, err error) error {
	if IsCredentials(err) {
		return err
	}
	if refused := t.login.refused(err, action, resource); refused != nil {
		return refused
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fmt.Errorf("states:%s: AWS could not be reached: %w\ncheck the network, the region %s and AWS_ENDPOINT_URL_SFN", action, err, t.Region)
	}
	remedy := ""
	switch strings.TrimSuffix(api.ErrorCode(), "Exception") {
	case "StateMachineDoesNotExist", "StateMachineDeleting", "InvalidArn":
		remedy = "\ncheck the ARN and the region; `pulumi up` deploys the state machine, `pulumi stack output stateMachineArn` names it"
	case "StateMachineTypeNotSupported":
		remedy = "\nPower Tuning is a standard workflow, and this is an express one: check the ARN"
	case "Throttling", "TooManyRequests":
		remedy = fmt.Sprintf("\nit was tried %d times: try again later", attempts)
	}
	return fmt.Errorf("states:%s on %s: %s: %s%s", action, resource, api.ErrorCode(), api.ErrorMessage(), remedy)
}
