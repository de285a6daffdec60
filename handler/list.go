package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
)

// list returns the keys to read below the payload's prefix and their sizes in
// bytes, in S3's order: by the UTF-8 bytes of the keys. It counts the objects
// skipped. It returns an error if the listing is incomplete, has more than
// MaxObjects keys, or has none.
func (b *bucket) list(ctx context.Context, p event.Payload) (keys []string, sizes []int64, skipped event.Skipped, err error) {
	var t tally
	at := new(progress)
	ctx = context.WithValue(t.into(ctx), progressKey{}, at)
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("deadline: %d objects had been listed; in flight: a page, %v%s\n%s", len(keys), at.phase, t.retryNote(), t.advice(at.phase, 1, "narrow the prefix"))
		}
		if err != nil {
			err = fmt.Errorf("list prefix %q of bucket %q: %w", *p.Prefix, b.name, err)
		}
	}()
	in := &s3.ListObjectsV2Input{
		Bucket: &b.name,
		Prefix: p.Prefix,
		// XML cannot represent every key: a key may contain control characters.
		EncodingType: types.EncodingTypeUrl,
	}
	if p.StartAfter != "" {
		in.StartAfter = &p.StartAfter
	}
	last := p.StartAfter
	tokens := map[string]bool{} // of the pages so far
	for more := true; more; {
		page, err := b.s3.ListObjectsV2(ctx, in, wholePages)
		if err != nil {
			return keys, nil, skipped, fmt.Errorf("%w%s", err, remedy(err))
		}
		for _, o := range page.Contents {
			key := aws.ToString(o.Key)
			if page.EncodingType == types.EncodingTypeUrl {
				if key, err = url.QueryUnescape(key); err != nil {
					return keys, nil, skipped, fmt.Errorf("decode a key of the listing: %w", err)
				}
			}
			if key <= last {
				return keys, nil, skipped, fmt.Errorf("the key %q comes after %q: S3 lists keys in the order of their UTF-8 bytes, and a listing in another order may name objects twice or leave some out\n"+
					"name the objects with keys", key, last)
			}
			last = key
			if !strings.HasSuffix(key, p.Suffix) || skipped.Skip(key, aws.ToInt64(o.Size), string(o.StorageClass)) {
				continue
			}
			if len(keys) == p.MaxObjects {
				return keys, nil, skipped, fmt.Errorf("it has more than maxObjects %d objects\n"+
					"narrow the prefix, raise maxObjects, or use the state machine, which is made for many objects", p.MaxObjects)
			}
			keys, sizes = append(keys, key), append(sizes, aws.ToInt64(o.Size))
		}
		more = *page.IsTruncated
		in.ContinuationToken = page.NextContinuationToken
		if more && tokens[*in.ContinuationToken] {
			return keys, nil, skipped, fmt.Errorf("two pages have the same continuation token, after the key %q: the listing would never end", last)
		}
		tokens[aws.ToString(in.ContinuationToken)] = true
	}
	if len(keys) == 0 {
		return nil, nil, skipped, fmt.Errorf("no object matches it%s%s", conditions(p), skippedNote(skipped))
	}
	return keys, sizes, skipped, nil
}

// maxPageAttempts is how often one page is requested if S3's answers are invalid.
const maxPageAttempts = 5

// wholePages retries a page that does not say whether another page follows. The
// SDK accepts any 200 as a page: it takes an empty body, well-formed HTML, or a
// truncated page without a token for the last page. It retries no 200 that it cannot
// decode, such as most HTML.
func wholePages(o *s3.Options) {
	attempts := 0
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("WholePage", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
			middleware.DeserializeOutput, middleware.Metadata, error,
		) {
			out, metadata, err := next.HandleDeserialize(ctx, in)
			if page, ok := out.Result.(*s3.ListObjectsV2Output); ok && err == nil && (page.IsTruncated == nil || *page.IsTruncated && aws.ToString(page.NextContinuationToken) == "") {
				attempts++
				err = &pageError{attempts, errors.New("the answer does not say whether it is the last page, or which page comes next")}
			} else if undecodable(err) {
				attempts++
				err = &pageError{attempts, err}
			}
			return out, metadata, err
		}), middleware.Before)
	})
}

// pageError reports that S3 answered a listing with an invalid page.
type pageError struct {
	attempts int
	cause    error
}

func (e *pageError) Error() string {
	return fmt.Sprintf("no valid page of a listing in %d attempts: %v", e.attempts, e.cause)
}
func (e *pageError) Unwrap() error        { return e.cause }
func (e *pageError) RetryableError() bool { return e.attempts < maxPageAttempts }

// undecodable reports whether err is about a complete 200 that is not S3's XML.
func undecodable(err error) bool {
	r, code, _ := refusal(err)
	_, cut := errors.AsType[net.Error](err)
	return r != nil && r.HTTPStatusCode() == http.StatusOK && code == "" && !cut && !errors.Is(err, io.ErrUnexpectedEOF)
}

// conditions describes the payload's suffix and startAfter, for an error.
func conditions(p event.Payload) (s string) {
	if p.Suffix != "" {
		s += fmt.Sprintf(" with the suffix %q", p.Suffix)
	}
	if p.StartAfter != "" {
		s += fmt.Sprintf(" after %q", p.StartAfter)
	}
	return s
}

// skippedNote describes the objects that match but are not read, for an error.
func skippedNote(s event.Skipped) string {
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
	return ", except " + strings.Join(has, " and ") + " (not read)"
}

// checkBucket returns an error unless name may be that of a general purpose bucket.
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
