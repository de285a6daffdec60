package s3

import (
	"context"
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

	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/slowmotion"
)

// model is an S3 server's handler. It adds to gofakes3 latency, bandwidth, SlowDown,
// checksums, listings with encoded keys, and counters.
type model struct {
	next    http.Handler
	backend gofakes3.Backend
	profile profile.S3
	slow    slowmotion.Factor
	wait    func(context.Context, time.Duration) bool // false if the context ends first

	now               atomic.Pointer[invocation]
	slowDowns, served atomic.Int64  // since the start
	objects           sync.Map      // object by path: those from Put, until a client overwrites them
	stored            atomic.Uint64 // number of Puts
}

// invocation is shared by the requests of an invocation.
type invocation struct {
	seed, k uint64
	reads   sync.Map // by path, an *atomic.Uint64 that counts first attempts
	others  atomic.Uint64
	network []*rate.Limiter // in bytes a second, of all connections together
	limit   *rate.Limiter   // in requests a second
	instant bool            // without latency
}

func (m *model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		m.objects.Delete(r.URL.Path)
		m.next.ServeHTTP(w, r)
		return
	}
	m.served.Add(1)
	now := m.now.Load()
	throttled := !now.limit.Allow()
	arrived, latency := time.Now(), m.slow.Stretch(m.draw(r, now))
	if now.instant {
		latency = 0
	}
	if !m.wait(r.Context(), latency) { // the client has gone
		return
	}
	if r.Method == http.MethodGet {
		w = &paced{ResponseWriter: w, model: m, now: now, ctx: r.Context(), begin: arrived.Add(latency)}
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if throttled {
		m.slowDowns.Add(1)
		fail(w, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
		return
	}
	if o, ok := m.objects.Load(r.URL.Path); ok && wantsAll(r) {
		o.(object).send(w, uint64(m.served.Load()))
		return
	}
	if q := r.URL.Query(); key == "" && q.Get("list-type") == "2" && !q.Has("delimiter") {
		m.list(w, q, bucket)
		return
	}
	m.next.ServeHTTP(w, r)
}

// object can be sent as a whole, which costs less than gofakes3's answer.
type object struct {
	place  uint64 // from 1, in the order of Put
	header http.Header
	body   []byte
}

func newObject(place uint64, body []byte, modified, contentType string) object {
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body))
	return object{place: place, body: body, header: http.Header{
		"Accept-Ranges":  {"bytes"},
		"Content-Length": {strconv.Itoa(len(body))},
		"Content-Type":   {contentType},
		"Etag":           {fmt.Sprintf(`"%x"`, md5.Sum(body))},
		"Last-Modified":  {modified},
		"Server":         {"AmazonS3"},
		// S3 sends these for an object that was uploaded with CRC32.
		"X-Amz-Checksum-Crc32": {base64.StdEncoding.EncodeToString(sum)},
		"X-Amz-Checksum-Type":  {"FULL_OBJECT"},
	}}
}

func (o object) send(w http.ResponseWriter, request uint64) {
	maps.Copy(w.Header(), o.header)
	id := fmt.Sprintf("%016X", request)
	w.Header().Set("X-Amz-Request-Id", id)
	w.Header().Set("X-Amz-Id-2", base64.StdEncoding.EncodeToString([]byte(id+id+id)))
	_, _ = w.Write(o.body) // a client that has gone needs no answer
}

// wantsAll reports whether a request asks for the whole object without conditions.
// The SDKs add x-id to name the operation.
func wantsAll(r *http.Request) bool {
	for _, name := range []string{"Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		if r.Header[name] != nil {
			return false
		}
	}
	return r.URL.RawQuery == "" || r.URL.RawQuery == "x-id=GetObject"
}

// sleep waits for d by Go's timers. It returns false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// draw gives the first GET of the i-th of n objects in an invocation the latency of
// (seed, invocation, i), the second that of i + n and so on, whatever the strategy and
// the order. The SDK numbers its attempts: later attempts, listings and all other
// requests draw from a separate series and so do not shift the latencies of GETs.
// Listings have the distribution of GETs, because none of their own is published.
func (m *model) draw(r *http.Request, now *invocation) time.Duration {
	attempt := r.Header.Get("amz-sdk-request")
	again := attempt != "" && !strings.HasPrefix(attempt, "attempt=1;") && attempt != "attempt=1"
	o, known := m.objects.Load(r.URL.Path)
	if again || !known {
		return m.profile.Draw(now.seed, now.k, profile.Again|now.others.Add(1))
	}
	n, _ := now.reads.LoadOrStore(r.URL.Path, new(atomic.Uint64))
	return m.profile.Draw(now.seed, now.k, o.(object).place+(n.(*atomic.Uint64).Add(1)-1)*m.stored.Load())
}

func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "%s<Error><Code>%s</Code><Message>%s</Message></Error>", xml.Header, code, message)
}
