package s3_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/local/s3"
	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/slowmotion"
)

func latency(t testing.TB, name string) profile.S3 {
	t.Helper()
	l, err := profile.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// server starts an S3 that holds b/key, and a client that trusts it.
func server(t testing.TB, latencyName string, body string) (*s3.Server, *http.Client) {
	t.Helper()
	return slowServer(t, 1, latencyName, body)
}

func slowServer(t testing.TB, slow int, latencyName string, body string) (*s3.Server, *http.Client) {
	t.Helper()
	s, err := s3.Start(log.New(io.Discard, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	s.Begin(latency(t, latencyName), slowmotion.Factor(slow), 1, 0)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	s.Put("b", "a key/ä.json", []byte(body))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.CA)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 100, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return s, &http.Client{Transport: transport}
}

const keyPath = "/b/a%20key/%C3%A4.json"

func get(t *testing.T, client *http.Client, url string, header ...string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return 0, "", nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	if resp.ProtoMajor != 1 {
		t.Errorf("it speaks %s, S3 speaks HTTP/1.1", resp.Proto)
	}
	return resp.StatusCode, string(body), resp.Header
}

func TestAnObjectComesWithTheChecksumThatS3WouldSend(t *testing.T) {
	const body = `[{"id": 1}]`
	s, client := server(t, "none", body)
	status, got, header := get(t, client, s.URL+keyPath)
	want := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body))))
	if status != 200 || got != body || header.Get("x-amz-checksum-crc32") != want || header.Get("x-amz-checksum-type") != "FULL_OBJECT" || header.Get("Last-Modified") == "" {
		t.Errorf("GET = %d %q %v, want the object with checksum %s", status, got, header, want)
	}
	status, part, header := get(t, client, s.URL+keyPath, "Range", "bytes=0-3")
	if status != 206 || part != body[:4] || header.Get("x-amz-checksum-crc32") != "" {
		t.Errorf("a range = %d %q with checksum %q, want a part without one", status, part, header.Get("x-amz-checksum-crc32"))
	}
}

// What is sent from memory is what a whole S3 server would send of the object:
// a condition that holds makes it answer.
func TestAnObjectHasTheHeadersOfAnS3Server(t *testing.T) {
	s, client := server(t, "none", `[{"id": 1}]`)
	_, _, fast := get(t, client, s.URL+keyPath)
	_, _, whole := get(t, client, s.URL+keyPath, "If-Modified-Since", "Thu, 01 Jan 2015 00:00:00 GMT")
	for _, h := range []http.Header{fast, whole} {
		for _, name := range []string{"X-Amz-Request-Id", "X-Amz-Id-2"} { // others each time
			if h.Get(name) == "" {
				t.Errorf("no %s in %v", name, h)
			}
			h.Del(name)
		}
		h.Del("Date")
		h.Del("Access-Control-Allow-Origin") // S3 sends it of a bucket that allows other origins
		h.Del("X-Amz-Checksum-Crc32")
		h.Del("X-Amz-Checksum-Type")
	}
	if diff := cmp.Diff(whole, fast); diff != "" {
		t.Errorf("the headers differ (-server +memory):\n%s", diff)
	}
	if status, body, _ := get(t, client, s.URL+keyPath, "If-None-Match", fast.Get("Etag")); status != 304 || body != "" {
		t.Errorf("GET of a known ETag = %d %q, want 304", status, body)
	}
	if resp, err := client.Head(s.URL + keyPath); err != nil || resp.ContentLength != 11 || resp.Header.Get("Etag") != fast.Get("Etag") {
		t.Errorf("HEAD = %+v, %v", resp, err)
	}
}

func TestAnOverwrittenObjectIsReadAnew(t *testing.T) {
	s, client := server(t, "none", "old")
	for method, want := range map[string]int{http.MethodPut: 200, http.MethodDelete: 404} {
		r, err := http.NewRequest(method, s.URL+keyPath, strings.NewReader("new"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if status, body, _ := get(t, client, s.URL+keyPath); status != want || status == 200 && body != "new" {
			t.Errorf("GET after %s = %d %q, want %d", method, status, body, want)
		}
	}
}

func TestTheConnectionIsVerified(t *testing.T) {
	s, _ := server(t, "none", "[]")
	if resp, err := http.Get(s.URL + keyPath); err == nil {
		resp.Body.Close()
		t.Error("a client that does not trust the run's own authority was served")
	}
}

// More GETs at once than the limit and its burst allow are answered SlowDown,
// and the limit is that of S3's documentation.
func TestAboveTheRequestLimitTheAnswerIsSlowDown(t *testing.T) {
	s, client := server(t, "none", "[]")
	const n = 4_000
	var mu sync.Mutex
	codes := map[int]int{}
	start := time.Now()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range n / 50 {
				status, body, _ := get(t, client, s.URL+keyPath)
				if status == 503 && !strings.Contains(body, "<Code>SlowDown</Code>") {
					t.Errorf("503 without SlowDown: %s", body)
				}
				mu.Lock()
				codes[status]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	took := time.Since(start).Seconds()
	const burst = platform.GetsPerSecond / 10 // those of 100 ms
	granted := burst + took*platform.GetsPerSecond
	reads, slow := s.Counters()
	t.Logf("%d GETs in %.2f s: %v", n, took, codes)
	if codes[200]+codes[503] != n || int(slow) != codes[503] || reads != n {
		t.Errorf("%v of %d GETs, counted %d reads and %d SlowDown", codes, n, reads, slow)
	}
	if got := float64(codes[200]); got < burst || got > granted+1 {
		t.Errorf("%.0f of %d succeeded in %.2f s, want from %d to %.0f", got, n, took, burst, granted)
	}
}

// A read waits for its latency, and invocations repeat each other's.
func TestReadsTakeTheirDrawnLatency(t *testing.T) {
	s, client := server(t, "public", "[]")
	l := latency(t, "public")
	for k := range 2 {
		s.Begin(l, 1, 1, uint64(k))
		for i := range 3 {
			want := l.Draw(1, uint64(k), uint64(i+1))
			start := time.Now()
			get(t, client, s.URL+keyPath)
			if took := time.Since(start); took < want {
				t.Errorf("GET %d of invocation %d took %v, want at least its %v", i+1, k, took, want)
			}
			// A retry must not shift the next read's latency.
			get(t, client, s.URL+keyPath, "amz-sdk-request", "attempt=2; max=0")
		}
	}
}

// A warm-up of 3,000 reads must not wait for 3,000 latencies.
func TestAnInstantInvocationHasNoLatency(t *testing.T) {
	s, client := server(t, "1m", "body")
	client.Timeout = 20 * time.Second
	s.Begin(profile.S3{}, 1, 1, 0)
	if status, body, _ := get(t, client, s.URL+keyPath); status != http.StatusOK || body != "body" {
		t.Errorf("status %d, %q; want the object long before its latency of a minute", status, body)
	}
}
