package s3

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"lambda-parallel-io/handler/platform"

	"github.com/johannesboyne/gofakes3"
)

type page struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name, Prefix          string
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	NextContinuationToken string `xml:",omitempty"`
	KeyCount, MaxKeys     int
	Contents              []*gofakes3.Content
}

// list answers ListObjectsV2 with a page of keys in byte order. A token is the last key
// of a page. gofakes3's own answer, which serves requests with a delimiter, lacks
// encoding-type, without which XML cannot hold every key.
func (m *model) list(w http.ResponseWriter, q url.Values, bucket string) {
	after, err := url.QueryUnescape(q.Get("continuation-token"))
	if err != nil {
		fail(w, http.StatusBadRequest, "InvalidArgument", "The continuation token provided is incorrect")
		return
	}
	p := page{Name: bucket, Prefix: q.Get("prefix"), EncodingType: q.Get("encoding-type"), MaxKeys: platform.KeysPerPage}
	if n, err := strconv.Atoi(q.Get("max-keys")); err == nil && n > 0 {
		p.MaxKeys = min(n, platform.KeysPerPage)
	}
	keys, err := m.backend.ListBucket(bucket, &gofakes3.Prefix{HasPrefix: p.Prefix != "", Prefix: p.Prefix},
		gofakes3.ListBucketPage{Marker: cmp.Or(after, q.Get("start-after")), MaxKeys: int64(p.MaxKeys)})
	if err != nil {
		fail(w, http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
		return
	}
	p.Contents, p.KeyCount = keys.Contents, len(keys.Contents)
	if p.IsTruncated = keys.IsTruncated; p.IsTruncated {
		p.NextContinuationToken = url.QueryEscape(keys.NextMarker)
	}
	if p.EncodingType == "url" {
		p.Prefix = encoded(p.Prefix)
		for _, c := range p.Contents {
			c.Key = encoded(c.Key)
		}
	}
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write([]byte(xml.Header))
	_ = xml.NewEncoder(w).Encode(p) // a client that has gone needs no answer
}

func encoded(key string) string { return strings.ReplaceAll(url.QueryEscape(key), "%2F", "/") }
