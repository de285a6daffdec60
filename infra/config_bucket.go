package main

import (
	"fmt"
	"regexp"
	"strings"

	"lambda-parallel-io/handler/platform"
)

// bucketName is S3's rule for the names of general purpose buckets, but for the
// ends of notBuckets.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// notBuckets is what else has a name like a bucket's, by its end. Source: Amazon
// S3 User Guide, "General purpose bucket naming rules". A directory bucket lists
// its keys in no order, so that no call could go on where another has ended; of
// the others the role's policy would have to name an access point.
var notBuckets = []struct{ end, is string }{
	{"--x-s3", "a directory bucket"},
	{"-s3alias", "an access point"},
	{"--ol-s3", "an Object Lambda access point"},
	{".mrap", "a Multi-Region access point"},
	{"--table-s3", "a table bucket"},
}

// notBucket says what has that name if it is not a general purpose bucket.
func notBucket(name string) string {
	for _, n := range notBuckets {
		if strings.HasSuffix(name, n.end) {
			return n.is
		}
	}
	if strings.HasPrefix(name, "arn:") && strings.Contains(name, ":accesspoint/") {
		return "an access point"
	}
	return ""
}

func isBucket(name string) bool { return bucketName.MatchString(name) && notBucket(name) == "" }

// bucket reads a pair of keys of which the second needs the first. People
// write a bucket as a URI or an ARN, too.
func (r *reader) bucket(key, prefixKey string) (name, prefix string) {
	name, ok := r.text(key)
	prefix, _ = r.text(prefixKey)
	allowed := "the name of an existing bucket, of 3 to 63 lower-case letters, digits, dots and hyphens"
	if other := notBucket(name); other != "" {
		allowed = "the name of an existing general purpose bucket, and this is " + other
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

// inventory reads a URI, s3://BUCKET/PREFIX.
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
