package stepfunctions

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// Target is where on AWS a comparison runs, and what is deployed there; unknown fields are zero.
type Target struct {
	StateMachine string `json:"stateMachineArn"` // ARN of the Power Tuning state machine, without version or alias
	Function     string `json:"functionArn"`     // ARN of the function, without version or alias
	Region       string `json:"-"`               // of the state machine
	Profile      string `json:"-"`               // of the shared AWS configuration; empty for the default chain's choice

	ObjectKey        string        `json:"objectKey"`    // the object that the function reads
	Prefix           *string       `json:"prefix"`       // without ObjectKey: below which the function may read; "" for the whole bucket
	Arch             string        `json:"architecture"` // arm64 or x86_64
	Timeout          time.Duration `json:"-"`            // of the function, 1 to 900 s
	ExecutionTimeout time.Duration `json:"-"`            // totalExecutionTimeout: limit of an executor, over all invocations at one size
	PowerValues      []int         `json:"powerValues"`  // MB: what the state machine measures by default

	told      bool   // a stack has told Arch and Timeout
	mayInvoke string // prefix of the ARNs that a stack's executor may invoke; empty if not known
}

// DefaultExecutionTimeout replaces an unknown ExecutionTimeout: `pulumi up` deploys it by default.
const DefaultExecutionTimeout = 600 * time.Second

// Resolve completes flags by the outputs of the named Pulumi stack. If flags have both ARNs, it does not
// need Pulumi. The region defaults to that of the state machine's ARN. A flag that is missing, malformed
// or contradicts the stack is a [*comparison.FieldError], except that power values win over the stack's;
// any other error says what is wrong with the stack, and what to do.
func Resolve(ctx context.Context, stack string, flags Target) (Target, error) {
	t, err := flags, flags.check()
	if err == nil && (t.StateMachine == "" || t.Function == "") {
		err = t.complete(ctx, stack)
	}
	t.Region = cmp.Or(t.Region, RegionOf(t.StateMachine))
	return t, err
}

// complete adopts the outputs of a stack. What it says of its own function and state machine does not
// hold for others.
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
	var known Target
	if t.Function == out.Function {
		known.Arch, known.Timeout, t.told = out.Arch, out.Timeout, out.Arch != "" && out.Timeout != 0
	}
	if t.StateMachine == out.StateMachine {
		known.ExecutionTimeout, t.mayInvoke = out.ExecutionTimeout, out.Function
		if len(t.PowerValues) == 0 {
			t.PowerValues = out.PowerValues
		}
	}
	return t.adopt(known, fmt.Sprintf("of the stack %q", stack))
}

// adopt sets the flags that were left out to what is known, and refuses those that differ.
func (t *Target) adopt(known Target, whose string) error {
	return cmp.Or(
		adopt("arch", &t.Arch, known.Arch, "the architecture of the function "+whose),
		adopt("timeout", &t.Timeout, known.Timeout, "the timeout of the function "+whose),
		adopt("execution-timeout", &t.ExecutionTimeout, known.ExecutionTimeout, "totalExecutionTimeout "+whose),
	)
}

func adopt[T comparable](flag string, value *T, known T, what string) error {
	var unset T
	if *value = cmp.Or(*value, known); known != unset && *value != known {
		return &comparison.FieldError{Field: flag, Problem: fmt.Sprintf("%v: %s is %v, so leave it out", *value, what, known)}
	}
	return nil
}

// outputs asks the Pulumi CLI on PATH for the stack's outputs; the project is in the working directory.
func outputs(ctx context.Context, stack string) (Target, error) {
	cmd := exec.CommandContext(ctx, "pulumi", "stack", "output", "--json", "--stack", stack)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr // without stdin it cannot ask
	stdout, err := cmd.Output()
	if err != nil {
		said := cmp.Or(strings.TrimPrefix(strings.TrimSpace(stderr.String()), "error: "), err.Error())
		return Target{}, cmp.Or(context.Cause(ctx), errors.New(said+pulumiNeeds))
	}
	var out struct {
		Target
		Timeout, TotalExecutionTimeout int // seconds
	}
	if err := json.Unmarshal(stdout, &out); err != nil {
		return Target{}, fmt.Errorf("pulumi printed something other than a JSON object of this project's outputs: %w", err)
	}
	t := out.Target
	if t.StateMachine == "" || t.Function == "" {
		return Target{}, fmt.Errorf("stateMachineArn or functionArn is missing: `pulumi up --stack %s` deploys them", stack)
	}
	t.Timeout, t.ExecutionTimeout = time.Duration(out.Timeout)*time.Second, time.Duration(out.TotalExecutionTimeout)*time.Second
	slices.Sort(t.PowerValues)
	// Build has defaults for what an older deployment does not tell.
	_, err = comparison.Build(comparison.Request{
		Spec: comparison.Spec{Arch: t.Arch, TimeoutSec: t.Timeout.Seconds(), PowerValues: t.PowerValues}})
	if err := cmp.Or(err, t.check()); err != nil {
		return Target{}, errors.New(err.Error()) // no flag is to blame
	}
	return t, nil
}

const pulumiNeeds = "\ninstall the Pulumi CLI (https://www.pulumi.com/docs/install), run `pulumi login`, and run this in the root of the repository,\n" +
	"with a stack that `pulumi stack ls` lists; a local state also needs PULUMI_CONFIG_PASSPHRASE;\n" +
	"or pass --state-machine ARN and --function-arn ARN"

// check refuses malformed fields. A state machine may have no version or alias, because running
// executions are looked up over all its versions.
func (t Target) check() error {
	if s := t.StateMachine; s != "" && !stateMachineARN.MatchString(s) {
		return &comparison.FieldError{Field: "state-machine",
			Problem: fmt.Sprintf("%.200q is not the ARN of a state machine: it must be of the form arn:aws:states:REGION:ACCOUNT:stateMachine:NAME, without version or alias", s)}
	}
	if err := powertuning.CheckFunctionARN(t.Function); err != nil && t.Function != "" {
		return &comparison.FieldError{Field: "function-arn", Problem: err.Error()}
	}
	if d := t.ExecutionTimeout; d != 0 && (d < time.Second || d > platform.MaxTimeout) {
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
