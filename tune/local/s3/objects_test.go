package s3_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lambda-parallel-io/tune/local/s3"
)

// stored starts an S3 that holds b/key000, b/key001 and so on beside b/a
// key/ä.json, which stands before them in a listing.
func stored(t *testing.T, latencyName string, n int, body string) *s3.Server {
	t.Helper()
	s, _ := server(t, latencyName, body)
	s.ByGoTimers()
	for i := range n {
		s.Put("b", fmt.Sprintf("key%03d", i), []byte(body))
	}
	return s
}

type listed struct {
	EncodingType, NextContinuationToken string
	IsTruncated                         bool
	KeyCount                            int
	Contents                            []struct {
		Key  string
		Size int
	}
}

func list(t *testing.T, s *s3.Server, query string) (l listed, keys []string) {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/b?list-type=2&"+query, nil))
	if err := xml.Unmarshal(w.Body.Bytes(), &l); err != nil || w.Code != 200 || l.KeyCount != len(l.Contents) {
		t.Fatalf("listing %s = %d %.200s: %v", query, w.Code, w.Body, err)
	}
	for _, c := range l.Contents {
		keys = append(keys, c.Key)
	}
	return l, keys
}

// A listing has each key below the prefix once, in order, in pages of 1,000.
func TestAListingGoesOnWhereThePageBeforeEnded(t *testing.T) {
	s := stored(t, "none", 0, "[]")
	const n = 2_500
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("many/%x", i))
	}
	slices.Sort(want)
	for _, key := range append([]string{"many", "money/1"}, want...) {
		s.Put("b", key, []byte("[]"))
	}
	var got, sizes = []string{}, []int{}
	for token := ""; ; {
		l, keys := list(t, s, "prefix=many/&continuation-token="+url.QueryEscape(token))
		got, sizes = append(got, keys...), append(sizes, len(keys))
		if token = l.NextContinuationToken; l.IsTruncated != (token != "") || len(sizes) > 3 {
			t.Fatalf("after %v keys: truncated %t, token %q", sizes, l.IsTruncated, token)
		}
		if token == "" {
			break
		}
	}
	if !slices.Equal(got, want) || !slices.Equal(sizes, []int{1_000, 1_000, 500}) {
		t.Errorf("pages of %d keys, want 1000, 1000 and 500: each of %d once and in order", sizes, n)
	}
	if _, keys := list(t, s, "prefix=many/&start-after="+want[n-3]); !slices.Equal(keys, want[n-2:]) {
		t.Errorf("after %s: %q, want %q", want[n-3], keys, want[n-2:])
	}
	if _, keys := list(t, s, "prefix=many/&start-after=many/zzz"); len(keys) > 0 {
		t.Errorf("after the last: %q, want none", keys)
	}
	if l, keys := list(t, s, "max-keys=2&prefix=many/"); !slices.Equal(keys, want[:2]) || !l.IsTruncated {
		t.Errorf("max-keys 2: %q, truncated %t", keys, l.IsTruncated)
	}
}

// XML cannot hold a control character, and url-encoding can.
func TestAListingHoldsEveryKey(t *testing.T) {
	s := stored(t, "none", 0, "[]")
	keys := []string{"a key/ä.json", "c\x01/+&<% ?.json", "z"}
	for _, key := range keys[1:] {
		s.Put("b", key, []byte("[]"))
	}
	var got []string
	token := ""
	for range keys { // a token of each of them, too
		l, page := list(t, s, "encoding-type=url&max-keys=1&continuation-token="+url.QueryEscape(token))
		if len(page) != 1 || l.EncodingType != "url" {
			t.Fatalf("a page of one key = %+v", l)
		}
		key, err := url.QueryUnescape(page[0])
		if err != nil {
			t.Fatal(err)
		}
		got, token = append(got, key), l.NextContinuationToken
	}
	if !slices.Equal(got, keys) {
		t.Errorf("listed %q, want %q", got, keys)
	}
}

// The function is deployed with s3:ListBucket, so S3 tells it that a key is
// missing.
func TestTheBucketSaysThatAKeyIsMissing(t *testing.T) {
	for _, objects := range []int{1, 2} {
		s := stored(t, "none", objects, "[]")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/b/other", nil))
		if w.Code != 404 || !strings.Contains(w.Body.String(), "<Code>NoSuchKey</Code>") {
			t.Errorf("a missing key beside %d objects = %d %s, want 404 NoSuchKey", objects, w.Code, w.Body)
		}
	}
}

// serve makes a request, and returns how long it took by the bubble's clock.
func serve(s *s3.Server, path string, header ...string) time.Duration {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	begin := time.Now()
	s.Handler().ServeHTTP(discard{http.Header{}}, r)
	return time.Since(begin)
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// Each object has its latency in an invocation, by its place in a listing:
// whatever the order of the GETs, and whatever is listed, tried again or asked
// for in vain between them.
func TestTheOrderOfKeysDrawsTheLatencies(t *testing.T) {
	const n = 50
	s, l := stored(t, "apg", n-1, "[]"), latency(t, "apg")
	synctest.Test(t, func(t *testing.T) {
		for k := range 3 {
			s.Begin(l, 1, 1, uint64(k))
			for nth := range 2 { // each is read twice
				for _, i := range rand.Perm(n - 1) {
					path := fmt.Sprintf("/b/key%03d", i)
					if got, want := serve(s, path), l.Draw(1, uint64(k), uint64(i+2+nth*n)); got != want {
						t.Errorf("GET %d of object %d of invocation %d took %v, want %v", nth+1, i+2, k, got, want)
					}
					serve(s, "/b?list-type=2")
					serve(s, "/b/other")
					serve(s, path, "amz-sdk-request", "attempt=2; max=3")
				}
			}
			first := serve(s, "/b?list-type=2&prefix=key")
			s.Begin(l, 1, 1, uint64(k))
			if again := serve(s, "/b?list-type=2"); first == again || again == l.Draw(1, uint64(k), 1) {
				t.Errorf("pages of invocation %d took %v and %v, want latencies of their own (its first GET's is %v)", k, first, again, l.Draw(1, uint64(k), 1))
			}
		}
	})
}

// A client that leaves in the middle of a body takes nobody's time.
func TestABodyEndsWithItsClient(t *testing.T) {
	s := stored(t, "none", 0, strings.Repeat("x", 50_000_000))
	synctest.Test(t, func(t *testing.T) {
		s.Begin(latency(t, "none"), 1, 1, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		begin := time.Now()
		s.Handler().ServeHTTP(discard{http.Header{}}, httptest.NewRequest(http.MethodGet, keyPath, nil).WithContext(ctx))
		if got := time.Since(begin); got != 100*time.Millisecond {
			t.Errorf("it ended after %v, want 100ms", got)
		}
	})
}
