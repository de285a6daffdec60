// Package stepfunctions runs a comparison on AWS: it starts the Power Tuning state machine for one variant after
// another, and puts the answers into the model that a local run fills in too.
//
// It changes nothing on AWS itself: it calls StartExecution, ListExecutions, DescribeExecution and
// GetExecutionHistory of Step Functions and, where the caller may, GetFunctionConfiguration of Lambda.
package stepfunctions

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go"
	smithytime "github.com/aws/smithy-go/time"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// Target is where on AWS a comparison runs: its flags, and what is deployed there; unknown fields are zero. Its JSON
// is the outputs of a Pulumi stack, in which times are seconds. The ARNs have no version or alias.
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

// Resolve completes flags by the outputs of the named Pulumi stack, which it does not need if flags have both ARNs.
// The region defaults to that of the state machine's ARN. A flag that is missing, malformed or contradicts the stack
// is a [*comparison.FieldError]; any other error says what is wrong with the stack, and what to do.
func Resolve(ctx context.Context, stack string, flags Target) (Target, error) {
	t, err := flags, flags.check()
	if err == nil && (t.StateMachine == "" || t.Function == "") {
		err = t.complete(ctx, stack)
	}
	t.Region = cmp.Or(t.Region, RegionOf(t.StateMachine))
	return t, err
}

// complete adopts a stack's outputs. What they say of its own function and state machine does not hold for others.
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

// outputs asks the Pulumi CLI on PATH, in the directory of the project and without stdin, so that it cannot ask back.
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

// check refuses malformed fields. A state machine may have no version or alias, because running executions are looked
// up over all its versions.
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

// Tuner runs comparisons of one function on one state machine.
type Tuner struct {
	Target
	client  *sfn.Client
	lambda  *lambda.Client
	backoff retry.BackoffDelayer // between two polls of an execution, and two attempts at a call
	now     func() time.Time
	pause   func(context.Context, time.Duration) error
}

// New makes a Tuner for a target that [Resolve] has completed. It fetches credentials from the SDK's default chain at
// once, so that missing ones are reported before anything starts: see [IsCredentials].
func New(ctx context.Context, target Target) (*Tuner, error) {
	return newTuner(ctx, target, retry.NewExponentialJitterBackoff(10*time.Second), 30*time.Second)
}

// newTuner is New with a backoff, and a timeout for each attempt at a call. The SDK's defaults change, so every
// option of a retry is set. It needs no quota: one caller makes one call at a time. Every call may be repeated, even
// StartExecution, whose name makes it idempotent.
func newTuner(ctx context.Context, target Target, backoff retry.BackoffDelayer, timeout time.Duration) (*Tuner, error) {
	retryer := retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 12 // enough to outlast a network that is down for a minute
		o.RateLimiter = ratelimit.None
		o.Backoff = backoff
		o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			return aws.BoolTernary(errors.Is(err, io.ErrUnexpectedEOF)) // the SDK treats a truncated answer as a malformed one
		}))
	})
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(target.Region), config.WithSharedConfigProfile(target.Profile),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(timeout)),
		config.WithRetryer(func() aws.Retryer { return retryer }))
	if errors.As(err, new(config.SharedConfigProfileNotExistError)) {
		return nil, noCredentials(err, login)
	}
	if err != nil {
		return nil, fmt.Errorf("the AWS configuration: %w", err)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, cmp.Or(context.Cause(ctx), noCredentials(err, login))
	}
	cfg.Interceptors.AddAfterTransmit(ownPause{})
	inRegion := func(o *lambda.Options) { o.Region = RegionOf(target.Function) }
	return &Tuner{target, sfn.NewFromConfig(cfg), lambda.NewFromConfig(cfg, inRegion), backoff, time.Now, smithytime.SleepWithContext}, nil
}

// ownPause removes x-amz-retry-after, by which the SDK (aws-sdk-go-v2 core 1.48.0) adds up to 5 s to the backoff.
type ownPause struct{}

func (ownPause) AfterTransmit(_ context.Context, c *smithyhttp.InterceptorContext) error {
	c.Response.Header.Del("X-Amz-Retry-After")
	return nil
}

// failed explains why a call failed for good, and says what to do. If ctx has ended, it returns the cause.
func (t *Tuner) failed(ctx context.Context, action, resource string, err error) error {
	api, answered := errors.AsType[smithy.APIError](err)
	_, missing := t.client.Options().Credentials.Retrieve(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case missing != nil:
		return noCredentials(missing, login)
	case !answered:
		return fmt.Errorf("%s: AWS could not be reached: %w\ncheck the network, the region %s and the variables AWS_ENDPOINT_URL",
			action, err, t.Region)
	}
	said := fmt.Errorf("%s: %s", api.ErrorCode(), api.ErrorMessage())
	switch strings.TrimSuffix(api.ErrorCode(), "Exception") {
	case "ExpiredToken", "RequestExpired", "UnrecognizedClient", "InvalidClientTokenId", "InvalidSignature",
		"SignatureDoesNotMatch", "IncompleteSignature", "MissingAuthenticationToken", "AuthFailure", "InvalidAccessKeyId":
		return noCredentials(said, login)
	case "AccessDenied", "NotAuthorized", "UnauthorizedOperation":
		return noCredentials(said,
			fmt.Sprintf("they must allow %s on %s: add it to the role's policy, or choose other credentials by --profile", action, resource))
	case "StateMachineDoesNotExist", "StateMachineDeleting", "InvalidArn", "ResourceNotFound":
		said = fmt.Errorf("%w\ncheck the ARN and the region; `pulumi up` deploys it, and `pulumi stack output` names it", said)
	}
	return fmt.Errorf("%s on %s: %w", action, resource, said)
}

// configuration asks Lambda about the function. Where the caller may not ask, its fields are nil.
func (t *Tuner) configuration(ctx context.Context) (*lambda.GetFunctionConfigurationOutput, error) {
	out, err := t.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &t.Function})
	if api, ok := errors.AsType[smithy.APIError](err); ok && strings.HasPrefix(api.ErrorCode(), "AccessDenied") {
		return &lambda.GetFunctionConfigurationOutput{}, nil
	} else if err != nil {
		err = t.failed(ctx, "lambda:GetFunctionConfiguration", t.Function, err)
	}
	return out, err
}

// Complete asks Lambda for the function's architecture and timeout if no stack has told them. A flag that contradicts
// them is a [*comparison.FieldError]. Where the caller may not ask, unknown is a line to show.
func (t *Tuner) Complete(ctx context.Context) (unknown string, err error) {
	if t.told {
		return "", nil
	}
	c, err := t.configuration(ctx)
	if err != nil {
		return "", err
	}
	if c.Timeout == nil {
		return "the function's architecture and timeout are not known, and taken to be what --arch and --timeout say: " +
			"the caller may not call lambda:GetFunctionConfiguration", nil
	}
	known := Target{Timeout: time.Duration(aws.ToInt32(c.Timeout)) * time.Second, Arch: string(append(c.Architectures, platform.X8664)[0])}
	return "", t.learn(known, t.Function)
}

// errCredentials means that credentials are missing, expired or not allowed to do something.
var errCredentials = errors.New("AWS credentials")

func noCredentials(err error, remedy string) error {
	return fmt.Errorf("%w: %w\n%s", errCredentials, err, remedy)
}

// IsCredentials reports whether err means that there are no credentials, or that AWS refuses them.
func IsCredentials(err error) bool { return errors.Is(err, errCredentials) }

const login = "log in again by `aws sso login` or `aws login`, or export new keys if AWS_ACCESS_KEY_ID is set;\n" +
	"`aws configure list-profiles` lists the profiles, and --profile NAME or `export AWS_PROFILE=NAME` chooses one"
