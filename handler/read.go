package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// object is what one read found.
type object struct{ bytes, records int64 }

// turn waits for one of maxConnections, before anything of the SDK is built,
// so that a read that waits costs little more than its goroutine: 10,000 reads
// at once take 180 MB, and 625 MB where they wait inside GetObject. The
// strategy unbounded thus bounds goroutines by nothing, and connections by
// maxConnections. Who has had its turn calls release.
func (b *bucket) turn(ctx context.Context) error {
	select {
	case b.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (b *bucket) release() { <-b.turns }

// read gets the object of that key, whole, and processes it. Its error is a
// *readError.
func (b *bucket) read(ctx context.Context, key string) (object, error) {
	p := &progress{key: key}
	defer b.direct.budget.release(p)
	o, err := b.get(context.WithValue(ctx, progressKey{}, p), p)
	if err != nil {
		return object{}, &readError{bucket: b.name, key: key, attempts: p.attempts, phase: p.phase, cause: err}
	}
	return o, nil
}

func (b *bucket) get(ctx context.Context, p *progress) (object, error) {
	whole := b.direct.get(ctx, p)
	if whole == nil {
		// An input of its own: the SDK writes to it.
		out, err := b.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: aws.String(p.key)})
		if err != nil {
			if o := p.handed; o != nil && o.resp != nil { // the SDK did not come to it
				_ = o.resp.Body.Close()
			}
			return object{}, fmt.Errorf("%w%s", err, remedy(err))
		}
		whole = out.Body.(*body)
	}
	defer func() { p.dropped = whole.free() }()
	records, err := process(p.key, whole.Bytes())
	return object{bytes: int64(whole.Len()), records: records}, err
}

// readError is an object that could not be read, or whose content was refused.
type readError struct {
	bucket, key string
	attempts    int
	phase       phase // in which it ended
	cause       error
}

func (e *readError) Error() string {
	return fmt.Sprintf("read object %q of bucket %q: %v", e.key, e.bucket, e.cause)
}
func (e *readError) Unwrap() error { return e.cause }

// remedy is a line of its own that says what to look at, or nothing.
func remedy(err error) string {
	var r *awshttp.ResponseError
	if !errors.As(err, &r) {
		return ""
	}
	var operation *smithy.OperationError
	listing := errors.As(err, &operation) && operation.Operation() == "ListObjectsV2"
	code, message := apiError(err)
	switch status := r.HTTPStatusCode(); {
	case elsewhere(r) != "":
		return fmt.Sprintf("\nthe bucket is in %s: run the function there, or set AWS_REGION", elsewhere(r))
	case strings.HasPrefix(code, "KMS.") || status == 403 && strings.Contains(message, "kms:"):
		return "\nthe object is encrypted by a KMS key: the function's role needs kms:Decrypt on that key, and the key must be enabled"
	case code == "InvalidObjectState":
		return "\nthe object is archived: restore it before it is read"
	case code == "NoSuchBucket":
		return "\ncheck BUCKET: there is no bucket of that name"
	case listing && status == 403:
		return "\ncheck that the function may list the bucket below this prefix: its role needs s3:ListBucket"
	case status == 404:
		return "\ncheck the key: there is no such object, or no longer"
	case status == 403:
		return "\ncheck that the object exists and that the function may read it: S3 answers 403 for an object that does not exist to one that may not list the bucket"
	}
	return ""
}

// elsewhere is the bucket's region, where S3 answers that it is another one.
func elsewhere(r *awshttp.ResponseError) string {
	switch r.HTTPStatusCode() {
	case 301, 307, 400:
		return r.Response.Header.Get("X-Amz-Bucket-Region")
	}
	return ""
}

func apiError(err error) (code, message string) {
	var e smithy.APIError
	if !errors.As(err, &e) {
		return "", ""
	}
	return e.ErrorCode(), e.ErrorMessage()
}

// ofAll tells whether the error is not one object's: the others would fail by
// it too.
func ofAll(err error) bool {
	if hopeless(err) == aws.FalseTernary {
		return true
	}
	var r *awshttp.ResponseError
	if errors.As(err, &r) && elsewhere(r) != "" {
		return true
	}
	code, _ := apiError(err)
	return slices.Contains([]string{"NoSuchBucket", "ExpiredToken", "InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"}, code)
}
