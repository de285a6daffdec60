package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
)

// list returns the keys below the payload's prefix that are to be read, in the
// order of S3: that of their UTF-8 bytes. Sizes are those of the keys, in bytes.
func (b *bucket) list(ctx context.Context, p event.Payload) (keys []string, sizes []int64, skipped event.Skipped, err error) {
	var t tally
	at := new(progress)
	ctx = context.WithValue(t.into(ctx), progressKey{}, at)
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("deadline: %d objects had been listed; in flight: a page, %v%s\n%s", len(keys), at.phase, t.heldUp(), t.advice(at.phase, "narrow the prefix"))
		}
		if err != nil {
			err = fmt.Errorf("list prefix %q of bucket %q: %w", *p.Prefix, b.name, err)
		}
	}()
	in := &s3.ListObjectsV2Input{
		Bucket: &b.name,
		Prefix: p.Prefix,
		// XML cannot hold every key: a key may have control characters.
		EncodingType: types.EncodingTypeUrl,
	}
	if p.StartAfter != "" {
		in.StartAfter = &p.StartAfter
	}
	last := p.StartAfter
	for more := true; more; {
		page, err := b.s3.ListObjectsV2(ctx, in, wholePages)
		if err != nil {
			return keys, nil, skipped, fmt.Errorf("%w%s", err, remedy(err))
		}
		for _, o := range page.Contents {
			key := aws.ToString(o.Key)
			if page.EncodingType == types.EncodingTypeUrl {
				if key, err = url.QueryUnescape(key); err != nil {
					return keys, nil, skipped, fmt.Errorf("a key of the listing: %w", err)
				}
			}
			if key <= last {
				return keys, nil, skipped, fmt.Errorf("the key %q comes after %q: a listing whose keys do not rise in the order of their UTF-8 bytes, as S3's do, names objects twice or leaves some out\n"+
					"name the objects by keys", key, last)
			}
			last = key
			if !strings.HasSuffix(key, p.Suffix) || skipped.Skip(key, aws.ToInt64(o.Size), string(o.StorageClass)) {
				continue
			}
			if len(keys) == p.MaxObjects {
				return keys, nil, skipped, fmt.Errorf("it has more than maxObjects %d objects\n"+
					"narrow the prefix, raise maxObjects, or use the state machine, which is for many objects", p.MaxObjects)
			}
			keys, sizes = append(keys, key), append(sizes, aws.ToInt64(o.Size))
		}
		more = *page.IsTruncated
		if more && aws.ToString(in.ContinuationToken) == *page.NextContinuationToken {
			return keys, nil, skipped, fmt.Errorf("the page after %q names the token of the page before it: the listing has no end", last)
		}
		in.ContinuationToken = page.NextContinuationToken
	}
	if len(keys) == 0 {
		return nil, nil, skipped, fmt.Errorf("no object matches it%s%s", conditions(p), but(skipped))
	}
	return keys, sizes, skipped, nil
}

// mostPages is how often a page is asked for that turns out to be none.
const mostPages = 5

// wholePages makes a page that says nothing of its end another attempt. The SDK
// takes any 200 for a listing: an empty body or an HTML page for its last page,
// and one that is truncated and has no token too.
func wholePages(o *s3.Options) {
	attempts := 0
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("WholePage", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
			middleware.DeserializeOutput, middleware.Metadata, error,
		) {
			out, metadata, err := next.HandleDeserialize(ctx, in)
			if page, ok := out.Result.(*s3.ListObjectsV2Output); ok && err == nil && (page.IsTruncated == nil || *page.IsTruncated && aws.ToString(page.NextContinuationToken) == "") {
				attempts++
				err = &pageError{attempts}
			}
			return out, metadata, err
		}), middleware.Before)
	})
}

// pageError is an answer to a listing that is no page of one.
type pageError struct{ attempts int }

func (e *pageError) Error() string {
	return fmt.Sprintf("the answer is no page of a listing, %d times: it does not say whether it is the last one, or which comes next", e.attempts)
}
func (e *pageError) RetryableError() bool { return e.attempts < mostPages }

// conditions are those of the payload's beside its prefix.
func conditions(p event.Payload) (s string) {
	if p.Suffix != "" {
		s += fmt.Sprintf(" with the suffix %q", p.Suffix)
	}
	if p.StartAfter != "" {
		s += fmt.Sprintf(" after %q", p.StartAfter)
	}
	return s
}

// but says what matches and is not read.
func but(s event.Skipped) string {
	var has []string
	for _, of := range []struct {
		n   int
		one string
	}{{s.FolderMarkers, "folder marker"}, {s.Archived, "archived object"}} {
		switch {
		case of.n == 1:
			has = append(has, "1 "+of.one)
		case of.n > 1:
			has = append(has, fmt.Sprintf("%d %ss", of.n, of.one))
		}
	}
	if has == nil {
		return ""
	}
	return ", but for " + strings.Join(has, " and ")
}

// checkBucket refuses a name that is not a general purpose bucket's.
func checkBucket(name string) error {
	other := platform.OtherBucket(name)
	switch {
	case name == "":
		return errors.New("BUCKET is not set: it must be the name of the S3 bucket to read from")
	case other != "":
		return fmt.Errorf("BUCKET is %q, %s: it must be the name of a general purpose bucket", name, other)
	case strings.HasPrefix(name, "arn:"):
		return fmt.Errorf("BUCKET is %q, an ARN: it must be the name of the bucket", name)
	}
	return nil
}
