package report

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambda-parallel-io/tune/comparison"
)

var update = flag.Bool("update", false, "write the golden files")

func TestEveryViewIsAsTheGoldenFilesShow(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := Write(dir, f.model(), true); err != nil {
				t.Fatalf("Write: %v", err)
			}
			golden(t, f.name+"/terminal.txt", terminal(t, f.model(), "tune-results/report.html"))
			for _, name := range files {
				got, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				golden(t, f.name+"/"+name, got)
			}
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run with -update", err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s differs (-want +got); if that is right, run with -update:\n%s", path, d)
	}
}

// view is what a report can draw.
type view func(*Report, io.Writer) error

func file(name string) view { return func(r *Report, w io.Writer) error { return r.draw(w, name) } }

func draw(t *testing.T, c *comparison.Comparison, v view) []byte {
	t.Helper()
	var b bytes.Buffer
	c.Conclude() // as a reader of results.json does
	if err := v(New(c), &b); err != nil {
		t.Fatalf("drawing: %v", err)
	}
	return b.Bytes()
}

func terminal(t *testing.T, c *comparison.Comparison, page string) []byte {
	t.Helper()
	return draw(t, c, func(r *Report, w io.Writer) error { r.Page = page; return r.Text(w) })
}
