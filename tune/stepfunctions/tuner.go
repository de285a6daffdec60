// Package stepfunctions runs a comparison on AWS: it starts the Power Tuning state machine for one variant after
// another, and puts the answers into the model that a local run fills in too.
//
// It changes nothing on AWS itself: it calls StartExecution, ListExecutions, DescribeExecution and
// GetExecutionHistory of Step Functions and, where the caller may, GetFunctionConfiguration of Lambda.
package stepfunctions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
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
)

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
