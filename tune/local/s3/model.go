package s3

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/johannesboyne/gofakes3"
	"golang.org/x/time/rate"
)

// GetsPerSecond is what S3 grants one partitioned prefix at least; the model
// takes the documented minimum as its limit and answers 503 SlowDown above it.
// Source: S3 User Guide, "Best practices design patterns: optimizing Amazon S3
// performance". Burst is this project's choice: 100 ms of it.
const (
	GetsPerSecond = 5_500
	Burst         = GetsPerSecond / 10
)

// model is an S3 server's handler with what gofakes3 lacks: latency, SlowDown,
// checksums, 403 for a key that is not there, counters.
type model struct {
	next    http.Handler
	backend gofakes3.Backend
	latency Latency
	seed    uint64
	limit   *rate.Limiter

	invocation atomic.Uint64
	gets       atomic.Uint64 // first attempts of the invocation
	retries    atomic.Uint64 // further attempts of the invocation
	slowDowns  atomic.Int64  // since the start
	served     atomic.Int64  // since the start

	objects sync.Map // object by path: those that Put stored, and nobody has written since
}

func (m *model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		m.objects.Delete(r.URL.Path)
		m.next.ServeHTTP(w, r)
		return
	}
	m.served.Add(1)
	throttled := !m.limit.Allow()
	if !m.wait(r) {
		return
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if throttled {
		m.slowDowns.Add(1)
		fail(w, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
		return
	}
	if _, err := m.backend.HeadObject(bucket, key); key != "" && err != nil {
		// Without s3:ListBucket S3 does not tell that a key is missing.
		fail(w, http.StatusForbidden, "AccessDenied", "Access Denied")
		return
	}
	if o, ok := m.objects.Load(r.URL.Path); ok && asItIs(r) {
		o.(object).send(w, uint64(m.served.Load()))
		return
	}
	m.next.ServeHTTP(w, r)
}

// object is one that is read as a whole, again and again: it is sent without
// gofakes3's work.
type object struct {
	header http.Header
	body   []byte
}

func newObject(body []byte, modified, contentType string) object {
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body))
	return object{body: body, header: http.Header{
		"Accept-Ranges":  {"bytes"},
		"Content-Length": {strconv.Itoa(len(body))},
		"Content-Type":   {contentType},
		"Etag":           {fmt.Sprintf(`"%x"`, md5.Sum(body))},
		"Last-Modified":  {modified},
		"Server":         {"AmazonS3"},
		// What S3 keeps of an object that was uploaded with CRC32, and sends to a
		// client that asks for checksums.
		"X-Amz-Checksum-Crc32": {base64.StdEncoding.EncodeToString(sum)},
		"X-Amz-Checksum-Type":  {"FULL_OBJECT"},
	}}
}

func (o object) send(w http.ResponseWriter, request uint64) {
	h := w.Header()
	maps.Copy(h, o.header)
	id := fmt.Sprintf("%016X", request)
	h["X-Amz-Request-Id"] = []string{id}
	h["X-Amz-Id-2"] = []string{base64.StdEncoding.EncodeToString([]byte(id + id + id))}
	_, _ = w.Write(o.body) // a client that has gone needs no answer
}

// asItIs reports whether a request asks for the whole object, on no condition.
// x-id names the operation: the SDKs add it.
func asItIs(r *http.Request) bool {
	for _, name := range []string{"Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		if r.Header[name] != nil {
			return false
		}
	}
	return r.URL.RawQuery == "" || r.URL.RawQuery == "x-id=GetObject"
}

// wait lets the request's latency pass, counted from its arrival. It returns
// false when the client has gone.
func (m *model) wait(r *http.Request) bool {
	timer := time.NewTimer(m.draw(r))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// draw gives the i-th GET of an invocation the latency of (seed, invocation,
// i), whichever strategy sends it. The SDK numbers its attempts: those beyond
// the first draw from a series of their own, so that they shift no other.
func (m *model) draw(r *http.Request) time.Duration {
	k := m.invocation.Load()
	attempt := r.Header.Get("amz-sdk-request")
	if attempt != "" && !strings.HasPrefix(attempt, "attempt=1;") && attempt != "attempt=1" {
		return m.latency.Draw(m.seed, k, 1<<63|m.retries.Add(1))
	}
	return m.latency.Draw(m.seed, k, m.gets.Add(1))
}

// fail answers as S3 does: the error's code and message as XML.
func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "%s<Error><Code>%s</Code><Message>%s</Message></Error>", xml.Header, code, message)
}
