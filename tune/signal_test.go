//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lambda-parallel-io/tune/comparison"
)

// started is the program in the middle of a comparison: its first cell is
// measured, its second one hangs.
type started struct {
	cmd     *exec.Cmd
	stdout  bytes.Buffer
	scratch string
	out     string
}

func start(t *testing.T) *started {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &started{scratch: filepath.Join(dir, "scratch"), out: filepath.Join(dir, "out")}
	if err := os.Mkdir(s.scratch, 0o777); err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command("tune", "--function", self, "--env", asFunction+"=hangs at 512 MB", "--object", "../sample.json",
		"--strategies", "pool", "--power", "512,1769", "--num", "1", "-o", s.out)
	s.cmd.Env = append(os.Environ(), "TMPDIR="+s.scratch)
	s.cmd.Stdout = &s.stdout
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	lines := bufio.NewScanner(stderr)
	told := ""
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "1/2  pool (30) at 1769 MB: median") {
		told += lines.Text() + "\n"
	}
	if lines.Text() == "" {
		t.Fatalf("the first cell was not measured: %s", told)
	}
	for processOf(s.scratch) == "" { // the second cell's process
		time.Sleep(time.Millisecond)
	}
	go func() {
		for lines.Scan() { // so that the program is never held up
		}
	}()
	return s
}

func (s *started) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

func (s *started) exit(t *testing.T, want int) {
	t.Helper()
	_ = s.cmd.Wait()
	if got := s.cmd.ProcessState.ExitCode(); got != want {
		t.Errorf("exit code %d, want %d", got, want)
	}
}

func TestAnInterruptedRunPrintsWhatThereIsAndLeavesNothingBehind(t *testing.T) {
	for sig, want := range map[syscall.Signal]int{syscall.SIGHUP: 129, syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(sig.String(), func(t *testing.T) {
			if signal.Ignored(sig) {
				t.Skip("these tests run under nohup, and so does the program")
			}
			s := start(t)
			s.signal(t, sig)
			s.exit(t, want)
			if err := nothingLeft(s.scratch); err != nil {
				t.Error(err)
			}
			if out := s.stdout.String(); !strings.Contains(out, "pool (30)") || !strings.Contains(out, "1 cell not measured") {
				t.Errorf("it does not print what there is, and that it is not all:\n%s", out)
			}
			raw, err := os.ReadFile(filepath.Join(s.out, "results.json"))
			var c comparison.Comparison
			if err != nil || json.Unmarshal(raw, &c) != nil {
				t.Fatalf("results.json: %v: %s", err, raw)
			}
			if !c.Run.Interrupted || len(c.Variants) != 1 || len(c.Variants[0].Cells) != 1 {
				t.Errorf("results.json does not say that it was interrupted, with one cell of two: %s", raw)
			}
		})
	}
}

// The second signal may come before the first has had its effect, or find a
// program that has ended: both leave nothing behind.
func TestASecondInterruptLeavesAtOnceAndNothingBehind(t *testing.T) {
	s := start(t)
	s.signal(t, syscall.SIGINT)
	_ = s.cmd.Process.Signal(syscall.SIGINT)
	s.exit(t, 130)
	if err := nothingLeft(s.scratch); err != nil {
		t.Error(err)
	}
}

// nohup starts a program that ignores the end of its terminal.
func TestUnderNohupTheEndOfATerminalEndsNothing(t *testing.T) {
	signal.Ignore(syscall.SIGHUP) // the program inherits it
	defer signal.Reset(syscall.SIGHUP)
	s := start(t)
	s.signal(t, syscall.SIGHUP)
	s.signal(t, syscall.SIGTERM)
	s.exit(t, 143)
}

func TestTheFunctionDiesWithATunerThatIsKilled(t *testing.T) {
	s := start(t)
	s.signal(t, syscall.SIGKILL)
	s.exit(t, -1)
	deadline := time.Now().Add(10 * time.Second)
	for pid := processOf(s.scratch); pid != ""; pid = processOf(s.scratch) {
		if time.Now().After(deadline) {
			t.Fatalf("process %s of the function outlives the tuner", pid)
		}
		time.Sleep(time.Millisecond)
	}
}
