// Package report draws every view of a comparison from the one model, package tune/comparison: the
// terminal's text, the page, the tables and the data for other tools. A view depends on the model alone:
// the same results.json gives the same bytes at any time and on any machine.
//
// A results.json may come from anywhere. [comparison.Read] refuses one that no run could have written, and
// every view escapes what it prints.
package report

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

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
// of each cell. Each view is a method.
type Report struct {
	*comparison.Comparison
	Labels     []string // of the columns
	Rows       []row
	Strategies []string        // each once
	measured   []*cell         // those with figures
	Occurs     map[string]bool // ratio, interval, searched, limited and each verdict: whether any cell has one

	Fastest, Cheapest, Best *cell // nil where no cell qualifies
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
	r.choose()
	return r
}

// The files that are named to the user.
const (
	DataFile = "results.json"
	PageFile = "report.html"
)

// files are what [Write] writes.
var files = []struct {
	name string
	view func(*Report, io.Writer) error
}{
	{DataFile, (*Report).Write},
	{"results.csv", (*Report).CSV},
	{"results.txt", (*Report).Bench},
	{"table.md", (*Report).Markdown},
	{"chart.svg", (*Report).Chart},
	{PageFile, (*Report).HTML},
}

// WriteData writes results.json alone into dir, which it makes. A run saves its model so after every cell.
func WriteData(dir string, c *comparison.Comparison) error { return write(dir, DataFile, c.Write) }

// Write writes every file of a comparison into dir, which it makes, and returns the report that they show,
// beside the first error. Without withData it leaves a results.json in dir as it is. A file is replaced
// whole or not at all. The views are drawn from what a reader of results.json gets, so that drawing them
// again from it gives the same bytes.
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
	for _, f := range files {
		if f.name == DataFile && !withData {
			continue
		}
		if err := write(dir, f.name, func(w io.Writer) error { return f.view(r, w) }); err != nil {
			return r, err
		}
	}
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
