package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Which requests go over the connections, and which responses may come back.

// oddKeys are keys that people use, and keys with a special meaning in a path or URL.
var oddKeys = []string{
	"a b", "a+b", "a%20b", "a%2Fb", "100%", "a//b", "/a", "//a", "a/", ".", "..", "./a", "../a", "a/../b", "a/./b",
	"a?b=c", "a#b", "a&b=c;d", "a:b@c", "a,b", "$a", "!a", "*'()", "[a]{b}", "a\\b", "^`|\"<>", "~-._", "ä/ö", "日本/キー", "🙂", "e\u0301",
	"\x01\x7f", "a\nb", "a\tb", "x-id=GetObject", strings.Repeat("k", 1024), strings.Repeat("é ", 340),
}

// encoded returns a key encoded for a path as S3's documentation defines it ("Create a
// signed AWS API request": UriEncode).
func encoded(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// verify checks a signature as S3 does, from the decoded path of the request.
func verify(r *http.Request) (key string, err error) {
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	path, err := url.PathUnescape(raw)
	if err != nil {
		return "", err
	}
	key = strings.TrimPrefix(path, "/"+bucketName+"/")
	mine := &http.Request{Method: r.Method, Host: r.Host, Header: http.Header{},
		URL: &url.URL{Scheme: "https", Host: r.Host, Path: path, RawPath: encoded(path), RawQuery: r.URL.RawQuery}}
	got := r.Header.Get("Authorization")
	_, list, _ := strings.Cut(got, "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	for name := range strings.SplitSeq(list, ";") {
		if name != "host" {
			mine.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return key, err
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	credentials := aws.Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "made for this test"}
	if err := signer.SignHTTP(r.Context(), credentials, mine, r.Header.Get("X-Amz-Content-Sha256"), "s3", "eu-central-1", at); err != nil {
		return key, err
	}
	if want := mine.Header.Get("Authorization"); got != want {
		return key, fmt.Errorf("signed %s, want %s", got, want)
	}
	return key, nil
}

func TestOddKeysAreSignedRight(t *testing.T) {
	s3 := newS3(t)
	var asked []string
	s3.injure(always(func(w http.ResponseWriter, r *http.Request, whole *httptest.ResponseRecorder) {
		key, err := verify(r)
		asked = append(asked, key)
		if err != nil {
			t.Errorf("key %q: %v", key, err)
			refuse(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")(w, r, whole)
			return
		}
		w.Header().Set("X-Amz-Checksum-Crc32", crc32Of([]byte(`[1]`)))
		_, _ = io.WriteString(w, `[1]`)
	}))
	b := openTestBucket(t, s3, stallTime)
	for i, key := range oddKeys {
		if i%2 == 1 { // the SDK's own request, for comparison and for another template
			b.direct.template.Store(nil)
		}
		for range 2 {
			if _, err := b.read(t.Context(), key, -1); err != nil {
				t.Errorf("read %q: %v", key, err)
			}
			if last := asked[len(asked)-1]; last != key {
				t.Errorf("S3 was asked for %q, want %q", last, key)
			}
		}
	}
}

// rawS3 is a server without TLS. answer gets each request and may write any bytes.
// If answer returns an error, the connection is closed.
func rawS3(t testing.TB, answer func(r *http.Request, w io.Writer) error) (settings []string) {
	t.Helper()
	l := listen(t)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for in := bufio.NewReader(c); ; {
					r, err := http.ReadRequest(in)
					if err != nil || answer(r, c) != nil {
						return
					}
				}
			}()
		}
	}()
	return []string{"AWS_ENDPOINT_URL_S3=http://" + l.Addr().String()}
}

func TestAnAnswerOfAnyFormIsRead(t *testing.T) {
	answer := answerOf(`[1, 2]`)
	_, header, _ := strings.Cut(strings.TrimSuffix(answer, `[1, 2]`), "\r\n")
	chunked := strings.Replace(header, "Content-Length: 6", "Transfer-Encoding: chunked", 1) + "3\r\n[1,\r\n3\r\n 2]\r\n0\r\n\r\n"
	for name, c := range map[string]struct {
		answer string
		opened int64 // connections for three reads
	}{
		"by its length":       {answer, 1},
		"in chunks":           {"HTTP/1.1 200 OK\r\n" + chunked, 1},
		"after an early hint": {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + answer, 1},
		"and a closing":       {strings.Replace(answer, "OK\r\n", "OK\r\nConnection: close\r\n", 1), 3},
		"of HTTP/1.0":         {strings.Replace(answer, "1.1", "1.0", 1), 3},
		"until it closes":     {strings.Replace(answer, "Content-Length: 6\r\n", "Connection: close\r\n", 1), 3},
		"with bytes behind":   {answer + "HTTP/1.1 200 OK\r\n", 3},
	} {
		b := openRawBucket(t, rawS3(t, func(_ *http.Request, w io.Writer) error {
			_, _ = io.WriteString(w, c.answer)
			if c.opened > 1 && !strings.HasSuffix(c.answer, "OK\r\n") {
				return errors.New("closed")
			}
			return nil
		}))
		var counted tally
		for range 3 {
			if o, err := b.read(counted.into(t.Context()), "sample.json", -1); err != nil || o.records != 2 {
				t.Errorf("%s: read = %+v, %v; want 2 records", name, o, err)
			}
		}
		if opened, retries := counted.connections.Load(), counted.retries.Load(); opened != c.opened || retries != 0 {
			t.Errorf("%s: %d connections and %d retries for 3 reads, want %d and none", name, opened, retries, c.opened)
		}
	}
}

func openRawBucket(t testing.TB, settings []string) *bucket {
	t.Helper()
	for _, s := range append(settings, "AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=AKIDTEST", "AWS_SECRET_ACCESS_KEY=made for this test",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null") {
		name, value, _ := strings.Cut(s, "=")
		t.Setenv(name, value)
	}
	b, err := openBucket(t.Context(), bucketName, 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAConnectionThatS3ClosedWhileItWasIdleIsNoRetry(t *testing.T) {
	s3 := newS3(t)
	p := start(t, s3.settings()...)
	for range 3 {
		a := p.must(t, `{"repeat": 100, "objectKey": "sample.json"}`, time.Minute)
		if a.Retries != 0 || a.Connections == 0 {
			t.Errorf("retries %d, connections %d; want new connections and no retry", a.Retries, a.Connections)
		}
		s3.CloseClientConnections()
	}
}

func TestARedirectIsFollowed(t *testing.T) {
	s3 := newS3(t)
	b := openTestBucket(t, s3, stallTime)
	s3.injure(always(func(w http.ResponseWriter, r *http.Request, whole *httptest.ResponseRecorder) {
		if strings.HasSuffix(r.URL.Path, "/moved.json") {
			refuse(307, "TemporaryRedirect", "Please re-send this request.", "Location", s3.URL+"/"+bucketName+"/sample.json")(w, r, whole)
			return
		}
		serve(w, whole, whole.Body.Bytes())
	}))
	for range 3 {
		if o, err := b.read(t.Context(), "moved.json", -1); err != nil || o.records != records {
			t.Errorf("read = %+v, %v; want %d records from where the redirect leads", o, err, records)
		}
	}
}

func TestReadsGoThroughTheProxyOfTheEnvironment(t *testing.T) {
	s3 := newS3(t)
	asked := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host != bucketName+".s3.test" {
			t.Errorf("the proxy was asked for %s", r.URL)
		}
		asked++
		r.URL.Path = "/" + bucketName + r.URL.Path
		s3.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	p := start(t, s3.settings("AWS_ENDPOINT_URL_S3=http://s3.test", "HTTP_PROXY="+proxy.URL)...)
	if a := p.must(t, `{"repeat": 20, "concurrency": 1, "objectKey": "sample.json"}`, time.Minute); asked < 20 || a.Connections != 1 {
		t.Errorf("the proxy was asked %d times over %d connections, want 20 over one", asked, a.Connections)
	}
}

func TestWhatIsInFlightThroughAProxyIsNamed(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close) // after the function's process has ended
	for setting, want := range map[string]string{
		"AWS_ENDPOINT_URL_S3=http://s3.test":  "in flight: 2 waiting for the first byte",
		"AWS_ENDPOINT_URL_S3=https://s3.test": "in flight: 2 connecting",
	} {
		p := start(t, s3.settings(setting, "HTTP_PROXY="+silent.URL, "HTTPS_PROXY="+silent.URL)...)
		if _, err := p.invoke(`{"keys": ["a", "b"]}`, 3*time.Second); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a deadline with %q", setting, err, want)
		}
	}
}

func TestACancelledReadEndsAtOnceAndSaysInWhichPhase(t *testing.T) {
	for scheme, want := range map[string]phase{"http": waiting, "https": connecting} { // TLS is part of connecting
		l := listen(t)
		b := openRawBucket(t, []string{"AWS_ENDPOINT_URL_S3=" + scheme + "://" + l.Addr().String()})
		b.direct.stall = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer cancel()
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Error(err)
			}
		}()
		_, err := b.read(ctx, "sample.json", -1)
		var e *readError
		if !errors.Is(err, context.Canceled) || !errors.As(err, &e) || e.phase != want {
			t.Errorf("%s: read = %v, want it cancelled while %s", scheme, err, want)
		}
		l.Close()
	}
}
