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
	if err := run(t.Context(), []string{"draw", filepath.Join(example, "results.json"), "-o", again}, &session{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}); err != nil {
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
	table, err := os.ReadFile(filepath.Join(again, "table.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), strings.TrimSpace(string(table))) {
		t.Error("README.md does not show tune/example/table.md")
	}
	if !strings.Contains(string(readme), "(tune/example/chart.svg)") {
		t.Error("README.md does not show tune/example/chart.svg")
	}
}
