package s3

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"net/http"
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

	checksums sync.Map // string by path, of the objects that Put stored
}

func (m *model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		m.checksums.Delete(r.URL.Path)
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
	if sum, ok := m.checksums.Load(r.URL.Path); ok && r.Header.Get("Range") == "" {
		w.Header().Set("x-amz-checksum-crc32", sum.(string))
		w.Header().Set("x-amz-checksum-type", "FULL_OBJECT")
	}
	m.next.ServeHTTP(w, r)
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

// crc32Of is the checksum that S3 stores for an object uploaded with CRC32,
// and sends to a client that asks for checksums.
func crc32Of(body []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
}

// fail answers as S3 does: the error's code and message as XML.
func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "%s<Error><Code>%s</Code><Message>%s</Message></Error>", xml.Header, code, message)
}
