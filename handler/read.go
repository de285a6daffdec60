package main

import (
	"context"
	"errors"
	"fmt"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// object is what one read found.
type object struct{ bytes, records int64 }

// read gets the object of that key once, whole, and counts its records. It
// waits for its turn at one of maxConnections before anything of the SDK is
// built, so that a read that waits costs little more than its goroutine:
// 10,000 reads at once take 180 MB, and 625 MB where they wait inside
// GetObject. The strategy unbounded thus bounds goroutines by nothing, and
// connections by maxConnections.
func (b *bucket) read(ctx context.Context, key string) (object, error) {
	select {
	case b.turns <- struct{}{}:
		defer func() { <-b.turns }()
	case <-ctx.Done():
		return object{}, context.Cause(ctx)
	}
	o, err := b.get(ctx, key)
	if err != nil {
		return object{}, fmt.Errorf("read object %q of bucket %q: %w%s", key, b.name, err, remedy(err))
	}
	return o, nil
}

func (b *bucket) get(ctx context.Context, key string) (object, error) {
	// An input of its own: the SDK writes to it.
	out, err := b.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		return object{}, err
	}
	whole := out.Body.(*body)
	defer whole.free()
	n := int64(whole.Len())
	records, err := countRecords(&whole.Buffer)
	return object{bytes: n, records: records}, err
}

// remedy is a line of its own that says what to look at, or nothing.
func remedy(err error) string {
	var r *awshttp.ResponseError
	if !errors.As(err, &r) {
		return ""
	}
	switch r.HTTPStatusCode() {
	case 403, 404:
		return "\ncheck that the object exists and that the function may read it: S3 answers 403 for an object that does not exist to one that may not list the bucket"
	case 301, 307, 400:
		if region := r.Response.Header.Get("X-Amz-Bucket-Region"); region != "" {
			return fmt.Sprintf("\nthe bucket is in %s: run the function there, or set AWS_REGION", region)
		}
	}
	return ""
}
