package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"lambda-parallel-io/handler/event"
)

// list returns the keys below the payload's prefix that are to be read, in the
// order of S3: that of their UTF-8 bytes.
func (b *bucket) list(ctx context.Context, p event.Payload) (keys []string, skipped event.Skipped, err error) {
	var t tally
	ctx = t.into(ctx)
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("deadline: %d objects had been listed%s\nraise the function's timeout or memory, or narrow the prefix",
				len(keys), t.heldUp())
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
	for pages := s3.NewListObjectsV2Paginator(b.s3, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return keys, skipped, fmt.Errorf("%w%s", err, remedy(err))
		}
		for _, o := range page.Contents {
			key := aws.ToString(o.Key)
			if page.EncodingType == types.EncodingTypeUrl {
				if key, err = url.QueryUnescape(key); err != nil {
					return keys, skipped, fmt.Errorf("a key of the listing: %w", err)
				}
			}
			if !strings.HasSuffix(key, p.Suffix) || skipped.Skip(key, aws.ToInt64(o.Size), string(o.StorageClass)) {
				continue
			}
			if len(keys) == p.MaxObjects {
				return keys, skipped, fmt.Errorf("it has more than maxObjects %d objects\n"+
					"narrow the prefix, raise maxObjects, or use the state machine, which is for many objects", p.MaxObjects)
			}
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, skipped, fmt.Errorf("no object matches it%s, but for %d folder markers and %d archived objects", conditions(p), skipped.FolderMarkers, skipped.Archived)
	}
	return keys, skipped, nil
}

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
