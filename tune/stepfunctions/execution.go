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

	"lambda-parallel-io/tune/result"
)

// variant runs v's execution, or waits for the one it has, and fills in v. It
// returns how long the execution took.
func (t *Tuner) variant(ctx context.Context, run result.Run, v *result.Variant, tell func(now string, changed bool)) (time.Duration, error) {
	tell(v.Label()+", starting", false)
	if v.Execution == "" {
		if err := t.start(ctx, run, v); err != nil {
			return 0, err
		}
		tell(v.Label()+", started", true)
	}
	e, err := t.wait(ctx, v, tell)
	if err != nil {
		return 0, err
	}
	if e == nil {
		return 0, nil
	}
	t.fill(ctx, run, v, e)
	return aws.ToTime(e.StopDate).Sub(aws.ToTime(e.StartDate)), nil
}

// start starts v's execution, unless it was started before.
func (t *Tuner) start(ctx context.Context, run result.Run, v *result.Variant) error {
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
	case errors.As(err, &exists): // it has ended meanwhile: name and input are one, so it is ours
		v.Execution = arn
	case ctx.Err() != nil: // what was asked may have been done
		v.Execution = arn
		e := t.interrupted(ctx, *v).(*InterruptedError)
		e.text = strings.Replace(e.text, "its execution goes on", "its execution may have been started", 1)
		v.Execution = ""
		return e
	case errors.As(err, &refused):
		v.Error = fmt.Sprintf("the state machine refused the execution's input: %s", refused.ErrorMessage())
	default:
		return t.failed("StartExecution", t.StateMachine, err)
	}
	return nil
}

// wait looks at v's execution until it has ended. It returns nil when v has
// failed meanwhile.
func (t *Tuner) wait(ctx context.Context, v *result.Variant, tell func(string, bool)) (*sfn.DescribeExecutionOutput, error) {
	for n := 0; v.Error == ""; n++ {
		e, err := t.client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &v.Execution}, patient)
		var gone *types.ExecutionDoesNotExist
		switch {
		case ctx.Err() != nil:
			return nil, t.interrupted(ctx, *v)
		case errors.As(err, &gone):
			// Just started, it may not be seen yet: answers are eventually consistent.
			if n == 5 {
				v.Error = fmt.Sprintf("the execution %s does not exist (any more: Step Functions forgets them after 90 days)", v.Execution)
			}
		case err != nil:
			return nil, fmt.Errorf("%w\nthe execution of %s goes on:\n%s", t.failed("DescribeExecution", v.Execution, err), v.Label(), t.commands(v.Execution))
		case ended(e.Status):
			return e, nil
		default:
			elapsed := max(0, time.Since(aws.ToTime(e.StartDate))).Round(time.Second)
			tell(fmt.Sprintf("%s, %s for %s", v.Label(), e.Status, elapsed), false)
		}
		select {
		case <-ctx.Done():
		case <-time.After(t.Backoff(n)):
		}
	}
	return nil, nil
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
