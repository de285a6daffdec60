package report

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"path/filepath"

	"lambda-parallel-io/tune/builds"
)

// Builds are the views of two builds side by side.
type Builds struct{ *builds.Result }

// Write writes builds.json, table.md and report.html into dir, which it makes,
// and then prints: the result as JSON, or the view for a terminal.
func (b Builds) Write(w io.Writer, dir string, asJSON bool) error {
	raw := func(w io.Writer) error {
		out := json.NewEncoder(w)
		out.SetIndent("", "  ")
		return out.Encode(b.Result)
	}
	err := errors.Join(write(dir, "builds.json", raw), write(dir, "table.md", func(w io.Writer) error { return texts.ExecuteTemplate(w, "builds.md", b) }),
		write(dir, PageFile, func(w io.Writer) error { return templates.ExecuteTemplate(w, "builds", b) }))
	if asJSON {
		return errors.Join(err, raw(w))
	}
	return errors.Join(err, texts.ExecuteTemplate(w, "builds.txt", struct {
		Builds
		Page string
	}{b, filepath.Join(dir, PageFile)}))
}

// Words executes a template of builds.txt.
func (b Builds) Words(name string) (string, error) { return words(name, b) }

// Unit returns the unit of a figure.
func (Builds) Unit(figure string) string {
	if unit, other := map[string]string{"memory": "MB", "cost": "$", "retries": ""}[figure]; other {
		return unit
	}
	return "ms"
}

// Place returns where a ratio stands on a strip from 0.5 to 2, in percent of its width.
func (Builds) Place(ratio float64) float64 {
	return math.Round(50 + 50*min(max(math.Log2(ratio), -1), 1))
}
