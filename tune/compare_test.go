//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// The checkout of a revision goes away with the function that was built of it,
// also where the comparison is interrupted, once or twice.
func TestAnInterruptedCompareLeavesNoCheckoutBehind(t *testing.T) {
	for name, signals := range map[string]int{"once": 1, "twice": 2} {
		t.Run(name, func(t *testing.T) {
			repository, scratch := t.TempDir(), t.TempDir()
			for file, text := range map[string]string{
				"go.mod": "module example.com/hangs\ngo 1.26\n", "sample.json": "[]",
				"main.go": "package main\n\nimport \"time\"\n\nfunc main() { time.Sleep(time.Hour) }\n",
			} {
				if err := os.WriteFile(filepath.Join(repository, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "first"}} {
				git := exec.Command("git", args...)
				git.Dir = repository
				if out, err := git.CombinedOutput(); err != nil {
					t.Fatalf("git %q: %v\n%s", args, err, out)
				}
			}
			cmd := exec.Command("tune", "compare", "HEAD:.", ".", "--payload", "{}")
			cmd.Dir, cmd.Env, cmd.Stderr = repository, append(os.Environ(), "TMPDIR="+scratch), os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			for deadline := time.Now().Add(time.Minute); processOf(scratch) == ""; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the function did not start within a minute")
				}
			}
			if checkouts, _ := filepath.Glob(filepath.Join(scratch, "*", "*", "tree", "main.go")); len(checkouts) != 1 {
				t.Fatalf("there are the checkouts %q, want one", checkouts)
			}
			for range signals {
				_ = cmd.Process.Signal(syscall.SIGINT) // the second may find a program that has ended
			}
			_ = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != 130 {
				t.Errorf("exit code %d, want 130", got)
			}
			if err := nothingLeft(scratch); err != nil {
				t.Error(err)
			}
		})
	}
}
