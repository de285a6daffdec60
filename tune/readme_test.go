package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the README shows of a run is what the program draws from the committed
// results.json of that run.
func TestTheREADMEShowsTheCommittedRun(t *testing.T) {
	const example = "example"
	again := t.TempDir()
	var terminal bytes.Buffer
	if err := run(t.Context(), []string{"draw", filepath.Join(example, "results.json"), "-o", again}, &session{stdout: &terminal, stderr: &bytes.Buffer{}}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(again)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		drawn, err := os.ReadFile(filepath.Join(again, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		committed, err := os.ReadFile(filepath.Join(example, e.Name()))
		if err != nil || !bytes.Equal(drawn, committed) {
			t.Errorf("%s differs from what is drawn from results.json (%v): go run ./tune draw tune/example/results.json", e.Name(), err)
		}
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "```text\n")
	block, _, _ = strings.Cut(block, "```")
	if lines := strings.Count(block, "\n"); lines < 10 || lines > 20 || !strings.Contains(terminal.String(), block) {
		t.Errorf("README.md shows %d lines that are not 10 to 20 lines of what draw prints of the example:\n%s\nIt prints:\n%s", lines, block, &terminal)
	}
	if !strings.Contains(string(readme), "(tune/example/chart.svg)") {
		t.Error("README.md does not show tune/example/chart.svg")
	}
}
