//go:build linux

package main

import (
	"bufio"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lambda-parallel-io/tune/internal/sfntest"
)

// A comparison on AWS that Ctrl-C cut off names the execution that goes on,
// and --resume waits for that one and starts only what is missing.
func TestAComparisonOnAWSIsTakenUpAgain(t *testing.T) {
	fake, err := sfntest.New("pool=runs")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(fake)
	defer server.Close()
	out := filepath.Join(t.TempDir(), "out")
	tune := func(args ...string) *exec.Cmd {
		cmd := exec.Command("tune", args...)
		cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+server.URL, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret",
			"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true", "AWS_PROFILE=")
		return cmd
	}

	first := tune("aws", "--state-machine", "arn:aws:states:eu-west-1:123456789012:stateMachine:tuner",
		"--function-arn", "arn:aws:lambda:eu-west-1:123456789012:function:reader",
		"--strategies", "sequential,pool,semaphore", "--power", "512,1024", "--num", "5", "--execution-timeout", "900s", "-o", out)
	stderr, err := first.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	defer first.Process.Kill()
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "1/3") {
	}
	for !watched(fake, 2) { // until the program knows of pool's
		time.Sleep(time.Millisecond)
	}
	if err := first.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var words strings.Builder
	for lines.Scan() {
		words.WriteString(lines.Text() + "\n")
	}
	_ = first.Wait()
	if got := first.ProcessState.ExitCode(); got != 130 {
		t.Errorf("exit code %d after Ctrl-C, want 130", got)
	}
	for _, want := range []string{"aws stepfunctions describe-execution --execution-arn", "aws stepfunctions stop-execution --execution-arn", "go run ./tune aws --resume " + out + " --execution-timeout 15m0s"} {
		if !strings.Contains(words.String(), want) {
			t.Errorf("after Ctrl-C stderr lacks %q:\n%s", want, &words)
		}
	}

	if err := fake.Follow("looks=0"); err != nil {
		t.Fatal(err)
	}
	second := tune("aws", "--resume", out)
	text, err := second.Output()
	if err != nil {
		t.Fatalf("--resume: %v", err)
	}
	if got := len(fake.Executions()); got != 3 || fake.Overlaps() != 0 {
		t.Errorf("%d executions were started, %d of them while another ran; want 3 and 0", got, fake.Overlaps())
	}
	if !strings.Contains(string(text), "semaphore (30)") || strings.Contains(string(text), "not measured") {
		t.Errorf("--resume did not complete the comparison:\n%s", text)
	}
	_, _ = io.Copy(io.Discard, stderr)
}

// watched reports whether the nth execution was started and then looked at.
func watched(fake *sfntest.Server, n int) bool {
	for _, operation := range fake.Requests() {
		if operation == "StartExecution" {
			n--
		}
		if n == 0 && operation == "DescribeExecution" {
			return true
		}
	}
	return false
}
