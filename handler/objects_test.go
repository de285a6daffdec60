package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
	model "lambda-parallel-io/tune/local/s3"
)

// A user's own objects, named by keys, a prefix or a Distributed Map.

// order returns the content of object i: i%5 records, with a length that depends on i.
func order(i int) []byte {
	return fmt.Appendf(nil, "[%s]%s", strings.TrimSuffix(strings.Repeat(`{"total": 1},`, i%5), ","), strings.Repeat(" ", i%11))
}

// orders returns n keys below a prefix, in S3's order, and the totals of their contents.
func orders(prefix string, n int) (keys []string, size, found int64) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("%s%06d.json", prefix, i))
		size, found = size+int64(len(order(i))), found+int64(i%5)
	}
	return keys, size, found
}

func (s *fakeS3) putOrders(t testing.TB, keys []string) {
	t.Helper()
	for i, key := range keys {
		s.put(t, key, order(i))
	}
}

// item is an element of Items, as Step Functions makes it from a listing.
type item struct {
	Etag, Key    string
	LastModified float64
	Size         int
	StorageClass string
}

func batch(keys []string, input map[string]any) map[string]any {
	items := make([]item, len(keys))
	for i, key := range keys {
		items[i] = item{`"9e107d9d372bb6826bd81d3542a419d6"`, key, 1.7e9, 9, "STANDARD"}
	}
	return map[string]any{"BatchInput": input, "Items": items}
}

func TestEachWayToNameObjectsReadsTheSameOnes(t *testing.T) {
	t.Parallel()
	keys, size, found := orders("orders/", 1_200) // more than a page of a listing
	others := []string{"orders-2/000001.json", "orders/000001.txt", "orders"}
	s3 := newS3(t)
	s3.putOrders(t, keys)
	s3.putOrders(t, others)
	for name, settings := range map[string][]string{"gofakes3": s3.settings(), "the model of S3": startModel(t, keys, others)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, settings...)
			for _, s := range strategies.All() {
				t.Run(s.Name, func(t *testing.T) {
					if s.Name != "pool" {
						slow(t) // other strategies differ only in scheduling
					}
					for way, payload := range map[string]any{
						"keys":   map[string]any{"strategy": s.Name, "keys": keys},
						"prefix": map[string]any{"strategy": s.Name, "prefix": "orders/", "suffix": ".json"},
						"Items":  batch(keys, map[string]any{"strategy": s.Name}),
					} {
						a := p.report(t, payload, 5*time.Minute)
						if a.ObjectsRead != len(keys) || a.BytesRead != size || a.RecordsRead != found || a.Strategy != s.Name {
							t.Errorf("%s: objects_read %d, bytes_read %d, records_read %d by %s; want %d, %d, %d",
								way, a.ObjectsRead, a.BytesRead, a.RecordsRead, a.Strategy, len(keys), size, found)
						}
						if (a.ListSec > 0) != (way == "prefix") {
							t.Errorf("%s: list_sec %v, want it only for a prefix", way, a.ListSec)
						}
					}
					a := p.must(t, fmt.Sprintf(`{"strategy": %q, "repeat": 20, "objectKey": "orders/000009.json"}`, s.Name), time.Minute)
					if a.BytesRead != int64(20*len(order(9))) || a.RecordsRead != 20*4 {
						t.Errorf("objectKey: bytes_read %d, records_read %d; want %d, 80", a.BytesRead, a.RecordsRead, 20*len(order(9)))
					}
				})
			}
		})
	}
}

// startModel starts the S3 model of comparisons with these objects.
func startModel(t *testing.T, lists ...[]string) (settings []string) {
	t.Helper()
	s, err := model.Start(log.New(io.Discard, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, keys := range lists {
		for i, key := range keys {
			s.Put(bucketName, key, order(i))
		}
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	return newS3(t).settings("AWS_ENDPOINT_URL_S3="+s.URL, "AWS_CA_BUNDLE="+ca)
}

func TestAPrefixStartsAfterAKeyAndHasAtMostMaxObjects(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	keys, _, _ := orders("orders/", 25)
	s3.putOrders(t, keys)
	p := start(t, s3.settings()...)
	for _, c := range []struct {
		payload string
		read    int
		want    []string
	}{
		{`{"prefix": "orders/", "maxObjects": 25}`, 25, nil},
		{`{"prefix": "orders/00001"}`, 10, nil},
		{`{"prefix": "", "suffix": "4.json"}`, 3, nil},
		{`{"prefix": "orders/", "startAfter": "orders/000019.json", "maxObjects": 5}`, 5, nil},
		{`{"prefix": "orders/", "maxObjects": 24}`, 0, []string{`list prefix "orders/" of bucket "objects"`, "more than maxObjects 24", "narrow the prefix", "the state machine"}},
		{`{"prefix": "invoices/"}`, 0, []string{`list prefix "invoices/"`, "no object matches it"}},
		{`{"prefix": "orders/", "suffix": ".csv"}`, 0, []string{`list prefix "orders/"`, `no object matches it with the suffix ".csv"`}},
		{`{"prefix": "orders/", "startAfter": "orders/000024.json"}`, 0, []string{"no object matches it", `after "orders/000024.json"`}},
	} {
		s3.injure(nil)
		a, err := p.invoke(c.payload, time.Minute)
		if a.ObjectsRead != c.read || (err != nil) != (c.want != nil) || s3.gets.Load() != int64(c.read) {
			t.Errorf("invoke(%s): objects_read %d, %v, after %d GETs; want %d objects", c.payload, a.ObjectsRead, err, s3.gets.Load(), c.read)
		}
		for _, want := range c.want {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("invoke(%s) = %v, want an error with %q", c.payload, err, want)
			}
		}
	}
}

// page answers a listing with these objects: key, size and storage class.
func page(objects ...[3]string) fault {
	var b strings.Builder
	b.WriteString("<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>")
	for _, o := range objects {
		fmt.Fprintf(&b, "<Contents><Key>%s</Key><Size>%s</Size><StorageClass>%s</StorageClass></Contents>", o[0], o[1], o[2])
	}
	b.WriteString("</ListBucketResult>")
	return func(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder) {
		_, _ = io.WriteString(w, b.String())
	}
}

func TestFolderMarkersAndArchivedObjectsAreCountedAndNotRead(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	s3.injureLists(always(page(
		[3]string{"orders/", "0", "STANDARD"}, [3]string{"orders/1", "9", "GLACIER"}, [3]string{"orders/2", "9", "DEEP_ARCHIVE"},
		[3]string{"orders/2026/", "0", "STANDARD"}, [3]string{"orders/3", "9", "GLACIER"},
		[3]string{"orders/4", "9", "GLACIER_IR"}, [3]string{"orders/5", "9", "INTELLIGENT_TIERING"}, [3]string{"orders/6%2B+%01%C3%A4", "9", "STANDARD"},
	)))
	s3.put(t, "orders/4", order(4))
	s3.put(t, "orders/5", order(3))
	s3.put(t, "orders/6%2B%20%01%C3%A4", order(2)) // a key that XML 1.0 cannot represent
	p := start(t, s3.settings()...)
	s3.injure(nil)
	a := p.report(t, map[string]any{"prefix": "orders/"}, time.Minute)
	if a.FolderMarkers != 2 || a.Archived != 3 || a.ObjectsRead != 3 || a.RecordsRead != 4+3+2 || s3.gets.Load() != 3 {
		t.Errorf("answer %+v after %d GETs; want 2 folder markers, 3 archived, and 9 records of 3 objects", a, s3.gets.Load())
	}
	for want, objects := range map[string][][3]string{
		"no object matches it, except 1 folder marker and 2 archived objects (not read)": {{"orders/", "0", "STANDARD"}, {"orders/1", "9", "GLACIER"}, {"orders/2", "9", "GLACIER"}},
		"no object matches it, except 1 folder marker (not read)":                        {{"orders/", "0", "STANDARD"}},
		"no object matches it": nil,
	} {
		s3.injureLists(always(page(objects...)))
		if _, err := p.invoke(`{"prefix": "orders/"}`, time.Minute); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("a prefix with nothing to read: %v, want an error that ends with %q", err, want)
		}
	}
	// A batch of only such objects is valid and must not fail the state machine.
	a = p.report(t, json.RawMessage(`{"Items": [{"Key": "orders/", "Size": 0}, {"Key": "orders/1", "Size": 5, "StorageClass": "GLACIER"}]}`), time.Minute)
	if a.FolderMarkers != 1 || a.Archived != 1 || a.ObjectsRead != 0 {
		t.Errorf("answer %+v; want one folder marker, one archived, nothing read", a)
	}
	// A call that continues must not count them again.
	a = p.report(t, json.RawMessage(`{"BatchInput": {"startAfter": "orders/4"}, "Items": [{"Key": "orders/4"}, {"Key": "orders/", "Size": 0}, {"Key": "orders/5"}]}`), time.Minute)
	if a.FolderMarkers != 0 || a.ObjectsRead != 1 || a.RecordsRead != 3 {
		t.Errorf("answer %+v; want the 3 records of orders/5 alone", a)
	}
}

func TestWhatBefallsAListing(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	keys, _, _ := orders("orders/", 1_100)
	const matching, found = 110, 110 * 4 // with the suffix
	s3.putOrders(t, keys)
	p := start(t, s3.settings()...)
	once := func(f fault) plan { // on the second page
		return func(n int64) fault {
			if n == 1 {
				return f
			}
			return nil
		}
	}
	for name, f := range map[string]fault{"SlowDown": slowDown, "InternalError": internalError, "reset": resetBefore, "reset within": resetWithin, "cut": cut} {
		s3.injureLists(once(f))
		a := p.report(t, map[string]any{"prefix": "orders/", "suffix": "9.json"}, time.Minute)
		if a.ObjectsRead != matching || a.RecordsRead != found || s3.lists.Load() < 3 {
			t.Errorf("%s: objects_read %d, records_read %d after %d pages; want %d, %d after 3", name, a.ObjectsRead, a.RecordsRead, s3.lists.Load(), matching, found)
		}
	}
	for name, c := range map[string]struct {
		f    fault
		want []string
	}{
		"denied":         {refuse(403, "AccessDenied", "Access Denied"), []string{"403", "s3:ListBucket"}},
		"no such bucket": {refuse(404, "NoSuchBucket", "The specified bucket does not exist"), []string{"404", "check BUCKET"}},
		"another region": {refuse(301, "PermanentRedirect", "The bucket must be addressed elsewhere.", "X-Amz-Bucket-Region", "us-west-2"), []string{"301", "the bucket is in us-west-2"}},
		"refused":        {slowDown, []string{"deadline: 0 objects had been listed", "SlowDown", "narrow the prefix"}},
	} {
		s3.injureLists(always(c.f))
		within := map[bool]time.Duration{true: 2 * time.Second, false: time.Minute}[name == "refused"] // until the deadline
		for _, onFailure := range []string{"fail", "report"} {
			_, err := p.invoke(fmt.Sprintf(`{"prefix": "orders/", "onFailure": %q}`, onFailure), within)
			for _, want := range append(c.want, `list prefix "orders/" of bucket "objects"`) {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s, onFailure %s: %v, want an error with %q", name, onFailure, err, want)
				}
			}
		}
	}
}

func TestTheAnswerSaysWhichFunctionItIs(t *testing.T) {
	s3 := newS3(t)
	p := start(t, s3.settings("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512")...)
	want := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	if a := p.must(t, `{"repeat": 1, "objectKey": "sample.json"}`, time.Minute); a.MemoryMB != 512 || a.Architecture != want {
		t.Errorf("memory_mb %d, architecture %q; want 512, %q", a.MemoryMB, a.Architecture, want)
	}
}

func TestAMillionKeysFitIntoTheSmallestMemory(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	p := start(t, s3.settings("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128")...)
	var raw bytes.Buffer
	raw.WriteString(`{"keys": [`)
	for i := 0; raw.Len() < 5_999_000; i++ {
		fmt.Fprintf(&raw, `"%x",`, i)
	}
	raw.Truncate(raw.Len() - 1)
	raw.WriteString(`]}`)
	if _, err := p.invoke(raw.String(), time.Minute); err == nil || !strings.Contains(err.Error(), "NoSuchKey") {
		t.Errorf("%.200v, want an error about the first key", err)
	}
	if _, peak := p.rss(t); peak >= 128 {
		t.Errorf("a payload of 6 MB took %d MB, want less than 128", peak)
	} else {
		t.Logf("a payload of %d bytes took %d MB at the peak", raw.Len(), peak)
	}
}

// failedKeys returns the keys of a report's failures in order.
func failedKeys(a event.Answer) (keys []string) {
	for _, f := range a.Failures {
		keys = append(keys, f.Key)
	}
	slices.Sort(keys)
	return keys
}
