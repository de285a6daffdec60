package stepfunctions

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// Target is where on AWS a comparison runs.
type Target struct {
	StateMachine string `json:"stateMachineArn"` // ARN of the Power Tuning state machine, without version or alias
	Function     string `json:"functionArn"`     // ARN of the function, without version or alias
	ObjectKey    string `json:"objectKey"`       // the object that a stack's function reads; empty where no stack was asked

	Region           string        `json:"-"` // of the state machine
	Profile          string        `json:"-"` // of the shared AWS configuration; empty for the default chain's own choice
	ExecutionTimeout time.Duration `json:"-"` // the state machine's totalExecutionTimeout; 0 stands for [DefaultExecutionTimeout]
}

// DefaultExecutionTimeout is the totalExecutionTimeout that `pulumi up`
// deploys: the most that an executor may take for all invocations at one
// power value.
const DefaultExecutionTimeout = 600 * time.Second

// Resolve completes what flags say by the outputs of the Pulumi stack of that
// name. With both ARNs among the flags the stack is not asked, and Pulumi need
// not be there. The region is the flag's, else that of the state machine's
// ARN. A flag that is missing or wrong is a [*comparison.FieldError]; any other
// error says what is wrong with the stack, and what to do.
func Resolve(ctx context.Context, stack string, flags Target) (Target, error) {
	t := flags
	if t.StateMachine == "" || t.Function == "" {
		if stack == "" {
			return Target{}, &comparison.FieldError{Field: "stack", Problem: "is missing: a comparison on AWS needs a Pulumi stack, or both --state-machine ARN and --function-arn ARN"}
		}
		out, err := outputs(ctx, stack)
		if err != nil {
			return Target{}, fmt.Errorf("the outputs of the Pulumi stack %q: %w", stack, err)
		}
		t.StateMachine = cmp.Or(t.StateMachine, out.StateMachine)
		t.Function = cmp.Or(t.Function, out.Function)
		t.ObjectKey = cmp.Or(t.ObjectKey, out.ObjectKey)
	}
	for _, f := range []struct {
		flag, given, output, value string
		check                      func(string) error
	}{
		{"state-machine", flags.StateMachine, "stateMachineArn", t.StateMachine, checkStateMachine},
		{"function-arn", flags.Function, "functionArn", t.Function, powertuning.CheckFunctionARN},
	} {
		err := f.check(f.value)
		switch {
		case err == nil:
		case f.given != "":
			return Target{}, &comparison.FieldError{Field: f.flag, Problem: err.Error()}
		case f.value == "":
			return Target{}, fmt.Errorf("the Pulumi stack %q has no output %s\nfinish its deployment by `pulumi up --stack %s`, or give --%s ARN", stack, f.output, stack, f.flag)
		default:
			return Target{}, fmt.Errorf("the output %s of the Pulumi stack %q: %w\nput it right by `pulumi up --stack %s`, or give --%s ARN", f.output, stack, err, stack, f.flag)
		}
	}
	t.Region = cmp.Or(t.Region, RegionOf(t.StateMachine))
	return t, nil
}

// outputs asks the Pulumi CLI on PATH for the outputs of the stack of that
// name, of the project in the working directory. Its error ends in what to do.
func outputs(ctx context.Context, stack string) (t Target, err error) {
	cmd := exec.CommandContext(ctx, "pulumi", "stack", "output", "--json", "--stack", stack)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr // and no stdin: it cannot ask
	if err := cmd.Run(); err != nil {
		return t, cmp.Or(context.Cause(ctx), pulumiError(stack, err, stderr.String()))
	}
	if err := json.Unmarshal(stdout.Bytes(), &t); err != nil {
		return t, fmt.Errorf("pulumi printed something other than a JSON object of this project's outputs: %w", err)
	}
	return t, nil
}

// pulumiError adds to what the CLI said what to do about it.
func pulumiError(stack string, err error, stderr string) error {
	const both = "name both by --state-machine ARN and --function-arn ARN"
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("the pulumi command is not on PATH\ninstall it (https://www.pulumi.com/docs/install), or " + both)
	}
	said := cmp.Or(strings.TrimPrefix(strings.TrimSpace(stderr), "error: "), err.Error())
	for _, known := range []struct{ says, remedy string }{
		{"no stack named", fmt.Sprintf("`pulumi stack ls` lists the stacks; `pulumi stack init %s` and `pulumi up` make it", stack)},
		{"pulumi login", "log in by `pulumi login`, or `pulumi login --local`"},
		{"PULUMI_ACCESS_TOKEN", "log in by `pulumi login`, or `pulumi login --local`"},
		{"PULUMI_CONFIG_PASSPHRASE", "export PULUMI_CONFIG_PASSPHRASE with the stack's passphrase"},
		{"Pulumi.yaml", "run this in the root of the repository, where Pulumi.yaml is"},
	} {
		if strings.Contains(said, known.says) {
			return fmt.Errorf("%s\n%s, or %s", said, known.remedy, both)
		}
	}
	return errors.New(said + "\n" + both)
}

// checkStateMachine refuses what is not a state machine's ARN, and one with a
// version or an alias: the running executions that have to be looked up are
// those of all versions.
func checkStateMachine(s string) error {
	a, err := arn.Parse(s)
	name, ok := strings.CutPrefix(a.Resource, "stateMachine:")
	if err != nil || a.Service != "states" || a.Region == "" || a.AccountID == "" || !ok || name == "" || strings.Contains(name, ":") {
		return fmt.Errorf("%.200q is not the ARN of a state machine: it must be of the form arn:aws:states:REGION:ACCOUNT:stateMachine:NAME, without version or alias", s)
	}
	return nil
}

// RegionOf returns the region that an ARN names, empty where it names none.
func RegionOf(s string) string {
	a, _ := arn.Parse(s) // what is no ARN names no region
	return a.Region
}
