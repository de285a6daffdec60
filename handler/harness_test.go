package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lambda-parallel-io/handler/build"
	"lambda-parallel-io/handler/event"
)

// bootstrap is the path of the function as deployed, built once for all tests.
var bootstrap string

func TestMain(m *testing.M) { os.Exit(run(m)) }

// slow skips the rest of a test unless SLOW is 1, as in .ci/run.
func slow(t *testing.T) {
	t.Helper()
	if os.Getenv("SLOW") != "1" {
		t.Skip("slow: SLOW=1 go test ./handler runs it")
	}
}

// fewAndMany always runs a test with few reads, and with many reads if slow tests
// run.
func fewAndMany(t *testing.T, few, many int, test func(t *testing.T, reads int)) {
	for _, reads := range []int{few, many} {
		t.Run(fmt.Sprintf("%d reads", reads), func(t *testing.T) {
			t.Parallel()
			if reads == many {
				slow(t)
			}
			test(t, reads)
		})
	}
}

func run(m *testing.M) int {
	if os.Getenv(roleVariable) != "" {
		return playRole()
	}
	// Most tests wait more than they compute. An explicit -parallel overrides this.
	if err := flag.Set("test.parallel", "4"); err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "handler-test-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	bootstrap = filepath.Join(dir, "bootstrap")
	if err := build.Function(context.Background(), "", ".", runtime.GOARCH, bootstrap); err != nil {
		log.Fatal(err)
	}
	return m.Run()
}

// child is the function's process under a Runtime API.
type child struct {
	cmd     *exec.Cmd
	api     *httptest.Server
	events  chan invocation
	answers chan outcome
	polled  chan struct{} // closed when the function polls for its first event
	first   sync.Once
	exited  chan struct{} // closed when the process has ended
	log     logBuffer
	size    int           // bytes of the last answer
	left    time.Duration // from the last answer to its deadline
}

type invocation struct {
	payload  string
	deadline time.Time
}

type outcome struct {
	body   []byte
	failed bool
}

// start runs the function with these settings and without the caller's environment,
// and stops it at the end of the test.
func start(t testing.TB, settings ...string) *child {
	t.Helper()
	p := startBinary(t, bootstrap, settings...)
	t.Cleanup(func() {
		p.end()
		if t.Failed() {
			t.Logf("the function's log:\n%s", p.log.String())
		}
	})
	return p
}

func startBinary(t testing.TB, binary string, settings ...string) *child {
	t.Helper()
	p := &child{
		events:  make(chan invocation),
		answers: make(chan outcome),
		polled:  make(chan struct{}),
		exited:  make(chan struct{}),
	}
	p.api = httptest.NewServer(p)
	p.cmd = exec.Command(binary)
	p.cmd.Env = append([]string{"AWS_LAMBDA_RUNTIME_API=" + p.api.Listener.Addr().String()}, settings...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // cmd has its state
		close(p.exited)
	}()
	return p
}

func (p *child) end() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.exited
	p.api.CloseClientConnections()
	p.api.Close()
}

// ServeHTTP is Lambda's Runtime API
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
func (p *child) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch _, verb, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/2018-06-01/runtime/invocation/"), "/"); verb {
	case "response", "error":
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.WriteHeader(http.StatusAccepted)
		p.answers <- outcome{body, verb == "error"}
	default:
		p.first.Do(func() { close(p.polled) })
		select {
		case e := <-p.events:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(e.deadline.UnixMilli(), 10))
			io.WriteString(w, e.payload)
		case <-r.Context().Done():
		}
	}
}

// invoke runs one invocation with a timeout like Lambda's. Its error is the
// function's errorMessage, or says how the process ended.
func (p *child) invoke(payload string, timeout time.Duration) (a event.Answer, err error) {
	late := time.After(timeout + 30*time.Second) // makes a hang fail here
	deadline := time.Now().Add(timeout)
	select {
	case p.events <- invocation{payload, deadline}:
	case <-p.exited:
		return a, fmt.Errorf("the process has ended: %v", p.cmd.ProcessState)
	case <-late:
		return a, errors.New("the function does not ask for an event")
	}
	select {
	case o := <-p.answers:
		p.size, p.left = len(o.body), time.Until(deadline)
		if !o.failed {
			return a, json.Unmarshal(o.body, &a)
		}
		var e struct{ ErrorMessage string }
		if err := json.Unmarshal(o.body, &e); err != nil {
			return a, err
		}
		return a, errors.New(e.ErrorMessage)
	case <-p.exited:
		return a, fmt.Errorf("the process has ended: %v", p.cmd.ProcessState)
	case <-late:
		return a, errors.New("the function does not answer")
	}
}

// must invokes the function, which must succeed and count every read.
func (p *child) must(t testing.TB, payload string, timeout time.Duration) event.Answer {
	t.Helper()
	a, err := p.invoke(payload, timeout)
	if err != nil {
		t.Fatalf("invoke(%s) = %v, want an answer", payload, err)
	}
	want, err := event.Decode([]byte(payload), event.DefaultConcurrency)
	if err != nil || a.ObjectsRead != want.Repeat {
		t.Fatalf("invoke(%s): objects_read %d, want %d (%v)", payload, a.ObjectsRead, want.Repeat, err)
	}
	return a
}

// report invokes the function with a payload encoded by Go; the function must
// return an answer.
func (p *child) report(t testing.TB, payload any, timeout time.Duration) event.Answer {
	t.Helper()
	raw, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.invoke(string(raw), timeout)
	if err != nil {
		t.Fatalf("invoke(%.200s) = %.500v, want an answer", raw, err)
	}
	return a
}

// rss returns the process's resident memory in MB, now and at its peak.
func (p *child) rss(t testing.TB) (now, peak int) {
	t.Helper()
	return p.status(t, "VmRSS:") / 1024, p.status(t, "VmHWM:") / 1024
}

// status reads a number from the process's /proc/PID/status.
func (p *child) status(t testing.TB, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[0] == name {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("/proc/PID/status has no %s", name)
	return 0
}

func (p *child) descriptors(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
