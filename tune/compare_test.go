//go:build linux

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// commit makes a git repository of dir with these files.
func commit(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "first"}} {
		git := exec.Command("git", args...)
		git.Dir = dir
		if out, err := git.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
}

// The checkout of a revision goes away with the function that was built of it,
// also where the comparison is interrupted, once or twice.
func TestAnInterruptedCompareLeavesNoCheckoutBehind(t *testing.T) {
	for name, signals := range map[string]int{"once": 1, "twice": 2} {
		t.Run(name, func(t *testing.T) {
			repository, scratch := t.TempDir(), t.TempDir()
			commit(t, repository, map[string]string{
				"go.mod": "module example.com/hangs\ngo 1.26\n", "sample.json": "[]",
				"main.go": "package main\n\nimport \"time\"\n\nfunc main() { time.Sleep(time.Hour) }\n",
			})
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

// The steps of the workflow in docs/compare.md run in a repository whose function
// got slower since the revision to compare with. gh is a stand-in that tells what
// it was called with.
func TestTheWorkflowOfTheDocsFailsOnASlowerFunctionAndComments(t *testing.T) {
	if os.Getenv("SLOW") != "1" {
		t.Skip("two minutes of comparing: SLOW=1")
	}
	docs, err := os.ReadFile("../docs/compare.md")
	if err != nil {
		t.Fatal(err)
	}
	_, workflow, _ := strings.Cut(string(docs), "```yaml\n")
	workflow, _, _ = strings.Cut(workflow, "```")
	var steps []string
	for _, run := range regexp.MustCompile(`(?m)^ +(?:- )?run: (.*)$`).FindAllStringSubmatch(workflow, -1) {
		steps = append(steps, run[1])
	}
	if len(steps) != 3 || steps[0] != "go build -o bin/tune ./tune" {
		t.Fatalf("the workflow's steps are %q, want the build, the comparison and the comment", steps)
	}
	script, err := os.ReadFile("testdata/script/compare.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, function, _ := strings.Cut(string(script), "-- fn/main.go --\n")
	function, _, _ = strings.Cut(function, "-- other")
	repository := t.TempDir()
	wait := "package main\n\nconst wait = 20\n"
	commit(t, repository, map[string]string{"go.mod": "module example.com/fn\ngo 1.26\n", "sample.json": "[]", "handler/main.go": function, "handler/wait.go": wait,
		"bin/gh": "#!/bin/sh\necho \"$@\" && cat \"$5\"\n"})
	tune, err := exec.LookPath("tune")
	err = errors.Join(err, os.Symlink(tune, filepath.Join(repository, "bin", "tune")), os.Chmod(filepath.Join(repository, "bin", "gh"), 0o755),
		os.WriteFile(filepath.Join(repository, "handler", "wait.go"), []byte(strings.Replace(wait, "20", "60", 1)), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	shell := func(step string) (string, int) {
		cmd := exec.Command("bash", "-e", "-c", step)
		cmd.Dir = repository
		cmd.Env = append(slices.Clone(os.Environ()), "BASE=HEAD", "NUMBER=7", "PATH="+filepath.Join(repository, "bin")+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := shell(steps[1]); code != 3 {
		t.Errorf("the comparison exits with %d, want 3:\n%s", code, out)
	}
	out, code := shell(steps[2])
	if code != 0 || !strings.HasPrefix(out, "pr comment 7 --body-file tune-compare/table.md\n**Slower: duration at 512 MB and duration at 1,769 MB**\n") {
		t.Errorf("the comment exits with %d:\n%s", code, out)
	}
}
