package stepfunctions

import (
	"cmp"
	"context"

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

// FlagError says that a flag is missing, or what is wrong with its value.
type FlagError string

func (e FlagError) Error() string { return string(e) }

// Resolve completes the settings that flags gave by the outputs of the Pulumi
// stack of that name. With both ARNs among the flags the stack is not asked,
// and Pulumi need not be there. The region is the flag's, else that of the
// state machine's ARN. Its error is a [FlagError], or says why the stack's
// outputs cannot be had and what to do.
func Resolve(ctx context.Context, stack string, flags Settings) (Settings, error) {
	s := flags
	if s.StateMachine == "" || s.Function == "" {
		if stack == "" {
			return Settings{}, FlagError("a comparison on AWS needs a state machine and a function:\nname a Pulumi stack by -stack, or both by -state-machine ARN and -function-arn ARN")
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
		return Settings{}, FlagError("-state-machine " + err.Error())
	}
	if err := powertuning.CheckFunctionARN(s.Function); err != nil {
		return Settings{}, FlagError("-function-arn " + err.Error())
	}
	s.Region = cmp.Or(s.Region, region(s.StateMachine))
	return s, nil
}
