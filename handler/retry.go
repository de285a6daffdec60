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

// The delay before attempt n+1 is drawn from all of [0, min(firstDelay * 2^(n-1), mostDelay)).
// The SDK's own stops jittering at its maximum, so that hundreds of reads
// that were refused together come back together.
const (
	firstDelay = 50 * time.Millisecond
	mostDelay  = 2 * time.Second
)

// retryer tries again for as long as the context lives. The SDK's standard
// retryer gives up after 3 attempts, and all at once when a bucket of tokens
// that the whole client shares is empty: 100 reads that fail together drain it
// (aws-sdk-go-v2 issues 1665 and 3413).
type retryer struct{ *retry.Standard }

func newRetryer() retryer {
	return retryer{retry.NewStandard(func(o *retry.StandardOptions) {
		o.RateLimiter = ratelimit.None
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(hopeless), retry.IsErrorRetryableFunc(passing), retry.IsErrorRetryableFunc(cutShort)}, o.Retryables...)
	})}
}

// MaxAttempts returns 0, which is no limit.
func (retryer) MaxAttempts() int { return 0 }

// GetRetryToken is asked once for every attempt that is to be made again.
func (r retryer) GetRetryToken(ctx context.Context, failure error) (func(error) error, error) {
	// What fails by the call's end is no attempt that is made again. A dial can
	// come to that end before the context does.
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

// unreachableTime is how long a call tries to open its first connection. A last
// pause and dial may follow: mostDelay and dialTime.
const unreachableTime = 15 * time.Second

func (retryer) RetryDelay(attempt int, _ error) (time.Duration, error) {
	most := mostDelay
	if n := max(attempt, 1) - 1; n < 6 {
		most = min(most, firstDelay<<n)
	}
	return rand.N(most), nil
}

// passing are errors of KMS that S3 hands on as KMS.NAME. KMS says of these that
// another attempt can succeed, and no other can (AWS KMS API Reference, the
// errors of Decrypt and "Common errors").
func passing(err error) aws.Ternary {
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

// heldUp says what attempts were made again for.
func (t *tally) heldUp() string {
	retries := t.retries.Load()
	if retries == 0 {
		return ""
	}
	return fmt.Sprintf("; %d attempts failed and were made again, the last of them: %v", retries, *t.last.Load())
}

// cutShort finds a listing whose page did not arrive whole, which the SDK
// takes for an answer that it does not understand.
func cutShort(err error) aws.Ternary {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// hopeless tells apart the failures to connect that no attempt will mend; to
// the SDK every one of them is worth another.
func hopeless(err error) aws.Ternary {
	var cert *tls.CertificateVerificationError
	var notTLS tls.RecordHeaderError
	if errors.As(err, &cert) || errors.As(err, &notTLS) || errors.Is(err, http.ErrSchemeMismatch) {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}
