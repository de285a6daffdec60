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

// Target is where on AWS a comparison runs, and what is deployed there; unknown fields are zero. Its JSON is the
// outputs of a Pulumi stack, in which times are seconds.
type Target struct {
	StateMachine string `json:"stateMachineArn"` // ARN of the Power Tuning state machine, without version or alias
	Function     string `json:"functionArn"`     // ARN of the function, without version or alias
	Region       string `json:"-"`               // of the state machine
	Profile      string `json:"-"`               // of the shared AWS configuration; empty for the default chain's choice

	ObjectKey        string        `json:"objectKey"`             // the object that the function reads
	Prefix           *string       `json:"prefix"`                // without ObjectKey: below which the function may read; "" for the whole bucket
	Arch             string        `json:"architecture"`          // arm64 or x86_64
	Timeout          time.Duration `json:"timeout"`               // of the function, 1 to 900 s
	ExecutionTimeout time.Duration `json:"totalExecutionTimeout"` // limit of an executor, over all invocations at one size
	PowerValues      []int         `json:"powerValues"`           // MB: what the state machine measures by default

	told      bool   // a stack has told Arch and Timeout
	mayInvoke string // prefix of the ARNs that a stack's executor may invoke; empty if not known
}

// Resolve completes flags by the outputs of the named Pulumi stack. If flags have both ARNs, it does not need Pulumi.
// The region defaults to that of the state machine's ARN. A flag that is missing, malformed or contradicts the stack
// is a [*comparison.FieldError], except that power values win over the stack's; any other error says what is wrong
// with the stack, and what to do.
func Resolve(ctx context.Context, stack string, flags Target) (Target, error) {
	t, err := flags, flags.check()
	if err == nil && (t.StateMachine == "" || t.Function == "") {
		err = t.complete(ctx, stack)
	}
	t.Region = cmp.Or(t.Region, RegionOf(t.StateMachine))
	return t, err
}

// complete adopts the outputs of a stack. What it says of its own function and state machine does not hold for
// others.
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
	return t.learn(known, fmt.Sprintf("of the stack %q", stack))
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
		return Target{}, cmp.Or(context.Cause(ctx), errors.New(
			cmp.Or(strings.TrimPrefix(stderr, "error: "), err.Error())+"\n"+
				"install the Pulumi CLI (https://www.pulumi.com/docs/install), run `pulumi login`, and run this in the root of the repository,\n"+
				"with a stack that `pulumi stack ls` lists; a local state also needs PULUMI_CONFIG_PASSPHRASE;\n"+
				"or pass --state-machine ARN and --function-arn ARN"))
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
	cfg.Interceptors.AddAfterTransmit(ownPause{})
	chain := cfg.Credentials
	cfg.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		c, err := chain.Retrieve(ctx)
		if err != nil && ctx.Err() == nil {
			err = noCredentials(err, login)
		}
		return c, err
	})
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, err
	}
	inRegion := func(o *lambda.Options) { o.Region = RegionOf(target.Function) }
	return &Tuner{target, sfn.NewFromConfig(cfg), lambda.NewFromConfig(cfg, inRegion), backoff, time.Now, smithytime.SleepWithContext}, nil
}

// ownPause removes x-amz-retry-after, by which the SDK would lengthen the backoff by up to 5 s (aws-sdk-go-v2 core
// 1.48.0).
type ownPause struct{}

func (ownPause) AfterTransmit(_ context.Context, c *smithyhttp.InterceptorContext) error {
	c.Response.Header.Del("X-Amz-Retry-After")
	return nil
}

// failed explains the error of a call that failed for good, and says what to do. If ctx has ended, it returns the
// cause.
func (t *Tuner) failed(ctx context.Context, action, resource string, err error) error {
	api, answered := errors.AsType[smithy.APIError](err)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case IsCredentials(err):
		return err
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

// errDenied costs no more than what the configuration would have told.
var errDenied = errors.New("the caller may not call lambda:GetFunctionConfiguration")

func (t *Tuner) configuration(ctx context.Context) (*lambda.GetFunctionConfigurationOutput, error) {
	out, err := t.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &t.Function})
	if api, ok := errors.AsType[smithy.APIError](err); ok && strings.HasPrefix(api.ErrorCode(), "AccessDenied") {
		err = errDenied
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
	switch {
	case errors.Is(err, errDenied):
		return "the function's architecture and timeout are not known, and taken to be what --arch and --timeout say: " + err.Error(), nil
	case err != nil:
		return "", err
	}
	known := Target{Timeout: time.Duration(aws.ToInt32(c.Timeout)) * time.Second, Arch: string(append(c.Architectures, platform.X8664)[0])}
	return "", t.learn(known, t.Function)
}

// credentialsError means that credentials are missing, expired or not allowed to do something.
type credentialsError struct{ error }

func noCredentials(err error, remedy string) error {
	return credentialsError{fmt.Errorf("AWS credentials: %w\n%s", err, remedy)}
}

// IsCredentials reports whether err means that there are no credentials, or that AWS refuses them.
func IsCredentials(err error) bool { return errors.As(err, new(credentialsError)) }

const login = "log in again by `aws sso login` or `aws login`, or export new keys if AWS_ACCESS_KEY_ID is set;\n" +
	"`aws configure list-profiles` lists the profiles, and --profile NAME or `export AWS_PROFILE=NAME` chooses one"
