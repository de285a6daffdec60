package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/dustin/go-humanize"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/plan"
	"lambda-parallel-io/tune/report"
)

// planning plans how Step Functions reads very many objects.
type planning struct {
	File             string `first:"" arg:"" optional:"" help:"results.json of a run on this machine, which holds its calibration. Without it this machine is calibrated now, within a minute (Linux)."`
	Objects          int    `first:"" required:"" placeholder:"N" help:"Number of objects to read."`
	Size             string `first:"" placeholder:"SIZE" help:"Size of an object, such as 9KB (sample.json's). With FILE it must be near that of FILE's object, which is then the default."`
	Prefixes         int    `first:"" placeholder:"N" default:"1" help:"Number of prefixes over which the objects are spread evenly (1)."`
	ConcurrencyLimit int    `first:"" placeholder:"N" default:"1000" help:"Concurrent executions that the account allows (1000; a new account has 10)."`
	Dir              string `first:"" name:"output" group:"Output" short:"o" placeholder:"DIR" default:"tune-plan" help:"Folder for plan.svg, and for results.json if this machine is calibrated (tune-plan)."`
	JSON             bool   `first:"" group:"Output" help:"Print the plan as JSON, and nothing else, on stdout."`
}

// Help returns examples.
func (*planning) Help() string {
	return `Examples

  go run ./tune plan --objects 1000000
  go run ./tune plan --objects 1000000 tune-results/results.json`
}

// mostBytes is the largest object with which a calibration takes at most a minute.
const mostBytes = 64_000

// Run computes the plan, draws its curve and prints it.
func (p *planning) Run(ctx context.Context, s *session) error {
	job := plan.Job{Objects: p.Objects, Prefixes: p.Prefixes, ConcurrencyLimit: p.ConcurrencyLimit}
	if err := job.Validate(); err != nil {
		return usageError{err: err}
	}
	size, err := humanize.ParseBytes(cmp.Or(p.Size, "0"))
	if err != nil || p.Size != "" && size < 2 {
		return usageError{err: fmt.Errorf("--size %s: it must be a size such as 9KB, 2 bytes at least", p.Size)}
	}
	var c *comparison.Comparison
	if p.File == "" {
		c, err = p.calibrate(ctx, s, size)
	} else if c, err = load(p.File); err == nil {
		err = haveCalibration(c, p.File)
	}
	if err != nil {
		return err
	}
	if measured := float64(c.Calibration.ObjectBytes); size > 0 && math.Abs(float64(size)-measured) > measured/10 {
		return usageError{err: fmt.Errorf("--size %s: %s is of an object of %.0f bytes, and another size is measured, not scaled\n"+
			"leave FILE out to have it measured, or make another calibration: go run ./tune --object FILE", p.Size, p.File, measured)}
	}
	planned, err := plan.New(c, job)
	if err != nil {
		return err
	}
	picture, err := report.WriteCurve(p.Dir, planned.Curve)
	if err != nil {
		return err
	}
	if p.JSON {
		e := json.NewEncoder(s.stdout)
		e.SetIndent("", "  ")
		return e.Encode(planned)
	}
	if err := planned.Text(s.stdout); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdout, "\n  picture  %s\n", picture)
	return err
}

// calibrate measures the cost of reading an object of size bytes (0: sample.json), and
// saves it. It uses the memory sizes that every account has.
func (p *planning) calibrate(ctx context.Context, s *session, size uint64) (*comparison.Comparison, error) {
	if size > mostBytes {
		return nil, usageError{err: fmt.Errorf("--size %s: it must be %d bytes at most\ncalibrate with such an object first, and plan with the results.json of that: go run ./tune --object FILE", p.Size, mostBytes)}
	}
	l := onThisMachine{Model: local.Model{Latency: "apg", Slow: 1, Seed: 1}, Function: "./handler", presentation: presentation{Dir: p.Dir}}
	l.Power = slices.DeleteFunc(slices.Clone(compute.Sizes), func(mb int) bool { return mb > platform.NewAccountMemory })
	if size > 0 {
		l.Object = filepath.Join(p.Dir, "object.json")
		if err := cmp.Or(writable(p.Dir), os.WriteFile(l.Object, local.Document(l.Seed, 0, int(size)), 0o644)); err != nil {
			return nil, err
		}
	}
	c, err := l.calibrated(ctx, s)
	if err != nil {
		return nil, err
	}
	return c, report.WriteData(p.Dir, c)
}
