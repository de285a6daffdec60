//go:build linux

package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"golang.org/x/sys/unix"

	"lambda-parallel-io/tune/local/lambda"
)

// The test binary is also the function: a real process that speaks the
// Runtime API through aws-lambda-go, and does what its payload asks.
const asFunction = "TEST_AS_FUNCTION"

func TestMain(m *testing.M) {
	switch mode := os.Getenv(asFunction); mode {
	case "":
		os.Exit(m.Run())
	case "dies at once":
		fmt.Println("cannot start")
		os.Exit(3)
	case "reports an init error", "reports an init error and stays", "registers, reports an init error and stays":
		if strings.HasPrefix(mode, "registers") {
			signal.Ignore(syscall.SIGTERM)
			if _, err := extensionAPI(http.MethodPost, "register", `{"events": []}`); err != nil {
				panic(err)
			}
		}
		body := strings.NewReader(`{"errorType": "Config", "errorMessage": "no BUCKET is set"}`)
		resp, err := http.Post("http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+"/2018-06-01/runtime/init/error", "application/json", body)
		if err == nil {
			resp.Body.Close()
		}
		if strings.HasSuffix(mode, "stays") {
			<-make(chan int)
		}
		os.Exit(1)
	case "wants SIGTERM":
		awslambda.StartWithOptions(handle, awslambda.WithEnableSIGTERM(func() { tell("told") }))
	case "takes SIGTERM": // and asks Lambda for none
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGTERM)
		go func() { <-told; tell("told") }()
		awslambda.Start(handle)
	default:
		awslambda.Start(handle)
	}
}

type request struct {
	Do string
	MS int // milliseconds
	MB int
}

func handle(ctx context.Context, r request) (any, error) {
	switch r.Do {
	case "answer":
		return os.Getpid(), nil
	case "spin", "spin on one thread": // else on every core that it sees
		end := time.Now().Add(time.Duration(r.MS) * time.Millisecond)
		for range runtime.GOMAXPROCS(0) - 1 {
			if r.Do != "spin" {
				break
			}
			go func() {
				for time.Now().Before(end) {
				}
			}()
		}
		for time.Now().Before(end) {
		}
		return "spun", nil
	case "count stops": // those of 50 ms and more
		stops, last := 0, time.Now()
		for end := last.Add(time.Duration(r.MS) * time.Millisecond); last.Before(end); {
			now := time.Now()
			if now.Sub(last) >= 50*time.Millisecond {
				stops++
			}
			last = now
		}
		return stops, nil
	case "error":
		return nil, errors.New("the object is not there")
	case "panic":
		panic("boom")
	case "exit":
		os.Exit(7)
	case "kill itself":
		return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "hang":
		<-make(chan int)
	case "allocate":
		blocks := make([][]byte, 0, r.MB)
		for range r.MB {
			b := make([]byte, 1<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			blocks = append(blocks, b)
			time.Sleep(time.Millisecond)
		}
		return len(blocks), nil
	case "answer at length":
		return strings.Repeat("x", r.MB<<20), nil
	case "print":
		for range r.MB << 10 {
			fmt.Println(strings.Repeat("x", 1023))
		}
		return "printed", nil
	case "limits":
		var l unix.Rlimit
		err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l)
		return []uint64{l.Max, uint64(runtime.GOMAXPROCS(0))}, err
	case "environment":
		return os.Environ(), nil
	case "fork":
		cmd := exec.Command("/bin/sleep", "1000")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: r.MS > 0}
		err := cmd.Start()
		return cmd.Process.Pid, err
	case "poll twice":
		resp, err := http.Get("http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/next")
		if err != nil {
			return nil, err
		}
		return resp.StatusCode, resp.Body.Close()
	case "break off": // within the answer
		half := map[int]string{0: `{"half": `, 1: `{"looks": "whole"}`}[r.MS%2]
		cause := "the object has ended" + strings.Repeat(".", r.MS/2)
		return io.MultiReader(strings.NewReader(half), iotest.ErrReader(errors.New(cause))), nil
	case "register for INVOKE":
		return extensionAPI(http.MethodPost, "register", `{"events": ["INVOKE"]}`)
	case "poll as an extension":
		return extensionAPI(http.MethodGet, "event/next", "")
	case "read": // what each of 20 takes, in ms: it waits 13 ms and computes for r.MS us
		var took []float64
		for range 20 {
			began := time.Now()
			time.Sleep(13 * time.Millisecond)
			for start := cpu(); cpu()-start < time.Duration(r.MS)*time.Microsecond; {
			}
			took = append(took, time.Since(began).Seconds()*1e3)
		}
		return took, nil
	case "answer twice":
		return answerTwice()
	}
	return nil, fmt.Errorf("what is %q?", r.Do)
}

// answerTwice posts an answer behind aws-lambda-go's back.
func answerTwice() (any, error) {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	resp, err := http.Post(base+"no-such-id/response", "application/json", strings.NewReader(`"garbage"`))
	if err != nil {
		return nil, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// extensionAPI returns what the Extensions API answers to an extension that has
// not registered.
func extensionAPI(method, path, body string) (any, error) {
	r, err := http.NewRequest(method, "http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+"/2020-01-01/extension/"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Lambda-Extension-Name", "watcher")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%d %s", resp.StatusCode, answer), err
}

// cpu is the processor time of this process so far.
func cpu() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts)
	return time.Duration(ts.Nano())
}

// tell writes into the file that the test has named.
func tell(what string) { _ = os.WriteFile(os.Getenv("TELL"), []byte(what), 0o600) }

// function starts an environment of the test function.
func function(t *testing.T, memoryMB int, timeout time.Duration, env ...string) *lambda.Function {
	t.Helper()
	return start(t, lambda.Config{MemoryMB: memoryMB, Arch: "x86_64", Speed: 1, Timeout: timeout, Env: env})
}

// start starts an environment of the test function, with what cfg lacks.
func start(t testing.TB, cfg lambda.Config) *lambda.Function {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Path, cfg.Name, cfg.Region, cfg.Log = self, "parallel", "eu-west-1", testLog{t}
	cfg.Env = append([]string{asFunction + "=yes"}, cfg.Env...)
	f := lambda.New(cfg)
	t.Cleanup(f.Close)
	return f
}

func invoke(t testing.TB, f *lambda.Function, r request) lambda.Invocation {
	t.Helper()
	payload, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	inv, err := f.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatalf("Invoke(%s): %v", payload, err)
	}
	return inv
}

type testLog struct{ t testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	if len(p) < 500 {
		l.t.Logf("function: %s", strings.TrimSpace(string(p)))
	}
	return len(p), nil
}
