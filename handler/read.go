package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// object is what one read found.
type object struct{ bytes, records int64 }

// turn waits for one of maxConnections, before anything of the SDK is built,
// so that a read that waits costs little more than its goroutine: 10,000 reads
// at once take 110 MB, and took 625 MB where they waited inside GetObject. The
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
// *readError. Where the size is known, in bytes, and not -1, a read waits for its
// memory before it asks S3.
func (b *bucket) read(ctx context.Context, key string, size int64) (o object, err error) {
	p := &progress{key: key}
	defer b.direct.budget.release(p)
	if size >= 0 {
		err = b.direct.budget.reserve(ctx, p, size+bytes.MinRead)
	}
	if err == nil {
		o, err = b.get(context.WithValue(ctx, progressKey{}, p), p)
	}
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
	if err != nil && whole.encoding != "" {
		err = fmt.Errorf("its Content-Encoding is %q, which is not undone: %w", whole.encoding, err)
	}
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
