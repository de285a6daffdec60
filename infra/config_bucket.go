package main

import (
	"fmt"
	"regexp"
	"strings"

	"lambda-parallel-io/handler/platform"
)

// bucketName is S3's rule for the names of general purpose buckets, except for
// the endings of other buckets (platform.OtherBucket).
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// isBucket reports whether name may be that of a general purpose bucket.
func isBucket(name string) bool {
	return bucketName.MatchString(name) && platform.OtherBucket(name) == ""
}

// bucket reads a bucket and a prefix; a prefix requires a bucket. If the bucket is
// a URI or an ARN, the error suggests the bucket's name.
func (r *reader) bucket(key, prefixKey string) (name, prefix string) {
	name, ok := r.text(key)
	prefix, _ = r.text(prefixKey)
	allowed := "the name of an existing bucket, of 3 to 63 lower-case letters, digits, dots and hyphens"
	if other := platform.OtherBucket(name); other != "" {
		allowed = "the name of an existing general purpose bucket, but this is " + other
	}
	meant, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(name, "s3://"), "arn:aws:s3:::"), "/")
	if !isBucket(meant) {
		meant = "my-bucket"
	}
	switch {
	case ok && name == "" && prefix != "":
		r.wrong(key, name, allowed+", because "+prefixKey+" is set", meant)
	case ok && name != "" && !isBucket(name):
		r.wrong(key, name, allowed, meant)
	}
	if len(prefix) > platform.MaxKeyBytes {
		r.wrong(prefixKey, prefix, fmt.Sprintf("at most %d bytes long, as a key is", platform.MaxKeyBytes), strings.ToValidUTF8(prefix[:platform.MaxKeyBytes], ""))
	}
	return name, prefix
}

// inventory reads where S3 Inventories are delivered: a URI, s3://BUCKET/PREFIX.
func (r *reader) inventory(key string) inventory {
	value, ok := r.text(key)
	if !ok || value == "" {
		return inventory{}
	}
	rest, isURI := strings.CutPrefix(value, "s3://")
	bucket, prefix, _ := strings.Cut(rest, "/")
	if !isURI || !isBucket(bucket) || prefix == "" {
		r.wrong(key, value, "empty, or where an S3 Inventory is delivered, as s3://BUCKET/PREFIX", "s3://my-inventories/my-bucket/all/")
	}
	return inventory{bucket, prefix}
}
