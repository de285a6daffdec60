package stepfunctions

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"lambda-parallel-io/tune/powertuning"
)

// Settings say on what a comparison runs.
type Settings struct {
	StateMachine string // ARN of the Power Tuning state machine, without a version
	Function     string // ARN of the function, without version or alias
	Region       string // of the state machine
	Profile      string // of the shared AWS configuration; empty for the default chain's own choice
	ObjectKey    string // the object that the stack's function reads; empty where no stack was asked
}

// Resolve completes the settings that flags gave by the outputs of the Pulumi
// stack of that name. With both ARNs among the flags the stack is not asked,
// and Pulumi need not be there. The region is the flag's, else that of the
// state machine's ARN.
func Resolve(ctx context.Context, stack string, flags Settings) (Settings, error) {
	s := flags
	if s.StateMachine == "" || s.Function == "" {
		if stack == "" {
			return Settings{}, errors.New("a comparison on AWS needs a state machine and a function:\nname a Pulumi stack by -stack, or both by -state-machine ARN and -function-arn ARN")
		}
		out, err := Stack(ctx, stack)
		if err != nil {
			return Settings{}, err
		}
		if s.StateMachine, err = out.or(s.StateMachine, "stateMachineArn", out.StateMachineARN, "-state-machine ARN"); err != nil {
			return Settings{}, err
		}
		if s.Function, err = out.or(s.Function, "functionArn", out.FunctionARN, "-function-arn ARN"); err != nil {
			return Settings{}, err
		}
		s.ObjectKey = cmp.Or(s.ObjectKey, out.ObjectKey)
	}
	if err := checkStateMachine(s.StateMachine); err != nil {
		return Settings{}, fmt.Errorf("-state-machine %w", err)
	}
	if err := powertuning.CheckFunctionARN(s.Function); err != nil {
		return Settings{}, fmt.Errorf("-function-arn %w", err)
	}
	s.Region = cmp.Or(s.Region, region(s.StateMachine))
	return s, nil
}
