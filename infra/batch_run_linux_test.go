package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"lambda-parallel-io/handler/build"
	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/local/lambda"
)

// job is a deployed state machine on this machine: the definition that the
// program registers, the function as it is built, and an S3 over TLS.
type job struct {
	*stepFunctions
	bucket, results string
	store           http.Handler
	functions       chan *lambda.Function

	calls  atomic.Int64 // of the function so far
	flying atomic.Int64 // calls at the moment
	peak   atomic.Int64
	fault  func(call int64, keys []string) error // befalls a call before it reaches the function; may be nil

	silent string // the key of an object that S3 never sends

	mu   sync.Mutex
	gets map[string]int // of objects of the bucket that is read
	puts []string       // bucket/key, of what the state machine has written
}

const environments = 3

func deployed(t *testing.T, set map[string]string, timeout time.Duration) *job {
	t.Helper()
	c, outs := mustDeploy(t, set)
	j := &job{
		stepFunctions: newStepFunctions(t, c.ofBatch(t, machineType).inputs["definition"].StringValue()),
		bucket:        outs["bucketName"].(string), results: c.ofBatch(t, bucketType).id,
		store:     gofakes3.New(s3mem.New(), gofakes3.WithAutoBucket(true)).Server(),
		functions: make(chan *lambda.Function, environments),
		gets:      map[string]int{},
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if key, ok := strings.CutPrefix(r.URL.Path, "/"+j.bucket+"/"); ok && r.Method == http.MethodGet && key != "" {
			j.mu.Lock()
			j.gets[key]++
			j.mu.Unlock()
			if key == j.silent {
				<-r.Context().Done()
				return
			}
		}
		j.store.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	dir := t.TempDir()
	ca, binary := filepath.Join(dir, "ca.pem"), filepath.Join(dir, executable)
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := build.Function(t.Context(), "..", "./handler", runtime.GOARCH, binary); err != nil {
		t.Fatal(err)
	}
	for range environments {
		f, err := lambda.New(lambda.Config{
			Path: binary, MemoryMB: 1_769, Timeout: timeout, Name: "f", Region: "eu-west-1",
			Env: []string{
				"BUCKET=" + j.bucket, "AWS_ENDPOINT_URL_S3=" + server.URL, "AWS_CA_BUNDLE=" + ca, "AWS_REGION=eu-west-1",
				"AWS_ACCESS_KEY_ID=AKIDTEST", "AWS_SECRET_ACCESS_KEY=made for this test",
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
		j.functions <- f
	}
	client := s3.New(s3.Options{BaseEndpoint: &server.URL, UsePathStyle: true, Region: "eu-west-1", HTTPClient: server.Client(), Credentials: aws.AnonymousCredentials{}})
	function := c.one(t, functionType).state["arn"].StringValue()
	j.list = func(bucket, prefix string) (items []any, err error) {
		for pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix}); pages.HasMorePages(); {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				return nil, err
			}
			for _, o := range page.Contents {
				items = append(items, map[string]any{"Etag": *o.ETag, "Key": *o.Key, "LastModified": o.LastModified.Unix(), "Size": *o.Size, "StorageClass": o.StorageClass})
			}
		}
		return items, nil
	}
	j.get = func(bucket, key string) ([]byte, error) {
		w := j.serve(http.MethodGet, bucket, key, nil)
		if w.Code != http.StatusOK {
			return nil, &failure{"States.ItemReaderFailed", w.Body.String()}
		}
		return w.Body.Bytes(), nil
	}
	j.put = func(bucket, key string, content []byte) error {
		j.puts = append(j.puts, bucket+"/"+key)
		j.serve(http.MethodPut, bucket, key, content)
		return nil
	}
	j.invoke = func(ctx context.Context, name string, payload []byte) ([]byte, error) {
		if name != function {
			return nil, fmt.Errorf("a call of %s, want %s", name, function)
		}
		return j.call(ctx, payload)
	}
	return j
}

func (j *job) serve(method, bucket, key string, content []byte) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, "/"+bucket+"/"+key, bytes.NewReader(content))
	r.Header.Set("Content-Length", strconv.Itoa(len(content))) // gofakes3 looks for it there
	j.store.ServeHTTP(w, r)
	if method == http.MethodPut && w.Code != http.StatusOK {
		panic(fmt.Sprintf("put %s/%s: %d %s", bucket, key, w.Code, w.Body))
	}
	return w
}

// call is Lambda's answer to Step Functions.
func (j *job) call(ctx context.Context, payload []byte) ([]byte, error) {
	n := j.calls.Add(1)
	now := j.flying.Add(1)
	defer j.flying.Add(-1)
	for most := j.peak.Load(); now > most && !j.peak.CompareAndSwap(most, now); most = j.peak.Load() {
	}
	if j.fault != nil {
		p, err := event.Decode(payload, event.DefaultConcurrency)
		if err != nil {
			return nil, err
		}
		if err := j.fault(n, p.Keys); err != nil {
			return nil, err
		}
	}
	f := <-j.functions
	defer func() { j.functions <- f }()
	inv, err := f.Invoke(ctx, payload)
	if err == nil && inv.Err != nil {
		err = &failure{inv.Err.Type, inv.Err.Message}
	}
	return inv.Response, err
}

// fill puts n objects below prefix, of which each that bad says is no JSON.
func (j *job) fill(prefix string, n int, bad func(i int) bool) (keys, broken []string) {
	for i := range n {
		key, content := fmt.Sprintf("%s%06d.json", prefix, i), `[{"total": 1}, {"total": 2}]`
		if bad(i) {
			content, broken = `[{"total": `, append(broken, key)
		}
		keys = append(keys, key)
		j.serve(http.MethodPut, j.bucket, key, []byte(content))
	}
	return keys, broken
}

// read adds up what the results of an execution say.
func (j *job) read(t *testing.T, execution, status string) (sum event.Answer, failed []string, file string) {
	t.Helper()
	file = "runs/" + execution + "/5c3e/" + status + "_0.jsonl"
	content, err := j.get(j.results, file)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for line := range bytes.Lines(content) {
		var l struct {
			event.Answer
			Key   *string
			Input string
		}
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		if l.Key != nil {
			failed = append(failed, *l.Key)
		}
		if l.Input != "" {
			p, err := event.Decode([]byte(l.Input), event.DefaultConcurrency)
			if err != nil {
				t.Fatal(err)
			}
			failed = append(failed, p.Keys...)
		}
		sum.ObjectsRead += l.ObjectsRead
		sum.RecordsRead += l.RecordsRead
		sum.Failed += l.Failed
		sum.Unread += l.Unread
		sum.FolderMarkers += l.FolderMarkers
	}
	slices.Sort(failed)
	return sum, failed, file
}

// 10,000 objects, of which one in a hundred is broken, and a prefix that begins
// alike; the first calls are throttled. Each object is counted once, the
// results name those that failed, and a second execution over exactly these,
// mended, ends the job.
func TestEachOfTenThousandObjectsIsCountedOnceAndTheBrokenOnesAgain(t *testing.T) {
	j := deployed(t, map[string]string{"bucket": "my-documents", "prefix": "orders/"}, time.Minute)
	keys, broken := j.fill("orders/", 10_000, func(i int) bool { return i%100 == 42 })
	j.fill("orders-2/", 3, func(int) bool { return true })
	j.serve(http.MethodPut, j.bucket, "orders/", nil) // a folder marker
	j.fault = func(call int64, _ []string) error {
		if call <= 4 {
			return &failure{"Lambda.TooManyRequestsException", "Rate Exceeded."}
		}
		return nil
	}
	if _, err := j.run(t.Context(), "first", `{"batch": 500}`); err != nil {
		t.Fatal(err)
	}
	sum, failed, file := j.read(t, "first", "SUCCEEDED")
	if sum.ObjectsRead != 9_900 || sum.RecordsRead != 2*9_900 || sum.Failed != 100 || sum.Unread != 0 || sum.FolderMarkers != 1 {
		t.Errorf("the results say %+v; want 9,900 read, 19,800 records, 100 failed, one folder marker", sum)
	}
	if diff := cmp.Diff(broken, failed); diff != "" {
		t.Errorf("the failed keys in the results (-want +got):\n%s", diff)
	}
	for _, key := range keys {
		if n := j.gets[key]; n != 1 && !slices.Contains(broken, key) {
			t.Fatalf("%s was read %d times, want once", key, n)
		}
	}
	if len(j.gets) != 10_000 {
		t.Errorf("%d keys were read, want the 10,000 below the prefix", len(j.gets))
	}
	if j.calls.Load() != 21+4 || len(j.delays) != 4 || j.peak.Load() > 3 {
		t.Errorf("%d calls, %d of them again, %d at a time; want 21 batches of 500, 4 again, at most the 3 of Pulumi.yaml", j.calls.Load(), len(j.delays), j.peak.Load())
	}
	for _, put := range j.puts {
		if !strings.HasPrefix(put, j.results+"/runs/first/") {
			t.Errorf("%s was written: results belong into their own bucket, below the execution's name", put)
		}
	}

	for _, key := range broken {
		j.serve(http.MethodPut, j.bucket, key, []byte("[{}]"))
	}
	clear(j.gets)
	if _, err := j.run(t.Context(), "second", fmt.Sprintf(`{"keysFrom": %q, "batch": 7}`, file)); err != nil {
		t.Fatal(err)
	}
	sum, failed, _ = j.read(t, "second", "SUCCEEDED")
	if sum.ObjectsRead != 100 || sum.Failed != 0 || len(failed) > 0 || len(j.gets) != 100 {
		t.Errorf("the second execution: %+v, %d failed keys, %d keys read; want 100, none, 100", sum, len(failed), len(j.gets))
	}
	for _, key := range broken {
		if j.gets[key] != 1 {
			t.Errorf("the second execution read %s %d times, want once", key, j.gets[key])
		}
	}
}

// A batch whose call fails is one failure: more of them than are tolerated end
// the execution, and a redrive runs these again and no other.
func TestABatchWhoseCallFailsIsToleratedOrRunAgain(t *testing.T) {
	j := deployed(t, map[string]string{"bucket": "my-documents"}, time.Minute)
	keys, _ := j.fill("orders/", 100, func(int) bool { return false })
	crash := func(_ int64, keys []string) error {
		if slices.Contains(keys, "orders/000035.json") {
			return &failure{"Runtime.ExitError", "signal: killed"}
		}
		return nil
	}
	j.fault = crash
	for _, test := range []struct {
		name, input string
		fails       bool
	}{
		{"tolerated", `{"prefix": "orders/", "batch": 10, "toleratedFailurePercentage": 10}`, false},
		{"not-tolerated", `{"prefix": "orders/", "batch": 10, "toleratedFailurePercentage": 9}`, true},
		{"by-default", `{"prefix": "orders/", "batch": 10, "children": 1}`, true},
	} {
		_, err := j.run(t.Context(), test.name, test.input)
		var f *failure
		if errors.As(err, &f) != test.fails || f != nil && f.name != "States.ExceedToleratedFailureThreshold" {
			t.Errorf("%s: %v, want an execution that fails: %v", test.input, err, test.fails)
		}
		if _, failed, _ := j.read(t, test.name, "FAILED"); !slices.Equal(failed, keys[30:40]) {
			t.Errorf("%s: the results name %v as failed, want the batch %v", test.input, failed, keys[30:40])
		}
	}
	if _, pending, _ := j.read(t, "by-default", "PENDING"); !slices.Equal(pending, keys[40:]) {
		t.Errorf("%d keys are pending, want the 60 after the batch that failed", len(pending))
	}

	j.fault = nil
	for _, name := range []string{"not-tolerated", "by-default"} {
		before, _, _ := j.read(t, name, "SUCCEEDED")
		calls, again := j.calls.Load(), int64(100-before.ObjectsRead)/10
		if _, err := j.run(t.Context(), name, `{"prefix": "orders/", "batch": 10}`); err != nil {
			t.Errorf("redrive of %s: %v", name, err)
		}
		if sum, _, _ := j.read(t, name, "SUCCEEDED"); sum.ObjectsRead != 100 || j.calls.Load() != calls+again {
			t.Errorf("redrive of %s: objects_read %d after %d more calls, want 100 after %d", name, sum.ObjectsRead, j.calls.Load()-calls, again)
		}
	}
}

// A call that runs out of time answers what it has, and what it has not read is
// in the results, too.
func TestKeysThatWereLeftUnreadAreForASecondExecution(t *testing.T) {
	j := deployed(t, map[string]string{"bucket": "my-documents"}, 4*time.Second)
	j.fill("orders/", 100, func(i int) bool { return i == 3 })
	j.silent = "orders/000077.json"
	if _, err := j.run(t.Context(), "first", `{"prefix": "orders/", "batch": 50}`); err != nil {
		t.Fatal(err)
	}
	sum, failed, file := j.read(t, "first", "SUCCEEDED")
	if want := []string{"orders/000003.json", j.silent}; sum.ObjectsRead != 98 || sum.Failed != 1 || sum.Unread != 1 || !slices.Equal(failed, want) {
		t.Errorf("the results say %d read, %d failed, %d unread, and name %v; want 98, 1, 1, %v", sum.ObjectsRead, sum.Failed, sum.Unread, failed, want)
	}
	j.silent = ""
	if _, err := j.run(t.Context(), "second", fmt.Sprintf(`{"keysFrom": %q}`, file)); err != nil {
		t.Fatal(err)
	}
	if sum, failed, _ := j.read(t, "second", "SUCCEEDED"); sum.ObjectsRead != 1 || !slices.Equal(failed, []string{"orders/000003.json"}) {
		t.Errorf("the second execution read %d and names %v; want 1 and the object that is still broken", sum.ObjectsRead, failed)
	}
}

// An answer has 240 KB: where so much failed that it cannot name all the rest,
// nothing is lost without a word.
func TestABatchThatFailsAtTooGreatLengthIsAFailedBatch(t *testing.T) {
	j := deployed(t, map[string]string{"bucket": "my-documents"}, time.Minute)
	j.fill("orders/"+strings.Repeat("x", 150), 1_000, func(int) bool { return true })
	_, err := j.run(t.Context(), "long", `{"prefix": "orders/"}`)
	if _, failed, _ := j.read(t, "long", "FAILED"); err == nil || len(failed) < 500 {
		t.Errorf("%v with %d failed keys, want a failure that names all of a batch", err, len(failed))
	}
	if _, err := j.run(t.Context(), "shorter", `{"prefix": "orders/", "batch": 200}`); err != nil {
		t.Error(err)
	}
	if sum, failed, _ := j.read(t, "shorter", "SUCCEEDED"); sum.Failed != 1_000 || len(failed) != 1_000 {
		t.Errorf("a smaller batch: %d failed, %d named, want 1,000", sum.Failed, len(failed))
	}
}

func TestAnInputThatIsNotMeantIsRefusedBeforeAnythingIsRead(t *testing.T) {
	j := deployed(t, map[string]string{"bucket": "my-documents"}, time.Minute)
	j.fill("orders/", 1, func(int) bool { return false })
	for _, input := range []string{`{"prefx": "orders/"}`, `{"children": 0}`, `{"children": 10001}`, `{"batch": 0}`, `{"batch": 1.5}`} {
		_, err := j.run(t.Context(), input, input)
		var f *failure
		if !errors.As(err, &f) || f.name != "Input" || !strings.Contains(f.cause, "toleratedFailurePercentage") || j.calls.Load() > 0 {
			t.Errorf("%s: %v after %d calls, want it refused with the fields that there are", input, err, j.calls.Load())
		}
	}
}
