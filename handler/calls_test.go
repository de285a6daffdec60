package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lambda-parallel-io/handler/event"
)

// What a call leaves to later calls, and which counts are its own.

func TestNoGoroutineIsLeftAfterACall(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s3 := newS3(t)
	f := &function{bucket: openTestBucket(t, s3, stallTime)}
	var cancel context.CancelFunc
	cancelling := func(_ http.ResponseWriter, r *http.Request, _ *httptest.ResponseRecorder) {
		cancel()
		<-r.Context().Done()
	}
	for name, c := range map[string]struct {
		payload string
		f       fault
		within  time.Duration
		want    string // in its error
	}{
		"success":         {`{"objectKey": "sample.json", "repeat": 300, "strategy": "unbounded"}`, nil, time.Minute, ""},
		"a cancelled one": {`{"objectKey": "sample.json", "repeat": 300, "strategy": "unbounded"}`, cancelling, time.Minute, "cancel"},
		"a deadline":      {`{"objectKey": "sample.json", "repeat": 300, "strategy": "unbounded"}`, stallWithin, time.Second, "deadline: 0 of 300"},
		"10,000 failures": {tenThousand(), nil, time.Minute, ""},
	} {
		s3.injure(func(int64) fault { return c.f })
		var ctx context.Context
		ctx, cancel = context.WithTimeout(t.Context(), c.within)
		raw, err := f.Invoke(ctx, []byte(c.payload))
		cancel()
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.100s, %.300v; want %q", name, raw, err, c.want)
		}
	}
	s3.CloseClientConnections()
	s3.Close()
	goleak.VerifyNone(t, before)
}

// tenThousand names 10,000 objects that do not exist.
func tenThousand() string {
	keys := make([]string, 10_000)
	for i := range keys {
		keys[i] = fmt.Sprintf("%x", i)
	}
	raw, err := json.Marshal(map[string]any{"keys": keys, "onFailure": "report", "concurrency": 100})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func TestACallCountsWhatIsItsOwn(t *testing.T) {
	s3 := newS3(t)
	s3.put(t, "refused.json", []byte(`[]`))
	f := &function{bucket: openTestBucket(t, s3, stallTime)}
	both := make(chan struct{}) // closed when both calls are under way
	var refused, calm sync.Once
	var underWay sync.WaitGroup
	underWay.Add(2)
	go func() { underWay.Wait(); close(both) }()
	s3.injure(func(n int64) fault {
		return func(w http.ResponseWriter, r *http.Request, whole *httptest.ResponseRecorder) {
			first := false
			once := &calm
			if strings.HasSuffix(r.URL.Path, "refused.json") {
				once = &refused
			}
			once.Do(func() { first = true; underWay.Done() })
			<-both
			if first && once == &refused {
				slowDown(w, r, whole)
				return
			}
			serve(w, whole, whole.Body.Bytes())
		}
	})
	answers := map[string]event.Answer{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, key := range []string{"refused.json", "sample.json"} {
		wg.Go(func() {
			raw, err := f.Invoke(t.Context(), fmt.Appendf(nil, `{"objectKey": %q, "repeat": 50, "strategy": "sequential"}`, key))
			var a event.Answer
			if err == nil {
				err = json.Unmarshal(raw, &a)
			}
			if err != nil {
				t.Errorf("%s: %v", key, err)
			}
			mu.Lock()
			defer mu.Unlock()
			answers[key] = a
		})
	}
	wg.Wait()
	for key, retries := range map[string]int64{"refused.json": 1, "sample.json": 0} {
		if a := answers[key]; a.Retries != retries || a.Connections != 1 {
			t.Errorf("%s: retries %d, connections %d; want %d and the one that it opened", key, a.Retries, a.Connections, retries)
		}
	}
}

// A later invocation has the connections of an earlier one. That a dial fails
// once, a minute later, is no way to S3 that is missing.
func TestACallThatS3HasAnsweredDoesNotEndByADialThatFails(t *testing.T) {
	b := openTestBucket(t, newS3(t), stallTime)
	var calls tally
	ctx := calls.into(t.Context())
	for _, ctx := range []context.Context{t.Context(), ctx} {
		if _, err := b.read(ctx, "sample.json", -1); err != nil {
			t.Fatal(err)
		}
	}
	calls.began = calls.began.Add(-time.Minute)
	if n := calls.connections.Load(); n != 0 {
		t.Fatalf("%d connections opened, want the kept one to be used", n)
	}
	if _, err := newRetryer().GetRetryToken(ctx, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}); err != nil {
		t.Errorf("%v, want another attempt", err)
	}
}
