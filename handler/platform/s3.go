package platform

import "strings"

// What S3 grants. Sources: S3 User Guide, "Best practices design patterns:
// optimizing Amazon S3 performance" and "Naming Amazon S3 objects"; S3 API
// Reference, ListObjectsV2.
const (
	GetsPerSecond = 5_500 // of one partitioned prefix, at least; beyond what it gives S3 answers 503 SlowDown
	KeysPerPage   = 1_000 // of a listing, at most
	MaxKeyBytes   = 1_024 // of an object's key in UTF-8
)

// otherBuckets are the endings of names that look like a general purpose
// bucket's and are not. Source: S3 User Guide, "General purpose bucket naming
// rules".
var otherBuckets = []struct{ ending, is string }{
	{"--x-s3", "a directory bucket"},
	{"-s3alias", "an access point"},
	{"--ol-s3", "an Object Lambda access point"},
	{".mrap", "a Multi-Region access point"},
	{"--table-s3", "a table bucket"},
}

// OtherBucket says what a name belongs to, "a directory bucket" for example, or
// returns "" for a general purpose bucket. Only the latter works here: a directory
// bucket lists its keys in no order, so no call could go on where another
// ended, and for an access point the role's policy would need its ARN.
func OtherBucket(name string) string {
	for _, other := range otherBuckets {
		if strings.HasSuffix(name, other.ending) {
			return other.is
		}
	}
	if strings.HasPrefix(name, "arn:") && strings.Contains(name, ":accesspoint/") {
		return "an access point"
	}
	return ""
}
