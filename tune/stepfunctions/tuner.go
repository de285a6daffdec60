// Package stepfunctions runs a comparison on AWS: it starts the Power Tuning
// state machine for one variant after the other and puts what it answers into
// the model that a local run fills in too.
//
// It writes nothing to AWS but executions. It calls ListExecutions,
// StartExecution, DescribeExecution and GetExecutionHistory of Step Functions,
// and, where the caller may, GetFunctionConfiguration of Lambda.
package stepfunctions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Tuner runs comparisons on one function by one state machine.
type Tuner struct {
	Target
	client  *sfn.Client
	lambda  *lambda.Client
	backoff retry.BackoffDelayer // between two looks at an execution, and two attempts at a call
	now     func() time.Time
	pause   func(context.Context, time.Duration) error
}

// attempts at a call are worth a minute of a lost network.
const attempts = 12

// New makes a Tuner for a target that [Resolve] has completed. Credentials
// come from the SDK's default chain, and are asked for here, so that one knows
// that there are none before anything starts: see [IsCredentials]. The
// endpoints are the region's, or AWS_ENDPOINT_URL_SFN and
// AWS_ENDPOINT_URL_LAMBDA.
func New(ctx context.Context, target Target) (*Tuner, error) {
	return newTuner(ctx, target, retry.NewExponentialJitterBackoff(10*time.Second), 30*time.Second)
}

// newTuner makes a Tuner whose attempts at a call last so long at most.
func newTuner(ctx context.Context, target Target, backoff retry.BackoffDelayer, timeout time.Duration) (*Tuner, error) {
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(target.Region),
		config.WithSharedConfigProfile(target.Profile),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(timeout)),
		config.WithRetryer(func() aws.Retryer { return newRetryer(backoff) }),
	)
	if errors.As(err, new(config.SharedConfigProfileNotExistError)) {
		return nil, noCredentials(err, login)
	}
	if err != nil {
		return nil, fmt.Errorf("the AWS configuration: %w", err)
	}
	cfg.Interceptors.AddAfterTransmit(ownPause{})
	t := &Tuner{Target: target, backoff: backoff, now: time.Now, pause: pause}
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
	t.client = sfn.NewFromConfig(cfg)
	t.lambda = lambda.NewFromConfig(cfg, func(o *lambda.Options) { o.Region = RegionOf(target.Function) })
	return t, nil
}

// newRetryer is stated in full because the SDK's defaults change. It has no
// quota of retries: one caller that makes one call at a time needs none. All
// calls may be repeated, StartExecution too: its name makes it idempotent.
func newRetryer(backoff retry.BackoffDelayer) aws.Retryer {
	again := retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
		if errors.Is(err, io.ErrUnexpectedEOF) { // the SDK takes an answer that was cut off for a wrong one
			return aws.TrueTernary
		}
		return aws.UnknownTernary
	})
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.RateLimiter = ratelimit.None
		o.Backoff = backoff
		o.Retryables = slices.Insert(o.Retryables, 0, retry.IsErrorRetryable(again))
	})
}

// ownPause removes x-amz-retry-after (ms): the SDK would lengthen the backoff
// to it, by up to 5 s (aws-sdk-go-v2 core 1.48.0).
type ownPause struct{}

func (ownPause) AfterTransmit(_ context.Context, c *smithyhttp.InterceptorContext) error {
	c.Response.Header.Del("X-Amz-Retry-After")
	return nil
}

// failed says what a call that failed for good means, and what to do. Of one
// that was cut off it is the cause of ctx.
func (t *Tuner) failed(ctx context.Context, action, resource string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if IsCredentials(err) {
		return err
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
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

// errDenied is that the caller may not ask for the function's configuration.
// Nothing depends on it but what can be told.
var errDenied = errors.New("the caller may not call lambda:GetFunctionConfiguration")

// configuration asks for the function's.
func (t *Tuner) configuration(ctx context.Context) (*lambda.GetFunctionConfigurationOutput, error) {
	out, err := t.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &t.Function})
	var api smithy.APIError
	if errors.As(err, &api) && (api.ErrorCode() == "AccessDeniedException" || api.ErrorCode() == "AccessDenied") {
		return nil, errDenied
	}
	if err != nil {
		return nil, t.failed(ctx, "lambda:GetFunctionConfiguration", t.Function, err)
	}
	return out, nil
}

// Complete asks Lambda what the function is where no stack has told its
// architecture and timeout. A flag that says otherwise is a
// [*comparison.FieldError]. Where the caller may not ask, nothing becomes known,
// and unknown says so in a line that should be shown.
func (t *Tuner) Complete(ctx context.Context) (unknown string, err error) {
	if t.told {
		return "", nil
	}
	c, err := t.configuration(ctx)
	if errors.Is(err, errDenied) {
		return "the function's architecture and timeout are not known, and taken to be what --arch and --timeout say: " + errDenied.Error(), nil
	}
	if err != nil {
		return "", err
	}
	known := Target{Timeout: time.Duration(aws.ToInt32(c.Timeout)) * time.Second,
		Arch: string(lambdatypes.ArchitectureX8664)}
	if len(c.Architectures) > 0 {
		known.Arch = string(c.Architectures[0])
	}
	return "", t.learn(known, "the function "+t.Function)
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// credentialsError is that AWS does not let the caller in: there are no
// credentials, they have expired, or they do not allow what is needed.
type credentialsError struct{ error }

func noCredentials(err error, remedy string) error {
	return credentialsError{fmt.Errorf("AWS credentials: %w\n%s", err, remedy)}
}

// IsCredentials reports whether err is that there are no credentials, or that
// AWS refuses those there are.
func IsCredentials(err error) bool {
	return errors.As(err, new(credentialsError))
}

// login is the remedy for credentials that are missing or expired.
const login = "log in again by `aws sso login` or `aws login`, or export new keys if AWS_ACCESS_KEY_ID is set;\n" +
	"`aws configure list-profiles` lists the profiles, and --profile NAME or `export AWS_PROFILE=NAME` chooses one"
