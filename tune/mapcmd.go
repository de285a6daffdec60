package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/fit"
	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/profile"
)

// mapping computes another map from a calibration, which it fits to a comparison on
// AWS if it gets one.
type mapping struct {
	File        string        `first:"" arg:"" help:"results.json of a run on this machine, which holds its calibration, or of tune aws, to which the calibration is then fitted."`
	Calibration string        `first:"" placeholder:"FILE" help:"For a FILE of tune aws: results.json of a run on this machine, which tells how the strategies differ (tune-results/results.json; without one, this is measured)."`
	Strategies  []string      `first:"" placeholder:"LIST" help:"Strategies: ${strategies} (those of FILE)."`
	Concurrency concurrencies `first:"" placeholder:"LIST" help:"Exactly these concurrencies of ${bounded}, 1 to ${max_concurrency} (the best of each size)."`
	Power       []int         `first:"" aliases:"memory" placeholder:"LIST" help:"Exactly these memory sizes, 128 to 10240 MB (those of FILE)."`
	Repeat      *int          `first:"" placeholder:"N" help:"Reads per invocation, 1 to 1000000 (as in FILE)."`
	Latency     string        `first:"" placeholder:"NAME" help:"S3's latency: apg, public, express, none, 15ms, 13ms~0.62, 1.3xapg (as in FILE)."`
	Arch        string        `first:"" placeholder:"ARCH" help:"arm64 or x86_64; it must be that of FILE."`
	Dir         string        `first:"" name:"output" group:"Output" short:"o" placeholder:"DIR" default:"tune-map" help:"Folder for the results (tune-map)."`
	JSON        bool          `first:"" group:"Output" xor:"shown" help:"Print results.json, and nothing else, on stdout."`
	Open        bool          `first:"" group:"Output" xor:"shown" help:"Open the report in a browser."`
}

// Help returns examples.
func (*mapping) Help() string {
	return `Examples

  go run ./tune map tune-results/results.json --repeat 10000
  go run ./tune map tune-results/results.json --latency express
  go run ./tune map tune-results/results.json --concurrency 60 --power 1769`
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
		err = usageError{err: fmt.Errorf("--calibration has no effect: %s is of this machine, and has its own", m.File)}
	}
	if err == nil {
		err = haveCalibration(c, m.File)
	}
	if err != nil {
		return err
	}
	again, err := m.question(c)
	if err != nil {
		return usageError{err: err}
	}
	more := compute.Sizes
	if len(m.Power) > 0 {
		more = nil
	}
	if err := compute.Map(again, more); err != nil {
		return err
	}
	p := presentation{Dir: m.Dir, JSON: m.JSON, Open: m.Open}
	if err := p.present(s, again, nil); !errors.Is(err, errCells) {
		return err
	}
	return nil
}

func haveCalibration(c *comparison.Comparison, file string) error {
	command := "go run ./tune"
	if c.Mode == comparison.AWS {
		command += " map " + file
	}
	if c.Calibration == nil {
		return usageError{err: fmt.Errorf("%s has no calibration to compute from\nmake one: %s", file, command)}
	}
	return nil
}

// calibrated returns a comparison with nothing but a new calibration.
func (l *onThisMachine) calibrated(ctx context.Context, s *session) (*comparison.Comparison, error) {
	q, err := l.question()
	if err != nil {
		return nil, err
	}
	c, show := q.Comparison(), newProgress(s.stderr)
	defer show.end()
	show.building()
	return c, l.with(s, q.Options, func(t *local.Tuner) error { return t.Calibrate(ctx, c, show.step("calibrating")) })
}

// fitted returns a comparison with the spec of the one on AWS, and the calibration of
// this machine fitted to it. The calibration tells how the strategies differ.
func (m *mapping) fitted(ctx context.Context, s *session, aws *comparison.Comparison) (*comparison.Comparison, error) {
	if aws.Checks != nil {
		return nil, usageError{err: fmt.Errorf("%s is a check that is not whole: go run ./tune aws --resume %s", m.File, filepath.Dir(m.File))}
	}
	name := cmp.Or(m.Calibration, "tune-results/results.json")
	c, err := load(name)
	switch {
	case err == nil && c.Calibration != nil && c.Run.Arch == aws.Run.Arch:
		c.Calibration.Source += ", " + name
	case m.Calibration != "":
		return nil, usageError{err: cmp.Or(err, fmt.Errorf("--calibration %s: it has none of %s\nmake one: go run ./tune --arch %s", name, aws.Run.Arch, aws.Run.Arch))}
	default:
		l := onThisMachine{Model: local.Model{Latency: "apg", Slow: 1, Seed: 1}, Function: "./handler", presentation: presentation{Dir: m.Dir}}
		l.Arch = aws.Run.Arch
		if c, err = l.calibrated(ctx, s); err != nil {
			return nil, err
		}
	}
	c.Map, c.Checks = nil, nil
	return c, fit.Comparison(c, aws, m.File)
}

// question returns the comparison that the flags ask for. The run of c gives the rest.
func (m *mapping) question(c *comparison.Comparison) (*comparison.Comparison, error) {
	run := c.Run
	if m.Latency != "" {
		s3, err := profile.Parse(m.Latency)
		if err != nil {
			return nil, fmt.Errorf("--%w", err)
		}
		run.Latency, run.LatencyMeanMS = s3.String(), float64(s3.Mean().Microseconds())/1e3
	}
	r := comparison.Request{Spec: run.Spec, Map: true, Ours: true, ObjectKey: run.ObjectKey, Strategies: m.Strategies, Concurrency: m.Concurrency, Repeat: m.Repeat}
	r.Spec.Arch = cmp.Or(m.Arch, run.Arch)
	if len(m.Power) > 0 {
		r.Spec.PowerValues = m.Power
	}
	if m.Repeat == nil {
		r.Repeat = &run.Repeat
	}
	if len(r.Strategies) == 0 {
		for _, v := range c.Variants {
			r.Strategies = append(r.Strategies, v.Strategy)
		}
		r.Strategies = slices.Compact(r.Strategies)
	}
	spec, err := comparison.Build(r)
	if err != nil {
		return nil, asFlag(err)
	}
	if spec.Arch != run.Arch {
		return nil, fmt.Errorf("--arch %s: %s was calibrated for %s, and their CPUs differ\nmake a calibration for it: go run ./tune --arch %s", m.Arch, m.File, run.Arch, m.Arch)
	}
	again := comparison.New(spec, run.Time)
	again.Run.OS, again.Run.CPUs, again.Run.CPULimit, again.Run.CPU, again.Run.Versions = run.OS, run.CPUs, run.CPULimit, run.CPU, run.Versions
	if again.Calibration = c.Calibration; c.Map == nil { // it was fitted now
		again.Checks = c.Checks
	}
	return again, nil
}
