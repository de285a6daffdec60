package main

import (
	"cmp"
	"context"
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
	File             string `arg:"" optional:"" help:"results.json of a run on this machine, which holds its calibration. Without it this machine is calibrated now, within a minute (Linux)."`
	Objects          int    `required:"" placeholder:"N" help:"Number of objects to read."`
	Size             string `placeholder:"SIZE" help:"Size of an object, such as 9KB (sample.json's). With FILE it must be near that of FILE's object, which is then the default."`
	Prefixes         int    `placeholder:"N" default:"1" help:"Number of prefixes over which the objects are spread evenly (1)."`
	ConcurrencyLimit int    `placeholder:"N" default:"1000" help:"Concurrent executions that the account allows (1000; a new account has 10)."`
	Dir              string `name:"output" group:"Output" short:"o" placeholder:"DIR" default:"tune-plan" help:"Folder for plan.svg, and for results.json if this machine is calibrated (tune-plan)."`
	JSON             bool   `group:"Output" help:"Print the plan as JSON, and nothing else, on stdout."`
}

// mostBytes is the largest object with which a calibration takes at most a minute.
const mostBytes = 64_000

// Run computes the plan, draws its curve and prints it.
func (p *planning) Run(ctx context.Context, s *session) error {
	job := plan.Job{Objects: p.Objects, Prefixes: p.Prefixes, ConcurrencyLimit: p.ConcurrencyLimit}
	if err := job.Validate(); err != nil {
		return usage(err)
	}
	size, err := humanize.ParseBytes(cmp.Or(p.Size, "0"))
	if err != nil || p.Size != "" && size < 2 {
		return usagef("--size %s: it must be a size such as 9KB, 2 bytes at least", p.Size)
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
		return usagef("--size %s: %s is of an object of %.0f bytes, and another size is measured, not scaled\n"+
			"leave FILE out to have it measured, or make another calibration: go run ./tune --object FILE", p.Size, p.File, measured)
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
		return comparison.WriteJSON(s.stdout, planned)
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
	object := ""
	if size > mostBytes {
		return nil, usagef("--size %s: it must be %d bytes at most\ncalibrate with such an object first, and plan with the results.json of that: go run ./tune --object FILE", p.Size, mostBytes)
	} else if size > 0 {
		object = filepath.Join(p.Dir, "object.json")
		if err := cmp.Or(writable(p.Dir), os.WriteFile(object, local.Document(seed, 0, int(size)), 0o644)); err != nil {
			return nil, err
		}
	}
	sizes := slices.DeleteFunc(slices.Clone(compute.Sizes), func(mb int) bool { return mb > platform.NewAccountMemory })
	c, err := calibrate(ctx, s, p.Dir, object, comparison.Spec{PowerValues: sizes})
	if err != nil {
		return nil, err
	}
	return c, report.WriteData(p.Dir, c)
}
