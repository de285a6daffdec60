package stepfunctions

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// Target is where on AWS a comparison runs: its flags, and what is deployed there; unknown fields are zero. Its JSON is
// the outputs of a Pulumi stack, in which times are seconds. The ARNs have no version or alias.
type Target struct {
	StateMachine     string        `json:"stateMachineArn" placeholder:"ARN" help:"State machine of Power Tuning, in place of the stack's."`
	Function         string        `json:"functionArn" name:"function-arn" placeholder:"ARN" help:"Function, in place of the stack's."`
	Profile          string        `json:"-" placeholder:"NAME" help:"Profile of the AWS configuration."`
	Region           string        `json:"-" placeholder:"NAME" help:"Region of the state machine (that of its ARN)."`
	Input            string        `json:"-" placeholder:"FILE" xor:"payload" help:"Power Tuning execution input. Flags given here win over it."`
	Prefix           *string       `json:"prefix" placeholder:"P" help:"Read the objects below this prefix, at most 2000 or the payload's maxObjects, in place of one object (the stack's prefix, if the stack has no object)."`
	Parallel         bool          `json:"-" help:"Run all invocations of a size at once, not one by one."`
	ExecutionTimeout time.Duration `json:"totalExecutionTimeout" placeholder:"D" help:"totalExecutionTimeout of Power Tuning (the stack's, else 600s)."`

	ObjectKey   string        `json:"objectKey" kong:"-"`    // the object that the function reads
	Arch        string        `json:"architecture" kong:"-"` // arm64 or x86_64
	Timeout     time.Duration `json:"timeout" kong:"-"`      // of the function, 1 to 900 s
	PowerValues []int         `json:"powerValues" kong:"-"`  // MB: what the state machine measures by default

	told      bool   // a stack has told Arch and Timeout
	mayInvoke string // prefix of the ARNs that a stack's executor may invoke; empty if not known
}

// Resolve completes flags by the outputs of the named Pulumi stack, which it does not need if flags have both ARNs. The
// region defaults to that of the state machine's ARN. A flag that is missing, malformed or contradicts the stack is a
// [*comparison.FieldError]; any other error says what is wrong with the stack, and what to do.
func Resolve(ctx context.Context, stack string, flags Target) (Target, error) {
	t, err := flags, flags.check()
	if err == nil && (t.StateMachine == "" || t.Function == "") {
		err = t.complete(ctx, stack)
	}
	t.Region = cmp.Or(t.Region, RegionOf(t.StateMachine))
	return t, err
}

// complete adopts the outputs of a stack. What it says of its own function and state machine does not hold for others.
func (t *Target) complete(ctx context.Context, stack string) error {
	if stack == "" {
		return &comparison.FieldError{Field: "stack",
			Problem: "is missing: a comparison on AWS needs a Pulumi stack, or both --state-machine ARN and --function-arn ARN"}
	}
	out, err := outputs(ctx, stack)
	if err != nil {
		return fmt.Errorf("the outputs of the Pulumi stack %q: %w", stack, err)
	}
	t.StateMachine, t.Function = cmp.Or(t.StateMachine, out.StateMachine), cmp.Or(t.Function, out.Function)
	t.ObjectKey, t.Prefix = cmp.Or(t.ObjectKey, out.ObjectKey), cmp.Or(t.Prefix, out.Prefix)
	if t.Function != out.Function {
		out.Arch, out.Timeout = "", 0
	}
	if t.StateMachine == out.StateMachine {
		t.PowerValues, t.mayInvoke = out.PowerValues, out.Function
	} else {
		out.ExecutionTimeout = 0
	}
	t.told = out.Arch != "" && out.Timeout != 0
	return t.learn(out, fmt.Sprintf("of the stack %q", stack))
}

// learn sets the flags that were left out to what is known, and refuses those that differ.
func (t *Target) learn(known Target, whose string) error {
	return cmp.Or(
		adopt("arch", &t.Arch, known.Arch, "the architecture of the function "+whose),
		adopt("timeout", &t.Timeout, known.Timeout, "the timeout of the function "+whose),
		adopt("execution-timeout", &t.ExecutionTimeout, known.ExecutionTimeout, "totalExecutionTimeout "+whose),
	)
}

func adopt[T comparable](flag string, value *T, known T, what string) error {
	if *value = cmp.Or(*value, known); *value != cmp.Or(known, *value) {
		return &comparison.FieldError{Field: flag, Problem: fmt.Sprintf("%v: %s is %v, so leave it out", *value, what, known)}
	}
	return nil
}

// outputs asks the Pulumi CLI on PATH for the stack's outputs; the project is in the working directory. Without stdin
// the CLI cannot ask anything.
func outputs(ctx context.Context, stack string) (Target, error) {
	stdout, err := exec.CommandContext(ctx, "pulumi", "stack", "output", "--json", "--stack", stack).Output()
	if err != nil {
		exit, _ := errors.AsType[*exec.ExitError](err)
		stderr := strings.TrimSpace(string(cmp.Or(exit, &exec.ExitError{}).Stderr))
		said := cmp.Or(strings.TrimPrefix(stderr, "error: "), err.Error())
		return Target{}, cmp.Or(context.Cause(ctx), errors.New(say("no outputs", said)))
	}
	var t Target
	if err := json.Unmarshal(stdout, &t); err != nil {
		return Target{}, fmt.Errorf("pulumi printed something other than a JSON object of this project's outputs: %w", err)
	}
	if t.StateMachine == "" || t.Function == "" {
		return Target{}, fmt.Errorf("stateMachineArn or functionArn is missing: `pulumi up --stack %s` deploys them", stack)
	}
	t.Timeout, t.ExecutionTimeout = t.Timeout*time.Second, t.ExecutionTimeout*time.Second
	slices.Sort(t.PowerValues)
	spec := comparison.Spec{Arch: t.Arch, TimeoutSec: t.Timeout.Seconds(), PowerValues: t.PowerValues}
	_, err = comparison.Build(comparison.Request{Spec: spec}) // which has defaults for what an older deployment does not tell
	if err := cmp.Or(err, t.check()); err != nil {
		return Target{}, errors.New(err.Error()) // no flag is to blame
	}
	return t, nil
}

// check refuses malformed fields. A state machine may have no version or alias, because running executions are looked up
// over all its versions.
func (t Target) check() error {
	notFunction := powertuning.CheckFunctionARN(t.Function)
	switch s, d := t.StateMachine, t.ExecutionTimeout; {
	case s != "" && !stateMachineARN.MatchString(s):
		return &comparison.FieldError{Field: "state-machine",
			Problem: fmt.Sprintf("%.200q is not the ARN of a state machine: it must be of the form arn:aws:states:REGION:ACCOUNT:stateMachine:NAME, without version or alias", s)}
	case t.Function != "" && notFunction != nil:
		return &comparison.FieldError{Field: "function-arn", Problem: notFunction.Error()}
	case d != 0 && (d < time.Second || d > platform.MaxTimeout):
		return &comparison.FieldError{Field: "execution-timeout", Problem: fmt.Sprintf("%s: it must be from 1s to %gs", d, platform.MaxTimeout.Seconds())}
	}
	return nil
}

var stateMachineARN = regexp.MustCompile(`^arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:stateMachine:[^:\s]+$`)

// RegionOf returns the region of an ARN, empty if it has none.
func RegionOf(s string) string {
	a, _ := arn.Parse(s)
	return a.Region
}

// Ask completes the request by the target and its execution input, and makes the comparison.
func (t Target) Ask(r comparison.Request) (*comparison.Comparison, error) {
	const maxObjects = 2_000 // of a payload with a prefix alone, as in the deployment's inputs
	if t.Input != "" {
		var in powertuning.Input
		raw, err := os.ReadFile(t.Input)
		if err == nil {
			in, err = powertuning.ParseInput(raw)
		}
		if err != nil {
			return nil, fmt.Errorf("--input %s: %w", t.Input, err)
		}
		r.Input = &in
	}
	s := &r.Spec
	s.Arch, s.TimeoutSec, s.StateMachine, s.Function = t.Arch, t.Timeout.Seconds(), t.StateMachine, t.Function
	s.Region, s.ParallelInvocation = RegionOf(t.Function), t.Parallel // prices are those of the function's region
	r.Deployed, r.Ours, r.ObjectKey, r.MaxObjects = t.PowerValues, true, cmp.Or(t.ObjectKey, "sample.json"), maxObjects
	if r.PrefixWins = r.Prefix != nil; !r.PrefixWins && t.ObjectKey == "" {
		r.Prefix = t.Prefix
	}
	spec, err := comparison.Build(r)
	return comparison.New(spec, time.Now()), err
}
