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

	"lambda-parallel-io/handler/platform"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// Target is where on AWS a comparison runs, and what is deployed there. Of what
// is deployed all may be unknown, and is then zero.
type Target struct {
	StateMachine string `json:"stateMachineArn"` // ARN of the Power Tuning state machine, without version or alias
	Function     string `json:"functionArn"`     // ARN of the function, without version or alias
	Region       string `json:"-"`               // of the state machine
	Profile      string `json:"-"`               // of the shared AWS configuration; empty for the default chain's own choice

	ObjectKey        string        `json:"objectKey"`    // the object that the function reads
	Prefix           *string       `json:"prefix"`       // below which it may read, where it is given no ObjectKey; "" for the whole bucket
	Arch             string        `json:"architecture"` // arm64 or x86_64
	Timeout          time.Duration `json:"-"`            // of the function, 1 to 900 s
	ExecutionTimeout time.Duration `json:"-"`            // totalExecutionTimeout: the most that an executor may take for all invocations at one size
	PowerValues      []int         `json:"powerValues"`  // MB: what the state machine measures by default

	told      bool   // a stack has told Arch and Timeout
	mayInvoke string // begins the ARN of each function that a stack's executor may invoke; empty where that is not known
}

// DefaultExecutionTimeout is what an unknown ExecutionTimeout is taken for:
// the one that `pulumi up` deploys by default.
const DefaultExecutionTimeout = 600 * time.Second

// Resolve completes what flags say by the outputs of the Pulumi stack of that
// name. With both ARNs among the flags the stack is not asked, and Pulumi need
// not be there. The region is the flag's, else that of the state machine's
// ARN. A flag that is missing, wrong or not so is a [*comparison.FieldError]
// (but power values may differ: the flag's are taken); any other error says
// what is wrong with the stack, and what to do.
func Resolve(ctx context.Context, stack string, flags Target) (Target, error) {
	t, out := flags, Target{}
	if err := flags.check(); err != nil {
		return Target{}, err
	}
	if flags.StateMachine == "" || flags.Function == "" {
		if stack == "" {
			return Target{}, &comparison.FieldError{Field: "stack",
				Problem: "is missing: a comparison on AWS needs a Pulumi stack, or both --state-machine ARN and --function-arn ARN"}
		}
		var err error
		if out, err = outputs(ctx, stack); err != nil {
			return Target{}, fmt.Errorf("the outputs of the Pulumi stack %q: %w", stack, err)
		}
	}
	t.StateMachine, t.Function = cmp.Or(t.StateMachine, out.StateMachine), cmp.Or(t.Function, out.Function)
	t.Region = cmp.Or(t.Region, RegionOf(t.StateMachine))
	t.ObjectKey, t.Prefix = cmp.Or(t.ObjectKey, out.ObjectKey), cmp.Or(t.Prefix, out.Prefix)
	if t.Function == out.Function {
		t.told = out.Arch != "" && out.Timeout != 0
		if err := t.learn(out, fmt.Sprintf("the function of the stack %q", stack)); err != nil {
			return Target{}, err
		}
	}
	if t.StateMachine == out.StateMachine {
		t.mayInvoke = out.Function
		if len(t.PowerValues) == 0 {
			t.PowerValues = out.PowerValues
		}
		return t, adopt("execution-timeout", &t.ExecutionTimeout, out.ExecutionTimeout,
			fmt.Sprintf("totalExecutionTimeout of the stack %q", stack))
	}
	return t, nil
}

// learn takes over what is known of the function.
func (t *Target) learn(known Target, whose string) error {
	return cmp.Or(
		adopt("arch", &t.Arch, known.Arch, "the architecture of "+whose),
		adopt("timeout", &t.Timeout, known.Timeout, "the timeout of "+whose),
	)
}

// adopt sets what a flag left open to what is known, and refuses a flag that
// says otherwise.
func adopt[T comparable](flag string, value *T, known T, what string) error {
	var open T
	if *value == open {
		*value = known
	}
	if known != open && *value != known {
		return &comparison.FieldError{Field: flag, Problem: fmt.Sprintf("%v: %s is %v, so leave it out", *value, what, known)}
	}
	return nil
}

// outputs asks the Pulumi CLI on PATH for the outputs of the stack of that
// name, of the project in the working directory. Its error ends in what to do.
func outputs(ctx context.Context, stack string) (Target, error) {
	cmd := exec.CommandContext(ctx, "pulumi", "stack", "output", "--json", "--stack", stack)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr // and no stdin: it cannot ask
	if err := cmd.Run(); err != nil {
		said := cmp.Or(strings.TrimPrefix(strings.TrimSpace(stderr.String()), "error: "), err.Error())
		return Target{}, cmp.Or(context.Cause(ctx), errors.New(said+pulumiNeeds))
	}
	var out struct {
		Target
		Timeout, TotalExecutionTimeout int // seconds
	}
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
		return Target{}, fmt.Errorf("pulumi printed something other than a JSON object of this project's outputs: %w", err)
	}
	t := out.Target
	t.Timeout, t.ExecutionTimeout = time.Duration(out.Timeout)*time.Second, time.Duration(out.TotalExecutionTimeout)*time.Second
	slices.Sort(t.PowerValues)
	// An older deployment has fewer outputs.
	known := comparison.Spec{Num: 1, PowerValues: t.PowerValues, Arch: cmp.Or(t.Arch, platform.ARM64)}
	known.TimeoutSec = cmp.Or(t.Timeout, time.Second).Seconds()
	if t.PowerValues == nil {
		known.PowerValues = []int{platform.MinMemory}
	}
	if t.StateMachine == "" || t.Function == "" {
		return Target{}, fmt.Errorf("stateMachineArn or functionArn is missing: `pulumi up --stack %s` deploys them", stack)
	}
	if err := cmp.Or(known.Validate(), t.check()); err != nil {
		return Target{}, errors.New(err.Error()) // no flag is to blame
	}
	return t, nil
}

const pulumiNeeds = "\nit takes the pulumi command (https://www.pulumi.com/docs/install) after `pulumi login`, the root of the repository,\n" +
	"PULUMI_CONFIG_PASSPHRASE where the state is local, and a stack that `pulumi stack ls` lists;\n" +
	"or name both by --state-machine ARN and --function-arn ARN"

// check refuses what is known of a target and cannot be. A state machine has no
// version or alias: the running executions that have to be looked up are those
// of all versions.
func (t Target) check() error {
	if s := t.StateMachine; s != "" && !stateMachineARN.MatchString(s) {
		return &comparison.FieldError{Field: "state-machine",
			Problem: fmt.Sprintf("%.200q is not the ARN of a state machine: it must be of the form arn:aws:states:REGION:ACCOUNT:stateMachine:NAME, without version or alias", s)}
	}
	if err := powertuning.CheckFunctionARN(t.Function); err != nil && t.Function != "" {
		return &comparison.FieldError{Field: "function-arn", Problem: err.Error()}
	}
	if d := t.ExecutionTimeout; d != 0 && (d < time.Second || d > platform.MaxTimeout) {
		return &comparison.FieldError{Field: "execution-timeout",
			Problem: fmt.Sprintf("%s: it must be from 1s to %gs", d, platform.MaxTimeout.Seconds())}
	}
	return nil
}

var stateMachineARN = regexp.MustCompile(`^arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:stateMachine:[^:\s]+$`)

// RegionOf returns the region that an ARN names, empty where it names none.
func RegionOf(s string) string {
	a, _ := arn.Parse(s) // what is no ARN names no region
	return a.Region
}
