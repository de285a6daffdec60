package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/fit"
	"lambda-parallel-io/tune/profile"
)

// mapping computes another map from a calibration, which it fits to a comparison on
// AWS if it gets one.
type mapping struct {
	File        string        `arg:"" help:"results.json of a run on this machine, which holds its calibration, or of tune aws, to which the calibration is then fitted."`
	Calibration string        `placeholder:"FILE" help:"For a FILE of tune aws: results.json of a run on this machine, which tells how the strategies differ (tune-results/results.json; without one, this is measured)."`
	Strategies  []string      `placeholder:"LIST" help:"Strategies: ${strategies} (those of FILE)."`
	Concurrency concurrencies `placeholder:"LIST" help:"Exactly these concurrencies of ${bounded}, 1 to ${max_concurrency} (the best of each size)."`
	Power       []int         `aliases:"memory" placeholder:"LIST" help:"Exactly these memory sizes, 128 to 10240 MB (those of FILE)."`
	Repeat      *int          `placeholder:"N" help:"Reads per invocation, 1 to 1000000 (as in FILE)."`
	Latency     string        `placeholder:"NAME" help:"S3's latency: apg, public, express, none, 15ms, 13ms~0.62, 1.3xapg (as in FILE)."`
	Arch        string        `placeholder:"ARCH" help:"arm64 or x86_64; it must be that of FILE."`

	presentation `group:"Output" set:"dir=tune-map"`
}

// Run computes the map and presents it.
func (m *mapping) Run(ctx context.Context, s *session) error {
	if err := refuseUnfinished(m.Dir); err != nil {
		return err
	}
	c, err := load(m.File)
	if err == nil && c.Mode == comparison.AWS {
		c, err = m.fitted(ctx, s, c)
	} else if err == nil && m.Calibration != "" {
		err = usagef("--calibration has no effect: %s is of this machine, and has its own", m.File)
	}
	if err == nil {
		err = haveCalibration(c, m.File)
	}
	if err == nil {
		c, err = m.another(c)
	}
	if err != nil {
		return err
	}
	more := compute.Sizes
	if len(m.Power) > 0 {
		more = nil
	}
	if err := compute.Map(c, more, c.Calibration.OnLambda()); err != nil {
		return err
	}
	return m.present(s, c, nil)
}

// another returns the comparison that the flags ask for. c gives the rest.
func (m *mapping) another(c *comparison.Comparison) (*comparison.Comparison, error) {
	if m.Latency != "" {
		s3, err := profile.Parse(m.Latency)
		if err != nil {
			return nil, usagef("--%w", err)
		}
		c.Run.Latency, c.Run.LatencyMeanMS = s3.String(), float64(s3.Mean().Microseconds())/1e3
	}
	another, err := c.Another(comparison.Request{Strategies: m.Strategies, Concurrency: m.Concurrency, Repeat: m.Repeat,
		Spec: comparison.Spec{PowerValues: m.Power, Arch: m.Arch}})
	return another, usage(asFlag(err))
}

func haveCalibration(c *comparison.Comparison, file string) error {
	command := "go run ./tune"
	if c.Mode == comparison.AWS {
		command += " map " + file
	}
	if c.Calibration == nil {
		return usagef("%s has no calibration to compute from\nmake one: %s", file, command)
	}
	return nil
}

// fitted returns a comparison with the spec of the one on AWS, and the calibration of
// this machine fitted to it. The calibration tells how the strategies differ.
func (m *mapping) fitted(ctx context.Context, s *session, aws *comparison.Comparison) (*comparison.Comparison, error) {
	if aws.Checks != nil {
		return nil, usagef("%s is a check that is not whole: go run ./tune aws --resume %s", m.File, filepath.Dir(m.File))
	}
	name := cmp.Or(m.Calibration, "tune-results/results.json")
	c, err := load(name)
	switch {
	case err == nil && c.Calibration != nil && c.Run.Arch == aws.Run.Arch:
		c.Calibration.Source += ", " + name
	case m.Calibration != "":
		return nil, usage(cmp.Or(err, fmt.Errorf("--calibration %s: it has none of %s\nmake one: go run ./tune --arch %s", name, aws.Run.Arch, aws.Run.Arch)))
	default:
		if c, err = calibrate(ctx, s, m.Dir, "", comparison.Spec{Arch: aws.Run.Arch}); err != nil {
			return nil, err
		}
	}
	c.Map, c.Checks = nil, nil
	return c, fit.Comparison(c, aws, m.File)
}
