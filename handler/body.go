package main

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// body is an object's content in memory: what GetObject returns here as its
// Body. Who has it calls free.
type body struct{ bytes.Buffer }

// bodies keeps the buffers from read to read: 75 to 115 us of CPU a read are
// saved by not allocating and clearing one each time.
var bodies = sync.Pool{New: func() any { return new(body) }}

func (*body) Close() error { return nil }

func (b *body) free() {
	b.Reset()
	bodies.Put(b)
}

// readInAttempt makes the reading of the body a part of the SDK's attempt. The
// SDK tries again only what fails before the body; with this its one policy
// and its one count hold for a body that is cut, stalls or has a wrong
// checksum too.
func readInAttempt(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("ReadBodyInAttempt", readBody), middleware.Before)
}

func readBody(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	if attempts, ok := ctx.Value(attemptsKey{}).(*int); ok {
		*attempts++
	}
	out, metadata, err := next.HandleDeserialize(ctx, in)
	result, object := out.Result.(*s3.GetObjectOutput) // and not a page of a listing
	if err != nil || !object {
		return out, metadata, err
	}
	whole := bodies.Get().(*body)
	// To its end, and not just to its length: the SDK compares checksums at
	// io.EOF, and only a body that was read to there leaves its connection for
	// the next read.
	_, err = whole.ReadFrom(result.Body)
	_ = result.Body.Close() // ReadFrom has said what there is to say
	if err != nil {
		n := whole.Len()
		whole.free()
		return out, metadata, &bodyError{n, err, ctx.Err() == nil}
	}
	result.Body = whole
	return out, metadata, nil
}

// attemptsKey is the context's key of the number of attempts, an *int.
type attemptsKey struct{}

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
