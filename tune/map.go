package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/dustin/go-humanize"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/fit"
	"lambda-parallel-io/tune/plan"
	"lambda-parallel-io/tune/report"
)

// mapping computes another map from a calibration, which it fits to a comparison on
// AWS if it gets one.
type mapping struct {
	File        string   `arg:"" help:"results.json of a run on this machine, which holds its calibration, or of tune aws, to which the calibration is then fitted."`
	Calibration string   `placeholder:"FILE" help:"For a FILE of tune aws: results.json of a run on this machine, which tells how the strategies differ (tune-results/results.json; without one, this is measured)."`
	Strategies  []string `placeholder:"LIST" help:"Strategies: ${strategies} (those of FILE)."`
	Concurrency numbers  `placeholder:"LIST" help:"Exactly these concurrencies of ${bounded}, 1 to ${max_concurrency} (the best of each size)."`
	Power       numbers  `aliases:"memory" placeholder:"LIST" help:"Exactly these memory sizes, 128 to 10240 MB (those of FILE)."`
	Repeat      *int     `placeholder:"N" help:"Reads per invocation, 1 to 1000000 (as in FILE)."`
	Latency     string   `placeholder:"NAME" help:"S3's latency: apg, public, express, none, 15ms, 13ms~0.62, 1.3xapg (as in FILE)."`
	Arch        string   `placeholder:"ARCH" help:"arm64 or x86_64; it must be that of FILE."`

	presentation `group:"Output" set:"dir=tune-map"`
}

// Run computes the map and presents it.
func (m *mapping) Run(ctx context.Context, s *session) error {
	if err := usage(report.RefuseUnfinished(m.Dir)); err != nil {
		return err
	}
	c, err := report.Load(m.File)
	switch {
	case err != nil:
	case c.Mode == comparison.AWS:
		c, err = m.fitted(ctx, s, c)
	case m.Calibration != "":
		err = usagef("--calibration has no effect: %s is of this machine, and has its own", m.File)
	default:
		err = usage(c.NeedCalibration(m.File))
	}
	if err != nil {
		return err
	}
	if c, err = c.Another(comparison.Request{Strategies: m.Strategies, Concurrency: m.Concurrency, Repeat: m.Repeat,
		Spec: comparison.Spec{PowerValues: m.Power, Arch: m.Arch, Latency: m.Latency}}); err != nil {
		return usage(asFlag(err))
	}
	more := compute.Sizes
	if len(m.Power) > 0 {
		more = nil
	}
	if err := compute.Map(c, more); err != nil {
		return err
	}
	return m.present(s, c, nil)
}

// fitted returns a comparison with the spec of the one on AWS, and the calibration of
// this machine fitted to it. The calibration tells how the strategies differ.
func (m *mapping) fitted(ctx context.Context, s *session, aws *comparison.Comparison) (*comparison.Comparison, error) {
	if aws.Checks != nil {
		return nil, usagef("%s is a check that is not whole: go run ./tune aws --resume %s", m.File, filepath.Dir(m.File))
	}
	name := cmp.Or(m.Calibration, "tune-results/results.json")
	c, err := report.Load(name)
	switch {
	case err == nil && c.Calibration != nil && c.Run.Arch == aws.Run.Arch:
		c.Calibration.Source += ", " + name
	case m.Calibration != "":
		return nil, usage(cmp.Or(err, fmt.Errorf("--calibration %s: it has none of %s\nmake one: go run ./tune --arch %s", name, aws.Run.Arch, aws.Run.Arch)))
	default:
		if c, err = calibrate(ctx, s, m.Dir, 0, comparison.Spec{Arch: aws.Run.Arch}); err != nil {
			return nil, err
		}
	}
	c.Map, c.Checks = nil, nil
	return c, fit.Comparison(c, aws, m.File)
}

// planning plans how Step Functions reads very many objects.
type planning struct {
	File string `arg:"" optional:"" help:"results.json of a run on this machine, which holds its calibration. Without it this machine is calibrated now, within a minute (Linux)."`
	plan.Job
	Size string `placeholder:"SIZE" help:"Size of an object, such as 9KB (sample.json's). With FILE it must be near that of FILE's object, which is then the default."`
	Dir  string `name:"output" group:"Output" short:"o" placeholder:"DIR" default:"tune-plan" help:"Folder for plan.svg, and for results.json if this machine is calibrated (tune-plan)."`
	JSON bool   `group:"Output" help:"Print the plan as JSON, and nothing else, on stdout."`
}

// Run computes the plan, draws its curve and prints it.
func (p *planning) Run(ctx context.Context, s *session) error {
	if err := p.Job.Check(); err != nil {
		return usage(err)
	}
	size, err := humanize.ParseBytes(cmp.Or(p.Size, "0"))
	if err != nil || p.Size != "" && size < 2 {
		return usagef("--size %s: it must be a size such as 9KB, 2 bytes at least", p.Size)
	}
	var c *comparison.Comparison
	if p.File == "" {
		c, err = p.calibrate(ctx, s, size)
	} else if c, err = report.Load(p.File); err == nil {
		err = usage(c.NeedCalibration(p.File))
	}
	if err != nil {
		return err
	}
	if measured := float64(c.Calibration.ObjectBytes); size > 0 && math.Abs(float64(size)-measured) > measured/10 {
		return usagef("--size %s: %s is of an object of %.0f bytes, and another size is measured, not scaled\n"+
			"leave FILE out to have it measured, or make another calibration: go run ./tune --object FILE", p.Size, p.File, measured)
	}
	planned, err := plan.New(c, p.Job)
	if err != nil {
		return err
	}
	return planned.Write(s.stdout, p.Dir, p.JSON)
}

// calibrate measures the cost of reading an object of size bytes (0: sample.json), and
// saves it. It uses the memory sizes that every account has.
func (p *planning) calibrate(ctx context.Context, s *session, size uint64) (*comparison.Comparison, error) {
	const most = 64_000 // bytes: with a larger object it takes more than a minute
	if size > most {
		return nil, usagef("--size %s: it must be %d bytes at most\ncalibrate with such an object first, and plan with the results.json of that: go run ./tune --object FILE", p.Size, most)
	}
	sizes := slices.DeleteFunc(slices.Clone(compute.Sizes), func(mb int) bool { return mb > platform.NewAccountMemory })
	c, err := calibrate(ctx, s, p.Dir, int(size), comparison.Spec{PowerValues: sizes})
	if err != nil {
		return nil, err
	}
	return c, report.WriteData(p.Dir, c)
}
