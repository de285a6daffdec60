package stepfunctions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Outputs are those of a stack that `pulumi up` made, as far as a comparison
// uses them. What the stack lacks is empty.
type Outputs struct {
	StateMachineARN string `json:"stateMachineArn"`
	FunctionARN     string `json:"functionArn"`
	ObjectKey       string `json:"objectKey"`

	stack string
}

// Stack asks the Pulumi CLI on PATH for the outputs of the stack of that name,
// of the project in the working directory. Its error ends in what to do.
func Stack(ctx context.Context, name string) (Outputs, error) {
	cmd := exec.CommandContext(ctx, "pulumi", "stack", "output", "--json", "--stack", name)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr // and no stdin: it cannot ask
	if err := cmd.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return Outputs{}, cause
		}
		return Outputs{}, fmt.Errorf("the outputs of the Pulumi stack %q: %w", name, pulumiError(name, err, stderr.String()))
	}
	out := Outputs{stack: name}
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
		return Outputs{}, fmt.Errorf("the outputs of the Pulumi stack %q: pulumi printed what is not a JSON object of strings: %w", name, err)
	}
	return out, nil
}

// pulumiError adds to what the CLI said what to do about it.
func pulumiError(name string, err error, stderr string) error {
	const both = "or name both by -state-machine ARN and -function-arn ARN"
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("the pulumi command is not on PATH\ninstall it (https://www.pulumi.com/docs/install), %s", both)
	}
	stderr = strings.TrimPrefix(strings.TrimSpace(stderr), "error: ")
	if stderr == "" {
		stderr = err.Error()
	}
	remedy := both[len("or "):]
	for _, known := range []struct{ says, remedy string }{
		{"no stack named", fmt.Sprintf("`pulumi stack ls` lists the stacks; `pulumi stack init %s` and `pulumi up` make it", name)},
		{"pulumi login", "log in by `pulumi login`, or `pulumi login --local`"},
		{"PULUMI_ACCESS_TOKEN", "log in by `pulumi login`, or `pulumi login --local`"},
		{"PULUMI_CONFIG_PASSPHRASE", "export PULUMI_CONFIG_PASSPHRASE with the stack's passphrase"},
		{"Pulumi.yaml", "run this in the root of the repository, where Pulumi.yaml is"},
	} {
		if strings.Contains(stderr, known.says) {
			remedy = known.remedy + ", " + both
			break
		}
	}
	return fmt.Errorf("%s\n%s", stderr, remedy)
}

// or returns the flag's value, else the output's, which must then be there.
func (o Outputs) or(flag, name, value, flagName string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if value == "" {
		return "", fmt.Errorf("the Pulumi stack %q has no output %s\nfinish its deployment by `pulumi up --stack %s`, or give %s", o.stack, name, o.stack, flagName)
	}
	return value, nil
}
