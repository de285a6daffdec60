// Package report draws every view of a comparison from the one model, package tune/comparison: the terminal's text,
// the page, the tables and the data for other tools. A view depends on the model alone: the same results.json gives
// the same bytes at any time and on any machine. It may come from anywhere: [comparison.Read] refuses one that no run
// could have written, and every view escapes what it prints.
package report

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
)

// The lengths, in characters, to which the views cut names and messages. The data files hold them whole.
const (
	maxLabel   = 24
	maxName    = 80
	maxMessage = 400
)

// Report is a comparison as its views show it: a row a memory size, a column a variant, and the statistics
// of each cell.
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
	Variant          int
	Label            string
	Power            int // MB
	Place            comparison.Place
	beyond           bool          // the memory size buys more CPU than this machine has, and it could not keep up
	OK               bool          // it has figures; otherwise it failed or was not begun
	Answer           *event.Answer // of the last invocation; nil of another function than this project's
	Duration, Cost   estimate
	Billed           float64           // ms
	Best             bool              // the recommended one
	Check            *comparison.Check // of a computed cell; nil if it was not checked
	Marks            string            // ★▲▼! or *‡
}

// estimate is a typical value.
type estimate struct {
	Value     float64          // ms, or dollars a million
	Low, High float64          // its interval, from the ratio to the best of its size or from the calibration; 0: unknown
	Text      string           // 45, or why there is no figure
	Full      string           // 45 ms
	ratio     comparison.Ratio // to the best of its size; zero for the best itself, for costs and on AWS
}

// measures are the two things that a cell is measured by.
var measures = map[string]func(*cell) estimate{
	"duration": func(c *cell) estimate { return c.Duration },
	"cost":     func(c *cell) estimate { return c.Cost },
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
		cells := make([]*cell, len(c.Variants))
		for i := range cells {
			cells[i] = r.newCell(i, power)
			if cells[i].OK {
				r.measured = append(r.measured, cells[i])
			}
		}
		r.Rows = append(r.Rows, row{power, cells})
	}
	r.mark()
	return r
}

func (r *Report) newCell(variant, power int) *cell {
	v := &r.Variants[variant]
	c := &cell{Cell: v.Cell(power), Variant: variant, Label: r.Labels[variant], Power: power, Place: v.Place(power)}
	s, ok := r.Summarize(c.Cell)
	if c.OK = ok && (c.Computed == nil || !c.Computed.Killed()); !c.OK {
		c.Duration.Text = r.failure(c.Cell)
		c.Cost.Text = c.Duration.Text
		return c
	}
	ms, dollars := twoDigits(s.DurationMS), prose.Thousands(s.CostPerMillion, 2)
	c.Duration = estimate{Value: s.DurationMS, Text: ms, Full: ms + " ms"}
	c.Cost = estimate{Value: s.CostPerMillion, Text: dollars, Full: "$" + dollars + " per million"}
	c.beyond, c.Billed, c.Answer = r.Beyond(c.Cell), s.BilledMS, r.Comparison.Answer(c.Cell)
	if p := c.Computed; p != nil {
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

// failure says in Lambda's words, in one to three of them, why a cell has no figures. A local run records
// that a function ran out of memory; on AWS the text of the error tells.
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

// mark finds the cells that the answer names, and marks every cell.
func (r *Report) mark() {
	recommended := r.Recommended()
	candidates := slices.DeleteFunc(slices.Clone(r.measured), (*cell).out)
	least := func(figure func(comparison.Summary) float64) *cell {
		return comparison.Least(r.Comparison, candidates, func(c *cell) *comparison.Cell { return c.Cell }, figure)
	}
	r.Fastest, r.Cheapest = least(comparison.Duration), least(comparison.Cost)
	for _, c := range r.measured {
		if c.Best = c.Cell == recommended && !c.out(); c.Best {
			r.Best = c
		}
		c.Marks = when(c.Best, "★") + when(c == r.Fastest, "▲") + when(c == r.Cheapest, "▼") + when(c.Busy(), "!")
		if r.Map != nil {
			c.Marks = when(c.Check != nil, "*") + when(c.Limited(), "‡")
			r.Occurs["limited"] = r.Occurs["limited"] || c.Limited()
		}
	}
}

// Limited reports whether S3's limit holds a computed cell up.
func (c *cell) Limited() bool { return c.OK && c.Computed != nil && c.Computed.Limited() }

// out reports whether the cell is no candidate: on Lambda it may be faster, because this machine held it
// up, or because S3 may grant a burst, whose size nobody has published.
func (c *cell) out() bool { return c.beyond || c.Limited() }

// Name identifies the cell: pool (30) at 512 MB.
func (c *cell) Name() string { return c.Place.Name() }

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
	if err := c.Write(&data); err != nil {
		return New(c), err
	}
	read, err := comparison.Read(&data)
	if err != nil {
		// What was measured is saved even if it cannot be drawn.
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
