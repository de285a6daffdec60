//go:build linux

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A strategy is one file and one line in a list: help, flags, the function and
// the report then have it.
func TestAFifthStrategyIsOneFileAndOneLine(t *testing.T) {
	dir := t.TempDir()
	flags := "-overlay=" + withFifthStrategy(t, dir)
	program := func(in, name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = in
		cmd.Env = append(os.Environ(), "GOFLAGS="+flags)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	tune := filepath.Join(dir, "tune")
	program("..", "go", "build", "-o", tune, "./tune")
	// The tuner's own build of the function takes no flags from outside: here it
	// finds it ready.
	program("..", "go", "build", "-o", filepath.Join(dir, "handler"), "./handler")

	if out := program("..", tune, "-h"); !strings.Contains(out, "semaphore, fifth (all)") {
		t.Errorf("the help does not name the fifth strategy:\n%s", out)
	}
	if out := program("..", tune, "--dry-run"); !strings.Contains(out, `"strategy":"fifth"`) {
		t.Errorf("the fifth strategy is not among those that are compared by default:\n%s", out)
	}
	object, err := filepath.Abs("../sample.json")
	if err != nil {
		t.Fatal(err)
	}
	text := program(dir, tune, "--strategies", "fifth", "--power", "1769", "--num", "1", "--repeat", "20", "--latency", "none", "--object", object)
	if !strings.Contains(text, "fifth (30)") {
		t.Errorf("the report does not show the fifth strategy:\n%s", text)
	}
}

// withFifthStrategy writes the file and the line, and returns the overlay that
// puts them into the build.
func withFifthStrategy(t *testing.T, dir string) string {
	t.Helper()
	strategies, err := filepath.Abs("../strategies")
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(filepath.Join(strategies, "strategies.go"))
	if err != nil {
		t.Fatal(err)
	}
	replaced := strings.Replace(string(list), "semaphore}", "semaphore, fifth}", 1)
	if replaced == string(list) {
		t.Fatal("the list in strategies.go does not end in semaphore}")
	}
	overlay := map[string]string{}
	for name, source := range map[string]string{
		"strategies.go": replaced,
		"fifth.go": `package strategies

var fifth = Strategy{Name: "fifth", Description: "the pool once more", Bounded: true, schedule: pool.schedule}
`,
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(source), 0o666); err != nil {
			t.Fatal(err)
		}
		overlay[filepath.Join(strategies, name)] = file
	}
	data, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(name, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}
