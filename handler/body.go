package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// body is an object's content in memory: what GetObject returns here as its
// Body. Who has it calls free.
type body struct {
	bytes.Buffer
	encoding string // the object's Content-Encoding, which is not undone
}

// bodies keeps the buffers from read to read: 75 to 115 us of CPU a read are
// saved by not allocating and clearing one each time.
var bodies = sync.Pool{New: func() any { return new(body) }}

func (*body) Close() error { return nil }

// mostPooled bounds what the pool may hold beside the budget: 900 times as much.
// To allocate and clear more is little beside the work on it.
const mostPooled = 64 << 10

func newBody(size int64) *body {
	if size > mostPooled {
		return &body{Buffer: *bytes.NewBuffer(make([]byte, 0, size))}
	}
	b := bodies.Get().(*body)
	b.Grow(int(size))
	return b
}

// free tells whether the buffer is left to the collector.
func (b *body) free() (dropped bool) {
	if b.Cap() > mostPooled {
		b.Buffer = bytes.Buffer{}
		return true
	}
	b.Reset()
	bodies.Put(b)
	return false
}

// readInAttempt makes the reading of the body a part of the SDK's attempt. The
// SDK tries again only what fails before the body; with this its one policy
// and its one count hold for a body that is cut, stalls or has a wrong
// checksum too.
func (d *direct) readInAttempt(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("ReadBodyInAttempt", d.readBody), middleware.Before)
}

func (d *direct) readBody(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
) {
	p := progressOf(ctx)
	p.attempts++
	if o := p.handed; o != nil && o.body != nil {
		p.handed = nil
		return out, metadata, o.body
	}
	out, metadata, err = next.HandleDeserialize(ctx, in)
	if skew, ok := awsmiddleware.GetAttemptSkew(metadata); ok {
		d.skew.Store(int64(skew))
	}
	result, object := out.Result.(*s3.GetObjectOutput) // and not a page of a listing
	if err != nil || !object {
		return out, metadata, err
	}
	length := int64(-1)
	if result.ContentLength != nil {
		length = *result.ContentLength
	}
	whole, err := d.readWhole(ctx, p, result.Body, length, nil)
	if err != nil {
		return out, metadata, err
	}
	whole.encoding = aws.ToString(result.ContentEncoding)
	result.Body = whole
	return out, metadata, nil
}

// mostClaimed bounds what is allocated because a header says so, where the
// budget does not.
const mostClaimed = 64 << 20

// readWhole reads from to its end, and not just to its length: the SDK compares
// checksums at io.EOF, and only a body that was read to there leaves its
// connection for the next read. It waits for its memory. A length of -1 is
// unknown, and a check of nil is none.
func (d *direct) readWhole(ctx context.Context, p *progress, from io.ReadCloser, length int64, check func([]byte) error) (*body, error) {
	defer from.Close() // what there is to say is said by its end
	var in io.Reader = from
	size := min(length, unlimited-bytes.MinRead) + bytes.MinRead
	if length < 0 {
		in, size = &growing{Reader: from, budget: d.budget, p: p}, bytes.MinRead
	}
	if err := d.budget.reserve(ctx, p, size); err != nil {
		return nil, err
	}
	if d.budget.bytes == unlimited {
		size = min(size, mostClaimed)
	}
	whole := newBody(size)
	_, err := whole.ReadFrom(in)
	if err == nil && check != nil {
		err = check(whole.Bytes())
	}
	if err == nil {
		return whole, nil
	}
	n := whole.Len()
	p.dropped = whole.free()
	d.budget.release(p)
	if large := (*tooLarge)(nil); errors.As(err, &large) {
		return nil, large
	}
	return nil, &bodyError{n, err, ctx.Err() == nil}
}

// bodyError is a body that did not arrive whole.
type bodyError struct {
	read  int
	cause error
	again bool // whether another attempt can help: not when the call has ended
}

func (e *bodyError) Error() string {
	return fmt.Sprintf("the body failed after %d bytes: %v", e.read, e.cause)
}
func (e *bodyError) Unwrap() error        { return e.cause }
func (e *bodyError) RetryableError() bool { return e.again }
