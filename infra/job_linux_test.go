package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
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
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"lambda-parallel-io/handler/build"
	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/local/lambda"
)

// job is a state machine deployed on this machine: the definition that the program
// registers, the built function, and an S3 over TLS.
type job struct {
	*stepFunctions
	bucket, results string
	store           http.Handler
	functions       chan *lambda.Function

	calls  atomic.Int64 // of the function, so far
	flying atomic.Int64 // calls in flight
	peak   atomic.Int64
	fault  func(call int64, keys []string) error // the error of a call before it reaches the function; may be nil

	silent string // the key of an object that S3 never sends

	mu   sync.Mutex
	gets map[string]int // by key, in the bucket that is read
	puts []string       // bucket/key of each object that the state machine wrote
}

const environments = 3

// handler returns the path of the function, which it builds once for all tests.
var handler = sync.OnceValues(func() (binary string, err error) {
	binary = filepath.Join(scratch, executable)
	return binary, build.Function(context.Background(), "..", "./handler", runtime.GOARCH, binary)
})

func deployed(t *testing.T, set map[string]string, timeout time.Duration) *job {
	t.Helper()
	t.Parallel()
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
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	binary, err := handler()
	if err != nil {
		t.Fatal(err)
	}
	for range environments {
		f := lambda.New(lambda.Config{
			Path: binary, MemoryMB: 1_769, Arch: "arm64", Speed: 1, Timeout: timeout, Name: "f", Region: "eu-west-1",
			Env: []string{
				"BUCKET=" + j.bucket, "AWS_ENDPOINT_URL_S3=" + server.URL, "AWS_CA_BUNDLE=" + ca, "AWS_REGION=eu-west-1",
				"AWS_ACCESS_KEY_ID=AKIDTEST", "AWS_SECRET_ACCESS_KEY=made for this test",
			},
		})
		t.Cleanup(f.Close)
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
				items = append(items, map[string]any{"Etag": *o.ETag, "Key": *o.Key, "LastModified": o.LastModified.Unix(), "Size": *o.Size, "StorageClass": "STANDARD"})
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
	r := httptest.NewRequest(method, (&url.URL{Path: "/" + bucket + "/" + key}).EscapedPath(), bytes.NewReader(content))
	r.Header.Set("Content-Length", strconv.Itoa(len(content))) // gofakes3 reads it from the header
	j.store.ServeHTTP(w, r)
	if method == http.MethodPut && w.Code != http.StatusOK {
		panic(fmt.Sprintf("put %s/%s: %d %s", bucket, key, w.Code, w.Body))
	}
	return w
}

// call answers Step Functions as Lambda does.
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

// fill puts n objects below prefix; those for which bad is true are not JSON.
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

// read adds up the results of an execution.
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
		sum.Archived += l.Archived
		sum.Duplicates += l.Duplicates
	}
	slices.Sort(failed)
	return sum, failed, file
}
