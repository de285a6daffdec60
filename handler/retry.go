package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// The delay before attempt n+1 is random in [0, min(firstDelay * 2^(n-1), maxDelay)).
// The SDK's own delay has no jitter at its maximum, so hundreds of reads refused
// together would be retried together.
const (
	firstDelay = 50 * time.Millisecond
	maxDelay   = 2 * time.Second
)

// retryer retries until the context ends. The SDK's standard retryer gives up
// after 3 attempts. It also fails every read at once when the token bucket that
// the whole client shares is empty: 100 reads that fail together drain it
// (aws-sdk-go-v2 issues 1665 and 3413).
type retryer struct{ *retry.Standard }

func newRetryer() retryer {
	return retryer{retry.NewStandard(func(o *retry.StandardOptions) {
		o.RateLimiter = ratelimit.None
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(hopelessDial), retry.IsErrorRetryableFunc(transientKMS), retry.IsErrorRetryableFunc(partialPage)}, o.Retryables...)
	})}
}

// MaxAttempts returns 0, which means no limit.
func (retryer) MaxAttempts() int { return 0 }

// GetRetryToken counts a retry; the SDK calls it once before each. It returns an
// error if there must be no retry.
func (r retryer) GetRetryToken(ctx context.Context, failure error) (func(error) error, error) {
	// An attempt that the end of the call cut off is not retried. A dial can reach
	// the deadline before the context does.
	if end, ok := ctx.Deadline(); ctx.Err() != nil || ok && !time.Now().Before(end) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	t := tallyOf(ctx)
	if took := time.Since(t.began); isDial(failure) && !t.answered.Load() && t.connections.Load() == 0 && took > unreachableTime {
		return nil, fmt.Errorf("no connection to S3 could be opened in %.1f s", took.Seconds())
	}
	t.retries.Add(1)
	t.last.Store(&failure)
	progressOf(ctx).phase = pausing
	return r.Standard.GetRetryToken(ctx, failure)
}

// unreachableTime is how long a call tries to open its first connection. One more
// delay and dial may follow, of at most maxDelay and dialTime.
const unreachableTime = 15 * time.Second

// RetryDelay returns a random delay before the next attempt.
func (retryer) RetryDelay(attempt int, _ error) (time.Duration, error) {
	most := maxDelay
	if n := max(attempt, 1) - 1; n < 6 {
		most = min(most, firstDelay<<n)
	}
	return rand.N(most), nil
}

// maxSkew is the error of a request's time up to which a 403 is not about the time. It
// is the SDK's (aws-sdk-go-v2 core 1.48.0).
const maxSkew = 4 * time.Minute

// wrongTime is a refusal of a request that direct signed with a wrong time, which is
// worth a retry. The SDK compares S3's time with its own correction of the clock. If
// another read has set that since, the SDK would take the refusal for final.
type wrongTime struct{ error }

func (e wrongTime) Unwrap() error      { return e.error }
func (wrongTime) RetryableError() bool { return true }

// transientKMS says which errors of KMS, passed on by S3 as KMS.NAME, are worth a
// retry: those that the AWS KMS API Reference calls retryable (errors of Decrypt
// and "Common errors"), and no others.
func transientKMS(err error) aws.Ternary {
	_, code, _ := refusal(err)
	name, ofKMS := strings.CutPrefix(code, "KMS.")
	if slices.Contains([]string{"ThrottlingException", "DependencyTimeoutException", "KMSInternalException", "KeyUnavailableException"}, name) {
		return aws.TrueTernary
	}
	if ofKMS {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// retryNote describes the retries and the last failure, for an error.
func (t *tally) retryNote() string {
	retries := t.retries.Load()
	if retries == 0 {
		return ""
	}
	return fmt.Sprintf("; %d attempts failed and were retried, the last one because of: %v", retries, *t.last.Load())
}

// partialPage retries a listing whose page was not received completely. The SDK
// takes such a page for a response that it cannot parse.
func partialPage(err error) aws.Ternary {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// hopelessDial prevents retries of failures to connect that no retry can fix. The
// SDK would retry them all.
func hopelessDial(err error) aws.Ternary {
	var cert *tls.CertificateVerificationError
	var notTLS tls.RecordHeaderError
	if errors.As(err, &cert) || errors.As(err, &notTLS) || errors.Is(err, http.ErrSchemeMismatch) {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}
