package report

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"lambda-parallel-io/tune/comparison"
)

// The files of a comparison that others are told of.
const (
	DataFile = "results.json"
	PageFile = "report.html"
)

// files are what [WriteAll] writes.
var files = []struct {
	name string
	view func(*comparison.Comparison) View
}{
	{DataFile, JSON},
	{"results.csv", CSV},
	{"results.txt", Bench},
	{"table.md", Markdown},
	{"chart.svg", Chart},
	{PageFile, HTML},
}

// WriteData writes results.json alone into dir, which it makes: the model is
// saved after every cell.
func WriteData(dir string, c *comparison.Comparison) error { return write(dir, DataFile, JSON(c)) }

// WriteAll writes every file of a comparison into dir, which it makes, and
// returns the first error. A file is replaced whole or not at all.
//
// The views are drawn from what a reader of results.json gets, so that
// drawing them again from it gives the same bytes.
func WriteAll(dir string, c *comparison.Comparison) error {
	var data bytes.Buffer
	if err := JSON(c)(&data); err != nil {
		return err
	}
	read, readErr := Read(&data)
	if readErr != nil {
		// What was measured is saved even if it cannot be drawn.
		return errors.Join(WriteData(dir, c), readErr)
	}
	for _, f := range files {
		if err := write(dir, f.name, f.view(read)); err != nil {
			return err
		}
	}
	return nil
}

func write(dir, name string, view View) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing %s: %w", filepath.Join(dir, name), err)
		}
	}()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, "."+name+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // in vain once it is renamed
	err = view(temp)
	if err == nil {
		err = temp.Chmod(0o644) // CreateTemp's is 0600
	}
	if err := errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), filepath.Join(dir, name))
}
