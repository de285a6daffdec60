package report

import (
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"math"
	"path/filepath"
	"strings"

	"lambda-parallel-io/tune/builds"
)

// Builds are the views of two builds side by side.
type Builds struct{ *builds.Result }

// Write writes builds.json, table.md and report.html into dir, which it makes,
// and then prints: the result as JSON, or the view for a terminal.
func (b Builds) Write(w io.Writer, dir string, asJSON bool) error {
	data, err := json.MarshalIndent(b.Result, "", "  ")
	raw := func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	}
	err = errors.Join(err, write(dir, "builds.json", raw),
		write(dir, "table.md", func(w io.Writer) error { return texts.ExecuteTemplate(w, "builds.md", b) }),
		write(dir, PageFile, func(w io.Writer) error { return templates.ExecuteTemplate(w, "builds", b) }))
	if asJSON {
		return errors.Join(err, raw(w))
	}
	return errors.Join(err, texts.ExecuteTemplate(w, "builds.txt", struct {
		Builds
		Page string
	}{b, filepath.Join(dir, PageFile)}))
}

// Words are what a template of builds.txt says.
func (b Builds) Words(name string) (string, error) {
	var s strings.Builder
	err := texts.ExecuteTemplate(&s, name, b)
	return s.String(), err
}

// Unit is that of a figure.
func (Builds) Unit(figure string) string {
	if unit, other := map[string]string{"memory": "MB", "cost": "$", "retries": ""}[figure]; other {
		return unit
	}
	return "ms"
}

// Data are the result for the page's element of data.
func (b Builds) Data() (template.JS, error) {
	data, err := json.Marshal(b.Result)
	return template.JS(data), err
}

// Place is where a ratio stands on a strip from half to twice, in percent.
func (Builds) Place(ratio float64) float64 {
	return math.Round(50 + 50*min(max(math.Log2(ratio), -1), 1))
}
