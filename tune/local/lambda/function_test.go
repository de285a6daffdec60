//go:build linux

package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lambda-parallel-io/tune/local/lambda"
)

func TestOnlyAColdStartReportsInit(t *testing.T) {
	f := function(t, 1_769, time.Minute)
	cold := invoke(t, f, request{Do: "answer"})
	warm := invoke(t, f, request{Do: "answer"})
	if cold.Init <= 0 || warm.Init != 0 {
		t.Errorf("Init: cold %v, warm %v; want more than 0, then 0", cold.Init, warm.Init)
	}
	if string(cold.Response) != string(warm.Response) {
		t.Errorf("the process changed from %s to %s between two invocations", cold.Response, warm.Response)
	}
	for _, inv := range []lambda.Invocation{cold, warm} {
		ms := float64(inv.Duration+inv.Init) / 1e6
		if b := float64(inv.BilledMS); b < ms || b >= ms+1 {
			t.Errorf("billed %d ms for %.3f ms, want them rounded up", inv.BilledMS, ms)
		}
	}
	report := regexp.MustCompile(`^REPORT RequestId: [0-9a-f-]{36}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 1769 MB\tMax Memory Used: [1-9]\d* MB\t(Init Duration: \d+\.\d\d ms\t)?$`)
	for _, inv := range []lambda.Invocation{cold, warm} {
		if line := inv.Report(1_769); !report.MatchString(line) || strings.Contains(line, "Init") != (inv.Init > 0) {
			t.Errorf("not Lambda's REPORT line: %q", line)
		}
	}
}

func TestAProcessSurvivesAnErrorOfItsHandler(t *testing.T) {
	f := function(t, 1_769, time.Minute)
	before := invoke(t, f, request{Do: "answer"})
	failed := invoke(t, f, request{Do: "error"})
	if failed.Err == nil || failed.Err.Message != "the object is not there" || failed.Response != nil {
		t.Errorf("Err = %v, want the function's own message", failed.Err)
	}
	if after := invoke(t, f, request{Do: "answer"}); string(after.Response) != string(before.Response) {
		t.Errorf("process %s became %s after an error", before.Response, after.Response)
	}
}

func TestTheEndOfAProcessIsReportedInLambdasWords(t *testing.T) {
	for _, c := range []struct {
		do          string
		timeout     time.Duration
		kind, words string
	}{
		{"panic", time.Minute, "string", `boom`},
		{"exit", time.Minute, "Runtime.ExitError", `Error: Runtime exited with error: exit status 7`},
		{"hang", time.Second, "Sandbox.Timedout", `Error: Task timed out after 1.00 seconds`},
		{"allocate", time.Minute, "Runtime.ExitError", `Error: Runtime exited with error: signal: killed`},
		{"kill itself", time.Minute, "Runtime.ExitError", `Error: Runtime exited with error: signal: killed`},
	} {
		t.Run(c.do, func(t *testing.T) {
			f := function(t, 128, c.timeout)
			before := invoke(t, f, request{Do: "answer"})
			failed := invoke(t, f, request{Do: c.do, MB: 300})
			if failed.Err == nil || failed.Err.Type != c.kind || !strings.Contains(failed.Err.Message, c.words) {
				t.Fatalf("Err = %v, want %s: …%s", failed.Err, c.kind, c.words)
			}
			if failed.OutOfMemory != (c.do == "allocate") {
				t.Errorf("%s: OutOfMemory = %t", c.do, failed.OutOfMemory)
			}
			if c.do == "hang" && failed.BilledMS != 1000 {
				t.Errorf("billed %d ms for a timeout of 1 s", failed.BilledMS)
			}
			after := invoke(t, f, request{Do: "answer"})
			if after.Err != nil || string(after.Response) == string(before.Response) {
				t.Errorf("process %s answered %s after %s, want a new one to; Err %v", before.Response, after.Response, c.do, after.Err)
			}
			if after.Init != 0 {
				t.Errorf("the new process's INIT of %v is apart, want it inside the invocation", after.Init)
			}
		})
	}
}

func TestAProcessThatNeverGetsReadyIsAFailureNotAHang(t *testing.T) {
	f := function(t, 1_769, time.Second, asFunction+"=dies at once")
	inv := invoke(t, f, request{})
	if inv.Err == nil || !strings.Contains(inv.Err.Message, "exit status 3") || !strings.Contains(string(inv.Log), "cannot start") {
		t.Errorf("Err = %v, log %q; want the exit status and what it printed", inv.Err, inv.Log)
	}
}

func TestAnInitErrorKeepsTheFunctionsMessage(t *testing.T) {
	f := function(t, 1_769, time.Second, asFunction+"=reports an init error")
	if inv := invoke(t, f, request{}); inv.Err == nil || inv.Err.Error() != "Config: no BUCKET is set" {
		t.Errorf("Err = %v, want what was posted to init/error", inv.Err)
	}
}

func TestAnErrorNamesANoexecFileSystem(t *testing.T) {
	// Distributions mount /proc noexec; as root a file system of its own is made.
	path := "/proc/self/status"
	if dir := t.TempDir(); unix.Mount("none", dir, "tmpfs", unix.MS_NOEXEC, "") == nil {
		defer unix.Unmount(dir, 0)
		path = filepath.Join(dir, "function")
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	f := lambda.New(lambda.Config{Path: path, MemoryMB: 128, Speed: 1, Timeout: time.Second})
	defer f.Close()
	const want = "its file system is mounted noexec: set TMPDIR to a folder where programs may run"
	if _, err := f.Invoke(t.Context(), nil); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Invoke = %v, want an error with %q", err, want)
	}
}

// At most the invocation that meets the death fails by it.
func TestAProcessThatDiesBetweenInvocationsIsReplaced(t *testing.T) {
	f := function(t, 1_769, time.Minute)
	var pid int
	if err := json.Unmarshal(invoke(t, f, request{Do: "answer"}).Response, &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	inv := invoke(t, f, request{Do: "answer"})
	if inv.Err != nil && inv.Err.Type == "Runtime.ExitError" { // it was handed over before the end was noticed
		inv = invoke(t, f, request{Do: "answer"})
	}
	if inv.Err != nil || string(inv.Response) == fmt.Sprint(pid) {
		t.Errorf("after process %d was killed: %s, %v; want another process's answer", pid, inv.Response, inv.Err)
	}
}

func TestAProcessThatReportsAnINITErrorAndStaysIsNotWaitedFor(t *testing.T) {
	f := function(t, 1_769, time.Minute, asFunction+"=reports an init error and stays")
	start := time.Now()
	inv := invoke(t, f, request{})
	if inv.Err == nil || inv.Err.Error() != "Config: no BUCKET is set" || time.Since(start) > 10*time.Second {
		t.Errorf("Err = %v after %v, want what was posted to init/error, at once", inv.Err, time.Since(start))
	}
}

func TestAPauseLongerThanTheTimeoutLeavesTheProcess(t *testing.T) {
	f := function(t, 1_769, time.Second)
	before := invoke(t, f, request{Do: "answer"})
	for range 3 {
		time.Sleep(1100 * time.Millisecond) // what is tested is that this time does not count
		after := invoke(t, f, request{Do: "answer"})
		if string(after.Response) != string(before.Response) {
			t.Fatalf("process %s became %s by a pause", before.Response, after.Response)
		}
	}
}

func TestBetweenInvocationsNothingRuns(t *testing.T) {
	f := function(t, 1_769, time.Minute)
	for range 5 {
		pid := invoke(t, f, request{Do: "answer"}).Response
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // it stops at its next step
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%s/stat", pid))
			if err == nil && strings.Contains(string(stat), ") T ") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("process %s goes on after its answer: %.40s, %v", pid, stat, err)
			}
		}
	}
}

func TestAnotherEventIsRefusedBeforeTheLastIsAnswered(t *testing.T) {
	f := function(t, 1_769, 5*time.Second)
	if inv := invoke(t, f, request{Do: "poll twice"}); string(inv.Response) != "403" {
		t.Errorf("a second poll got %s, %v; want 403, and the invocation to go on", inv.Response, inv.Err)
	}
}

func TestTheLimitsAreLambdas(t *testing.T) {
	f := function(t, 4_096, time.Minute)
	if inv := invoke(t, f, request{Do: "limits"}); string(inv.Response) != "[1024,3]" {
		t.Errorf("descriptors and GOMAXPROCS = %s, want [1024,3]", inv.Response)
	}
	inv := invoke(t, f, request{Do: "answer at length", MB: 7})
	if inv.Err == nil || inv.Err.Type != "Function.ResponseSizeTooLarge" || !strings.Contains(inv.Err.Message, "6291556 bytes") {
		t.Errorf("7 MB of answer: Err = %v", inv.Err)
	}
	inv, err := f.Invoke(t.Context(), make([]byte, 6<<20+1))
	if err != nil || inv.Err == nil || inv.Err.Type != "RequestEntityTooLargeException" {
		t.Errorf("more than 6 MB of payload: Err = %v, %v", inv.Err, err)
	}
	if inv := invoke(t, f, request{Do: "answer"}); inv.Err != nil {
		t.Errorf("after both: %v", inv.Err)
	}
}

func TestTheFunctionSeesNothingOfTheCallersAccount(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the caller's")
	t.Setenv("AWS_PROFILE", "the caller's")
	t.Setenv("GITHUB_TOKEN", "the caller's")
	f := function(t, 1_769, time.Minute, "BUCKET=b")
	var env []string
	inv := invoke(t, f, request{Do: "environment"})
	if err := json.Unmarshal(inv.Response, &env); err != nil {
		t.Fatalf("%v: %v", inv.Err, err)
	}
	for _, v := range env {
		if strings.Contains(v, "the caller's") {
			t.Errorf("the function sees %s", v)
		}
	}
	for _, want := range []string{"BUCKET=b", "AWS_REGION=eu-west-1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=1769", "AWS_LAMBDA_FUNCTION_NAME=parallel", "AWS_CONFIG_FILE=/dev/null"} {
		if !slices.Contains(env, want) {
			t.Errorf("the function lacks %s", want)
		}
	}
}

func TestAnAnswerToNoInvocationIsRefused(t *testing.T) {
	f := function(t, 1_769, time.Minute)
	if inv := invoke(t, f, request{Do: "answer twice"}); string(inv.Response) != "400" {
		t.Errorf("a second answer got %s, %v; want 400, and the right answer to count", inv.Response, inv.Err)
	}
}

func TestMegabytesOfOutputLeaveTheLast4KB(t *testing.T) {
	f := function(t, 1_769, time.Minute)
	if inv := invoke(t, f, request{Do: "print", MB: 8}); inv.Err != nil || len(inv.Log) != 4<<10 {
		t.Errorf("Err %v, %d bytes of log; want 4,096", inv.Err, len(inv.Log))
	}
}

func TestNothingOutlivesClose(t *testing.T) {
	for _, ownSession := range []int{0, 1} {
		t.Run(fmt.Sprintf("a child in a session of its own: %d", ownSession), func(t *testing.T) {
			f := function(t, 1_769, time.Minute)
			inv := invoke(t, f, request{Do: "fork", MS: ownSession})
			var child int
			if err := json.Unmarshal(inv.Response, &child); err != nil || syscall.Kill(child, 0) != nil {
				t.Fatalf("the function did not start a child: %s, %v", inv.Response, inv.Err)
			}
			if !inv.Children {
				t.Error("Children = false, although the function has started a process that is not held back")
			}
			f.Close()
			for deadline := time.Now().Add(10 * time.Second); running(child); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("process %d of the function goes on after Close", child)
				}
			}
		})
	}
}

// running reports whether a process is there and not only waits to be reaped.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ") && !strings.Contains(string(stat), ") X ")
}

func TestACancelledInvocationEndsTheProcess(t *testing.T) {
	f := function(t, 1_769, time.Minute)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	pid := string(invoke(t, f, request{Do: "answer"}).Response)
	time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
	if _, err := f.Invoke(ctx, []byte(`{"Do": "hang"}`)); err != cause {
		t.Errorf("Invoke = %v, want the cause of the context", err)
	}
	if after := string(invoke(t, f, request{Do: "answer"}).Response); after == pid {
		t.Errorf("process %s goes on after its invocation was given up", pid)
	}
}
