package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/report"
)

// drawing draws the views of an earlier comparison.
type drawing struct {
	File string `first:"" arg:"" help:"results.json of a comparison."`
	Dir  string `first:"" name:"output" group:"Output" short:"o" placeholder:"DIR" help:"Folder for the views (that of FILE)."`
	JSON bool   `first:"" group:"Output" xor:"shown" help:"Print the comparison with its ratios, verdicts and warnings, and nothing else, on stdout."`
	Open bool   `first:"" group:"Output" xor:"shown" help:"Open the report in a browser."`
}

// Run writes and prints the views.
func (d *drawing) Run(s *session) error {
	c, err := load(d.File)
	if err != nil {
		return err
	}
	// The folder of FILE may also hold the results.json of another comparison.
	p := presentation{Dir: d.Dir, JSON: d.JSON, Open: d.Open,
		keep: d.Dir == "" && filepath.Base(d.File) != report.DataFile}
	if p.Dir == "" {
		p.Dir = filepath.Dir(d.File)
	} else if err := refuseUnfinished(p.Dir); err != nil && filepath.Join(p.Dir, report.DataFile) != filepath.Clean(d.File) {
		return err
	}
	if err := p.present(s, c, nil); !errors.Is(err, errCells) {
		return err
	}
	return nil // failed cells are an error of the run that made FILE, not of this one
}

// load reads a results.json.
func load(name string) (*comparison.Comparison, error) {
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
