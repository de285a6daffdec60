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

// model is an S3 server's handler with what gofakes3 lacks: latency, bandwidth,
// SlowDown, checksums, listings whose keys are encoded, counters.
type model struct {
	next    http.Handler
	backend gofakes3.Backend
	profile profile.S3
	slow    slowmotion.Factor

	now       atomic.Pointer[invocation]
	slowDowns atomic.Int64 // since the start
	served    atomic.Int64 // since the start

	wait func(context.Context, time.Duration) bool // false when the context ends before

	objects sync.Map      // object by path: those that Put stored, and nobody has written since
	stored  atomic.Uint64 // how many Put has stored
}

// invocation is what the requests of one have in common.
type invocation struct {
	seed, k uint64
	reads   sync.Map // *atomic.Uint64 by path: first attempts
	others  atomic.Uint64
	network network
	limit   *rate.Limiter
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
	if !m.wait(r.Context(), latency) { // the client has gone
		return
	}
	answer := &paced{ResponseWriter: w, ctx: r.Context(), wait: m.wait, network: now.network, slow: m.slow, begin: arrived.Add(latency)}
	if r.Method == http.MethodGet {
		w = answer
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if throttled {
		m.slowDowns.Add(1)
		fail(w, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
		return
	}
	if o, ok := m.objects.Load(r.URL.Path); ok && asItIs(r) {
		o.(object).send(w, uint64(m.served.Load()))
		return
	}
	if key == "" && isList(r) && !r.URL.Query().Has("delimiter") {
		m.list(w, r.URL.Query(), bucket)
		return
	}
	m.next.ServeHTTP(w, r)
}

// object is one that is sent as a whole, without gofakes3's work.
type object struct {
	place  uint64 // from 1: in the order in which Put stored them
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
		// What S3 sends of an object that was uploaded with CRC32.
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

// sleep lets d pass by Go's timers. It returns false when ctx ends before.
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

// draw gives the first GET of the i-th of n objects in an invocation the
// latency of (seed, invocation, i), its second one that of i + n and so on,
// whichever strategy sends them and in whatever order. The SDK numbers its
// attempts: those beyond the first, listings and what else there is draw from a
// series of their own, so that they shift no GET's. A listing's distribution is
// that of a GET: nobody has published another.
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
