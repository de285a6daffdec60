package stepfunctions

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// Deployment holds the flags that name what is deployed on AWS, and what only a comparison there can do.
type Deployment struct {
	Stack            string        `first:"" placeholder:"NAME" help:"Pulumi stack whose outputs name the function and the state machine."`
	StateMachine     string        `placeholder:"ARN" help:"State machine of Power Tuning, in place of the stack's."`
	FunctionARN      string        `placeholder:"ARN" help:"Function, in place of the stack's."`
	Profile          string        `placeholder:"NAME" help:"Profile of the AWS configuration."`
	Region           string        `placeholder:"NAME" help:"Region of the state machine (that of its ARN)."`
	Input            string        `placeholder:"FILE" xor:"payload" help:"Power Tuning execution input. Flags given here win over it."`
	Prefix           *string       `placeholder:"P" help:"Read the objects below this prefix, at most 2000 or the payload's maxObjects, in place of one object (the stack's prefix, if the stack has no object)."`
	Parallel         bool          `help:"Run all invocations of a size at once, not one by one."`
	ExecutionTimeout time.Duration `placeholder:"D" help:"totalExecutionTimeout of Power Tuning (the stack's, else 600s)."`
}

// Tuner returns a tuner for the flags, the outputs of the stack, and the architecture and timeout of spec. In a dry run it
// cannot call AWS, and so needs no credentials.
func (d *Deployment) Tuner(ctx context.Context, spec comparison.Spec, dry bool) (*Tuner, error) {
	target, err := Resolve(ctx, d.Stack, Target{StateMachine: d.StateMachine, Function: d.FunctionARN, Region: d.Region,
		Profile: d.Profile, ExecutionTimeout: d.ExecutionTimeout, Arch: spec.Arch, Timeout: spec.Timeout()})
	if err != nil || dry {
		return &Tuner{Target: target}, err
	}
	return New(ctx, target)
}

// Ask completes the request by the flags, the execution input and the target, and makes the comparison.
func (d *Deployment) Ask(r comparison.Request, target Target) (*comparison.Comparison, error) {
	if d.Input != "" {
		raw, err := os.ReadFile(d.Input)
		if err != nil {
			return nil, fmt.Errorf("--input: %w", err)
		}
		in, err := powertuning.ParseInput(raw)
		if err != nil {
			return nil, fmt.Errorf("--input %s: %w", d.Input, err)
		}
		r.Input = &in
	}
	s := &r.Spec
	s.Arch, s.TimeoutSec, s.StateMachine, s.Function = target.Arch, target.Timeout.Seconds(), target.StateMachine, target.Function
	s.Region, s.ParallelInvocation = RegionOf(target.Function), d.Parallel // prices are those of the function's region
	s.ObjectKey, r.Powers, r.Ours = cmp.Or(target.ObjectKey, "sample.json"), target.PowerValues, true
	if r.Prefix, r.PrefixWins = d.Prefix, d.Prefix != nil; !r.PrefixWins && target.ObjectKey == "" {
		r.Prefix = target.Prefix
	}
	spec, err := comparison.Build(r)
	return comparison.New(spec, time.Now()), err
}
