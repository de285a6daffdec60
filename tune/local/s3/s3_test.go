package s3_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lambda-parallel-io/handler/platform"

	"github.com/google/go-cmp/cmp"

	"lambda-parallel-io/tune/local/s3"
)

func latency(t testing.TB, name string) s3.Latency {
	t.Helper()
	l, err := s3.ParseLatency(name)
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
	s, err := s3.Start(latency(t, latencyName), 1, slow, log.New(io.Discard, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if err := s.Put("b", "a key/ä.json", []byte(body)); err != nil {
		t.Fatal(err)
	}
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

func TestAnObjectThatWasWrittenAnewIsReadAnew(t *testing.T) {
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
	granted := float64(s3.Burst) + took*platform.GetsPerSecond
	reads, slow := s.Counters()
	t.Logf("%d GETs in %.2f s: %v", n, took, codes)
	if codes[200]+codes[503] != n || int(slow) != codes[503] || reads != n {
		t.Errorf("%v of %d GETs, counted %d reads and %d SlowDown", codes, n, reads, slow)
	}
	if got := float64(codes[200]); got < s3.Burst || got > granted+1 {
		t.Errorf("%.0f of %d succeeded in %.2f s, want from %d to %.0f", got, n, took, s3.Burst, granted)
	}
}

func TestTheSameNumbersDrawTheSameLatencyAndOthersAnother(t *testing.T) {
	l := latency(t, "apg")
	if first, second := l.Draw(1, 2, 3), l.Draw(1, 2, 3); first != second {
		t.Error("the same seed, invocation and GET draw two latencies")
	}
	seen := map[time.Duration]string{}
	for seed := range uint64(5) {
		for k := range uint64(5) {
			for i := range uint64(50) {
				at := fmt.Sprint(seed, k, i)
				d := l.Draw(seed, k, i)
				if other, ok := seen[d]; ok {
					t.Errorf("%s and %s draw the same %v", at, other, d)
				}
				seen[d] = at
			}
		}
	}
}

// The profiles have the percentiles that they are said to be fitted to.
func TestProfilesHaveTheirPercentiles(t *testing.T) {
	for name, want := range map[string]struct{ p50, p99, mean, least float64 }{
		"apg":     {13, 55, 15.75, 0},
		"public":  {27, 114, 33, 10},
		"express": {2.5, 10.6, 3.03, 0},
		"15ms":    {15, 15, 15, 15},
		"none":    {0, 0, 0, 0},
	} {
		l := latency(t, name)
		const n = 20_000
		ms := make([]float64, n)
		sum := 0.0
		for i := range ms {
			ms[i] = float64(l.Draw(7, 1, uint64(i))) / 1e6
			sum += ms[i]
		}
		slices.Sort(ms)
		near := func(what string, got, want float64) {
			if math.Abs(got-want) > 0.06*want {
				t.Errorf("%s: %s %.2f ms, want %.2f", name, what, got, want)
			}
		}
		near("p50", ms[n/2], want.p50)
		near("p99", ms[n*99/100], want.p99)
		near("mean", sum/n, want.mean)
		if ms[0] < want.least {
			t.Errorf("%s: least %.2f ms, want at least %.2f", name, ms[0], want.least)
		}
	}
}

// A read waits for its latency, and invocations repeat each other's.
func TestReadsTakeTheirDrawnLatency(t *testing.T) {
	s, client := server(t, "public", "[]")
	l := latency(t, "public")
	for k := range 2 {
		s.Begin(k)
		for i := range 3 {
			want := l.Draw(1, uint64(k), uint64(i+1))
			start := time.Now()
			get(t, client, s.URL+keyPath)
			if took := time.Since(start); took < want {
				t.Errorf("GET %d of invocation %d took %v, want at least its %v", i+1, k, took, want)
			}
			// A retry draws apart: it must not shift the next read's latency.
			get(t, client, s.URL+keyPath, "amz-sdk-request", "attempt=2; max=0")
		}
	}
}

func TestALognormalLatencyIsReadByItsName(t *testing.T) {
	const name = "27.5ms~0.62"
	l, err := s3.ParseLatency(name)
	if err != nil || l != s3.Lognormal(27500*time.Microsecond, 0.62) || l.String() != name || l.Draw(1, 1, 1) == l.Draw(1, 1, 2) {
		t.Errorf("ParseLatency(%q) = %+v, %v", name, l, err)
	}
}

func TestParseLatencySaysWhatIsAllowed(t *testing.T) {
	for _, in := range []string{"", "fast", "15", "-1ms", "2m", "13ms~3", "13ms~-1", "13ms~wide"} {
		if _, err := s3.ParseLatency(in); err == nil || !strings.Contains(err.Error(), "apg, public, express, none, a duration from 0s to 1m") {
			t.Errorf("ParseLatency(%q) = %v, want an error that says what is allowed", in, err)
		}
	}
}
