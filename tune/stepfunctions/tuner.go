// Package stepfunctions runs a comparison on AWS: it starts the Power Tuning
// state machine for one variant after the other and puts what it answers into
// the model that a local run fills in too.
//
// It writes nothing to AWS but executions, and calls no API but that of Step
// Functions: ListExecutions, StartExecution, DescribeExecution and
// GetExecutionHistory.
package stepfunctions

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
)

// Options are the settings of a Tuner.
type Options struct {
	Settings

	// Backoff is how long to wait after the nth look at a running execution,
	// and after the nth failed attempt at a call; n begins at 0. The default
	// grows from half a second to ten seconds, with jitter.
	Backoff func(n int) time.Duration

	// Timeout bounds one attempt at a call; the default is 30 s.
	Timeout time.Duration
}

// Tuner runs comparisons on one function by one state machine.
type Tuner struct {
	Options
	client *sfn.Client
	login  login
}

// The attempts at a call, and at a look at an execution that runs: the latter
// is worth four minutes of a lost network.
const (
	attempts     = 8
	pollAttempts = 30
)

// New makes a Tuner from settings that [Resolve] has completed. Credentials
// come from the SDK's default chain, and are asked for here, so that their
// want is known before anything is planned on them: see [IsCredentials]. The
// endpoint is the region's, or AWS_ENDPOINT_URL_SFN.
func New(ctx context.Context, o Options) (*Tuner, error) {
	if o.Backoff == nil {
		o.Backoff = backoff
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(o.Region),
		config.WithSharedConfigProfile(o.Profile),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(o.Timeout)),
		config.WithRetryer(func() aws.Retryer { return newRetryer(o.Backoff) }),
	)
	if err != nil {
		return nil, configError(err)
	}
	login := newLogin(cfg)
	cfg.Credentials = provider{cfg.Credentials, login}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, err
	}
	return &Tuner{Options: o, client: sfn.NewFromConfig(cfg), login: login}, nil
}

func configError(err error) error {
	var missing config.SharedConfigProfileNotExistError
	if errors.As(err, &missing) {
		return &CredentialsError{"`aws configure list-profiles` lists the profiles: choose one by -profile NAME or `export AWS_PROFILE=NAME`", err}
	}
	return fmt.Errorf("the AWS configuration: %w", err)
}

// newRetryer is stated in full because the SDK's defaults change. It has no
// quota of retries: one caller that makes one call at a time needs none. All
// calls may be repeated, StartExecution too: its name makes it idempotent.
func newRetryer(backoff func(int) time.Duration) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.RateLimiter = ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(n int, _ error) (time.Duration, error) { return backoff(n), nil })
	})
}

// patient makes a call outlive a network that is gone for a while, its name
// service included.
func patient(o *sfn.Options) {
	o.Retryer = patientRetryer{o.Retryer}
	o.RetryMaxAttempts = pollAttempts
}

type patientRetryer struct{ aws.Retryer }

func (r patientRetryer) IsErrorRetryable(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) || r.Retryer.IsErrorRetryable(err)
}

func backoff(n int) time.Duration {
	const first, last = 500 * time.Millisecond, 10 * time.Second
	d := first
	for ; n > 0 && d < last; n-- {
		d = d * 8 / 5
	}
	d = min(d, last)
	return d/2 + rand.N(d/2)
}
