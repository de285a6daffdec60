package main

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// A few of these objects fill the memory. A function of 256 MB has room for 128
// MB of them.

// block is a megabyte of JSON: a string in an array and its comma.
var block = []byte(`"` + strings.Repeat("a", 1<<20-3) + `",`)

// megabytes answers with an array of that many strings of 1 MB; with chunked it
// sends no length.
func megabytes(n int, chunked bool) fault {
	sum := crc32.Update(0, crc32.IEEETable, []byte("["))
	for range n {
		sum = crc32.Update(sum, crc32.IEEETable, block)
	}
	sum = crc32.Update(sum, crc32.IEEETable, []byte("1]"))
	return func(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder) {
		if !chunked {
			w.Header().Set("Content-Length", fmt.Sprint(n<<20+3))
			w.Header().Set("X-Amz-Checksum-Crc32", base64Of(sum))
		}
		_, _ = io.WriteString(w, "[")
		for range n {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, "1]")
	}
}

// sized is an S3 whose keys give the objects' size in MB, as in 60.json. It sends
// chunked-20.json without a length, and claims the largest possible length for
// claimed.json.
func sized(t *testing.T) *fakeS3 {
	s3 := newS3(t)
	answers := map[string]fault{}
	for _, n := range []int{60, 120, 140, 200} {
		answers[fmt.Sprintf("%d.json", n)] = megabytes(n, false)
	}
	answers["chunked-20.json"], answers["chunked-100.json"] = megabytes(20, true), megabytes(100, true)
	answers["claimed.json"] = func(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder) {
		conn := hijack(w)
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\nX-Amz-Checksum-Crc32: AAAAAA==\r\n\r\n[1]")
	}
	s3.injure(always(func(w http.ResponseWriter, r *http.Request, whole *httptest.ResponseRecorder) {
		_, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"+bucketName+"/"), "/")
		if answer, ok := answers[name]; ok {
			answer(w, r, whole)
			return
		}
		serve(w, whole, whole.Body.Bytes())
	}))
	return s3
}

func TestObjectsThatFillTheMemoryAreReadOneAfterTheOther(t *testing.T) {
	s3 := sized(t)
	p := start(t, s3.settings("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256")...)
	keys := []string{"a/60.json", "b/60.json", "c/120.json", "d/60.json", "e/chunked-20.json", "f/120.json", "g/60.json", "h/60.json", "i/60.json"}
	for _, strategy := range []string{"unbounded", "sequential"} {
		a := p.report(t, map[string]any{"keys": keys, "strategy": strategy, "onFailure": "report"}, 5*time.Minute)
		if a.ObjectsRead != len(keys) || a.BytesRead != (6*60+2*120+20)<<20+int64(3*len(keys)) {
			t.Errorf("%s: %d objects and %d bytes were read, failures %+v; want all %d", strategy, a.ObjectsRead, a.BytesRead, a.Failures, len(keys))
		}
	}
	_, peak := p.rss(t)
	if peak >= 256 {
		t.Errorf("they took %d MB, want less than the 256 of the function", peak)
	}
	t.Logf("%d MB at the peak", peak)
}

func TestAnObjectThatIsTooLargeForTheMemoryIsItsOwnFailure(t *testing.T) {
	s3 := sized(t)
	s3.put(t, "sample.json", sample(t))
	p := start(t, s3.settings("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256")...)
	want := map[string][]string{
		"a/140.json":         {"the object takes 146801155 bytes", "134217728", "give the function 274 MB"},
		"b/200.json":         {"give the function 354 MB"},
		"c/chunked-100.json": {"bytes of memory or more"},
		"d/claimed.json":     {"9000000000000000", "Lambda's maximum is 10240 MB"},
	}
	keys := []string{"a/140.json", "sample.json", "b/200.json", "c/chunked-100.json", "d/claimed.json", "e/120.json"}
	a := p.report(t, map[string]any{"keys": keys, "strategy": "unbounded", "onFailure": "report"}, 5*time.Minute)
	if failed := failedKeys(a); a.ObjectsRead != 2 || !slices.Equal(failed, []string{"a/140.json", "b/200.json", "c/chunked-100.json", "d/claimed.json"}) {
		t.Errorf("objects_read %d, failed %q; want two read and those that are too large failed", a.ObjectsRead, failed)
	}
	for _, f := range a.Failures {
		for _, say := range want[f.Key] {
			if !strings.Contains(f.Error, say) || f.Attempts != 1 && !strings.Contains(f.Key, "chunked") {
				t.Errorf("%s failed after %d attempts by %q, want one, and %q in it", f.Key, f.Attempts, f.Error, say)
			}
		}
	}
	raw, err := json.Marshal(map[string]any{"keys": []string{"a/140.json"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.invoke(string(raw), time.Minute); err == nil || !strings.Contains(err.Error(), `read object "a/140.json"`) || !strings.Contains(err.Error(), "274 MB") {
		t.Errorf("%v, want an error with the object and the memory that it takes", err)
	}
}

func TestAMemoryLimitOfAnySizeLeavesRoomForSmallObjects(t *testing.T) {
	s3 := newS3(t)
	for _, limit := range []string{"0", "30MiB", "40MiB"} {
		p := start(t, s3.settings("GOMEMLIMIT="+limit)...)
		if a, err := p.invoke(`{"objectKey": "sample.json", "repeat": 30}`, time.Minute); err != nil || a.ObjectsRead != 30 {
			t.Errorf("GOMEMLIMIT=%s: %d read, %v; want 30", limit, a.ObjectsRead, err)
		}
	}
}
