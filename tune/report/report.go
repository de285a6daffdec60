// Package report draws every view of a comparison from the one model, package tune/comparison: the terminal's text,
// the page, the tables and the data for other tools. A view depends on the model alone: the same results.json gives
// the same bytes at any time and on any machine. It may come from anywhere: [comparison.Read] refuses one that no run
// could have written, and every view escapes what it prints.
package report

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"al.essio.dev/pkg/shellescape"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
)

// The lengths, in characters, to which the views cut names and messages. The data files hold them whole.
const (
	maxLabel   = 24
	maxName    = 80
	maxMessage = 400
	maxField   = 16 << 10 // of results.csv: all that a results.json may hold fits
)

// Report is a comparison as its views show it: a row a memory size, a column a variant.
type Report struct {
	*comparison.Comparison
	Labels     []string // of the columns
	Rows       []row
	Strategies []string        // each once
	measured   []*cell         // those with figures
	Occurs     map[string]bool // ratio, interval, searched, limited and each verdict: whether any cell has one

	Fastest, Cheapest, Best *cell // nil where no cell qualifies

	Page string // path of the page, or "" if none was written
}

type row struct {
	Power int     // MB
	Cells []*cell // one a variant
}

type cell struct {
	*comparison.Cell // nil: not begun
	comparison.Place
	Variant        int
	Label          string
	Power          int           // MB
	OK             bool          // it has figures; otherwise it failed or was not begun
	Answer         *event.Answer // of the last invocation; nil of another function than this project's
	Duration, Cost estimate
	Billed         float64           // ms
	Check          *comparison.Check // of a computed cell; nil if it was not checked
	Marks          string            // ★▲▼! or *‡

	// Not a candidate: on Lambda it may be faster, because this machine could not keep up with it, or because S3 may
	// grant a burst, whose size nobody has published.
	out bool
}

// estimate is a typical value.
type estimate struct {
	Value     float64          // ms, or dollars a million
	Low, High float64          // its interval, by the ratio to the best of its size or by the calibration; 0: unknown
	Text      string           // 45, or why there is no figure
	Full      string           // 45 ms
	ratio     comparison.Ratio // to the best of its size; zero for the best itself, for costs and on AWS
}

// measures are the two things that a cell is measured by.
var measures = map[string]func(*cell) estimate{
	"time": func(c *cell) estimate { return c.Duration },
	"cost": func(c *cell) estimate { return c.Cost },
}

// New computes what the views of a comparison have in common.
func New(c *comparison.Comparison) *Report {
	r := &Report{Comparison: c, Occurs: map[string]bool{}}
	for _, v := range c.Variants {
		name := v.Label()
		if v.Strategy == comparison.None {
			name = "the function"
		}
		r.Labels = append(r.Labels, prose.OneLine(name, maxLabel))
		if !slices.Contains(r.Strategies, v.Strategy) {
			r.Strategies = append(r.Strategies, v.Strategy)
		}
	}
	for _, power := range c.Run.PowerValues {
		next := row{Power: power}
		for i := range c.Variants {
			next.Cells = append(next.Cells, r.newCell(i, power))
		}
		r.Rows = append(r.Rows, next)
	}
	recommended := r.Recommended()
	least := func(figure func(comparison.Summary) float64) *cell {
		of := func(c *cell) *comparison.Cell { return c.Cell }
		return comparison.Least(r.Comparison, candidates(r.measured), of, figure)
	}
	r.Fastest, r.Cheapest = least(comparison.Duration), least(comparison.Cost)
	for _, c := range r.measured {
		if c.Cell == recommended && !c.out {
			r.Best = c
		}
		c.Marks = when(c == r.Best, "★") + when(c == r.Fastest, "▲") + when(c == r.Cheapest, "▼") + when(c.Busy(), "!")
		if p := c.Computed; p != nil {
			c.Marks = when(c.Check != nil, "*") + when(p.Limited(), "‡")
			r.Occurs["limited"] = r.Occurs["limited"] || p.Limited()
		}
	}
	return r
}

func (r *Report) newCell(variant, power int) *cell {
	v := &r.Variants[variant]
	c := &cell{Cell: v.Cell(power), Place: v.Place(power), Variant: variant, Label: r.Labels[variant], Power: power}
	s, ok := r.Summarize(c.Cell)
	if c.OK = ok && (c.Computed == nil || !c.Computed.Killed()); !c.OK {
		c.Duration.Text = r.failure(c.Cell)
		c.Cost.Text = c.Duration.Text
		return c
	}
	ms, dollars := twoDigits(s.DurationMS), prose.Thousands(s.CostPerMillion, 2)
	r.measured = append(r.measured, c)
	c.Duration = estimate{Value: s.DurationMS, Text: ms, Full: ms + " ms"}
	c.Cost = estimate{Value: s.CostPerMillion, Text: dollars, Full: "$" + dollars + " per million"}
	c.out, c.Billed, c.Answer = r.Beyond(c.Cell), s.BilledMS, r.Comparison.Answer(c.Cell)
	if p := c.Computed; p != nil {
		c.out = c.out || p.Limited()
		c.Place, c.Label = p.Place, prose.OneLine(p.Label(), maxLabel)
		if v.Concurrency == nil && p.Concurrency != nil {
			c.Duration.Text += fmt.Sprintf(" (%d)", *p.Concurrency)
			r.Occurs["searched"] = true
		}
		c.Duration.Low, c.Duration.High = p.LowMS, p.HighMS
		c.Cost.Low, c.Cost.High = r.CostPerMillion(power, math.Ceil(p.LowMS)), r.CostPerMillion(power, math.Ceil(p.HighMS))
		if i := slices.IndexFunc(r.Checks, func(k comparison.Check) bool { return k.Made() && k.Name() == p.Name() }); i >= 0 {
			c.Check = &r.Checks[i]
		}
	}
	if q := c.Against; q != nil {
		c.Duration.ratio = *q
		c.Duration.Low, c.Duration.High = s.DurationMS*q.Low/q.Value, s.DurationMS*q.High/q.Value
		r.Occurs["ratio"], r.Occurs[string(q.Verdict)] = true, true
		r.Occurs["interval"] = r.Occurs["interval"] || q.Low > 0
	}
	return c
}

// failure says in Lambda's words, in one to three of them, why a cell has no figures. A local run records that a
// function ran out of memory; on AWS the text of the error tells.
func (r *Report) failure(c *comparison.Cell) string {
	switch {
	case c == nil && r.Map == nil:
		return "–"
	case c != nil && c.Computed != nil && c.Computed.Binds == comparison.Timeout:
		return "timeout"
	case r.Map != nil, c.OutOfMemory, r.Mode == comparison.AWS && outOfMemory.MatchString(c.Error):
		return "out of memory" // nothing else keeps a map from a figure
	case strings.Contains(c.Error, "Task timed out"):
		return "timeout"
	}
	return "error"
}

// outOfMemory matches an error on AWS: Lambda kills a function for nothing else, and has two texts for it.
var outOfMemory = regexp.MustCompile(`^out of memory: |Runtime\.OutOfMemory|Runtime exited with error: signal: killed`)

// candidates returns those of the cells that are not out.
func candidates(cells []*cell) []*cell {
	return slices.DeleteFunc(slices.Clone(cells), func(c *cell) bool { return c.out })
}

// The files that are named to the user.
const (
	DataFile = "results.json"
	PageFile = "report.html"
)

// files are what [Write] writes.
var files = []string{DataFile, "results.csv", "results.txt", "table.md", "chart.svg", PageFile}

// draw writes the content of a file.
func (r *Report) draw(w io.Writer, name string) error {
	switch name {
	case DataFile:
		return r.Write(w)
	case PageFile:
		return templates.ExecuteTemplate(w, "page", r)
	case "chart.svg":
		return r.chart(w)
	case "results.csv":
		return r.csv(w)
	}
	return texts.ExecuteTemplate(w, name, r)
}

// WriteData writes results.json alone into dir, which it makes. A run saves its model so after every cell.
func WriteData(dir string, c *comparison.Comparison) error { return write(dir, DataFile, c.Write) }

// Write writes every file of a comparison into dir, which it makes, and returns the report that they show, beside the
// first error. Without withData it leaves a results.json in dir as it is. A file is replaced whole or not at all. The
// views are drawn from what a reader of results.json gets, so that drawing them again from it gives the same bytes.
func Write(dir string, c *comparison.Comparison, withData bool) (*Report, error) {
	var data bytes.Buffer
	err := c.Write(&data)
	read, err2 := comparison.Read(&data)
	if err = cmp.Or(err, err2); err != nil { // what was measured is saved even if it cannot be drawn
		return New(c), errors.Join(WriteData(dir, c), err)
	}
	r := New(read)
	for _, name := range files {
		if name == DataFile && !withData {
			continue
		}
		if err := write(dir, name, func(w io.Writer) error { return r.draw(w, name) }); err != nil {
			return r, err
		}
	}
	r.Page = filepath.Join(dir, PageFile)
	return r, nil
}

func write(dir, name string, view func(io.Writer) error) error {
	path := filepath.Join(dir, name)
	err := os.MkdirAll(dir, 0o755)
	temp, err2 := os.CreateTemp(dir, "."+name+"-*")
	if err = errors.Join(err, err2); err == nil {
		defer os.Remove(temp.Name()) // fails once the file is renamed
		out := bufio.NewWriter(temp)
		err = errors.Join(view(out), out.Flush(), temp.Chmod(0o644), temp.Close())
	}
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// Load reads a results.json.
func Load(name string) (*comparison.Comparison, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, err := comparison.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// RefuseUnfinished returns an error if dir holds an AWS comparison that can be resumed: overwriting it would lose
// paid results. An unreadable file counts as no comparison.
func RefuseUnfinished(dir string) error {
	if c, err := Load(filepath.Join(dir, DataFile)); err != nil || !c.Unfinished() {
		return nil
	}
	return fmt.Errorf("%s holds a comparison on AWS that is not finished\nresume it: go run ./tune aws --resume %s\nor write this one to another folder by -o DIR",
		dir, shellescape.Quote(dir))
}

// Writable makes dir, and returns an error if nothing can be saved there. It is called before anything is measured.
func Writable(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("-o %s: %w", dir, err)
	}
	f, err := os.CreateTemp(dir, ".tune-*")
	if err != nil {
		return fmt.Errorf("-o %s: results cannot be saved there: %w", dir, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
