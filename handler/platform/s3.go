package platform

import "strings"

// Limits of S3. Sources: S3 User Guide, "Best practices design patterns:
// optimizing Amazon S3 performance" and "Naming Amazon S3 objects"; S3 API
// Reference, ListObjectsV2.
const (
	GetsPerSecond = 5_500 // at least, for each partitioned prefix; S3 answers requests above its limit with 503 SlowDown
	KeysPerPage   = 1_000 // of a listing, at most
	MaxKeyBytes   = 1_024 // of an object's key in UTF-8
)

// otherBuckets lists the endings of names that look like the name of a general
// purpose bucket but are not. Source: S3 User Guide, "General purpose bucket
// naming rules".
var otherBuckets = []struct{ ending, is string }{
	{"--x-s3", "a directory bucket"},
	{"-s3alias", "an access point"},
	{"--ol-s3", "an Object Lambda access point"},
	{".mrap", "a Multi-Region access point"},
	{"--table-s3", "a table bucket"},
}

// OtherBucket returns what a name belongs to, such as "a directory bucket", or ""
// for a general purpose bucket. This project supports only the latter. A directory
// bucket lists its keys in no order, so a call could not continue where another
// ended. For an access point the role's policy would need its ARN.
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
