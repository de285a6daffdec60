package s3

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/johannesboyne/gofakes3"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/profile"
)

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.objects.Delete(r.URL.Path)
		s.fake.ServeHTTP(w, r)
		return
	}
	request, now := s.served.Add(1), s.now.Load()
	throttled := !now.limit.Allow()
	arrived, latency := time.Now(), now.slow.Stretch(s.draw(r, now))
	if s.wait(r.Context(), latency) != nil { // the client has gone
		return
	}
	if r.Method == http.MethodGet {
		w = &paced{ResponseWriter: w, server: s, now: now, ctx: r.Context(), begin: arrived.Add(latency)}
	}
	if throttled {
		fail(w, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
		return
	}
	now.granted.Add(1)
	if o, ok := s.objects.Load(r.URL.Path); ok && wantsAll(r) {
		id := fmt.Sprintf("%016X", request)
		maps.Copy(w.Header(), o.(object).header)
		w.Header().Set("X-Amz-Request-Id", id)
		w.Header().Set("X-Amz-Id-2", base64.StdEncoding.EncodeToString([]byte(id+id+id)))
		_, _ = w.Write(o.(object).body) // a client that has gone needs no answer
		return
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if q := r.URL.Query(); key == "" && q.Get("list-type") == "2" && !q.Has("delimiter") {
		s.list(w, q, bucket)
		return
	}
	s.fake.ServeHTTP(w, r)
}

// draw gives the first GET of the i-th of n objects in an invocation the latency of (seed, invocation, i), the second
// that of i + n and so on, whatever the strategy and the order. The SDK numbers its attempts: later attempts,
// listings and all other requests draw from a separate series and so do not shift the latencies of GETs. Listings
// have the distribution of GETs, because none of their own is published.
func (s *Server) draw(r *http.Request, now *invocation) time.Duration {
	attempt, _, _ := strings.Cut(r.Header.Get("amz-sdk-request"), ";")
	o, known := s.objects.Load(r.URL.Path)
	if !known || attempt != "" && attempt != "attempt=1" {
		return now.Draw(now.seed, now.k, profile.Again|now.others.Add(1))
	}
	n, _ := now.reads.LoadOrStore(r.URL.Path, new(atomic.Uint64))
	return now.Draw(now.seed, now.k, o.(object).place+(n.(*atomic.Uint64).Add(1)-1)*s.stored.Load())
}

// wantsAll reports whether a request is for the whole object without conditions. By x-id SDKs name the operation.
func wantsAll(r *http.Request) bool {
	conditions := []string{"Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}
	return (r.URL.RawQuery == "" || r.URL.RawQuery == "x-id=GetObject") &&
		!slices.ContainsFunc(conditions, func(name string) bool { return r.Header[name] != nil })
}

// paced sends a body as fast as a connection and the network allow. Units below [profile.Piece] would gain nothing.
type paced struct {
	http.ResponseWriter
	server *Server
	now    *invocation
	ctx    context.Context
	begin  time.Time // of the body
	sent   int
}

func (p *paced) Write(body []byte) (n int, err error) {
	for b := range slices.Chunk(body, profile.Piece) {
		now := time.Now()
		d := p.begin.Sub(now)
		if p.sent += len(b); p.sent > profile.Piece {
			d += p.now.slow.Stretch(time.Duration(p.sent) * time.Second / profile.ConnectionBandwidth)
		}
		for _, l := range p.now.network {
			d = max(d, l.ReserveN(now, len(b)).DelayFrom(now))
		}
		if err := p.server.wait(p.ctx, d); err != nil {
			return n, err
		}
		sent, err := p.ResponseWriter.Write(b)
		if n += sent; err != nil {
			return n, err
		}
	}
	return n, nil
}

// list answers ListObjectsV2 with a page of keys in byte order. A token is the last key of a page. gofakes3's own
// answer, which serves requests with a delimiter, lacks encoding-type, without which XML cannot hold every key.
func (s *Server) list(w http.ResponseWriter, q url.Values, bucket string) {
	after, err := url.QueryUnescape(q.Get("continuation-token"))
	if err != nil {
		fail(w, http.StatusBadRequest, "InvalidArgument", "The continuation token provided is incorrect")
		return
	}
	most, _ := strconv.ParseUint(q.Get("max-keys"), 10, 31)
	var p struct {
		gofakes3.ListBucketResultBase
		EncodingType          string `xml:",omitempty"`
		NextContinuationToken string `xml:",omitempty"`
		KeyCount              int
	}
	p.Xmlns, p.Name = "http://s3.amazonaws.com/doc/2006-03-01/", bucket
	p.Prefix, p.EncodingType = q.Get("prefix"), q.Get("encoding-type")
	p.MaxKeys = min(cmp.Or(int64(most), platform.KeysPerPage), platform.KeysPerPage)
	keys, err := s.memory.ListBucket(bucket, &gofakes3.Prefix{HasPrefix: true, Prefix: p.Prefix},
		gofakes3.ListBucketPage{Marker: cmp.Or(after, q.Get("start-after")), MaxKeys: p.MaxKeys})
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

func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "%s<Error><Code>%s</Code><Message>%s</Message></Error>", xml.Header, code, message)
}
