package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/cli/browser"

	"lambda-parallel-io/handler/build"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/builds"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/progress"
	"lambda-parallel-io/tune/report"
)

// onThisMachine compares under the local model of Lambda and S3.
type onThisMachine struct {
	selection `group:"What to compare"`

	Function    string `first:"" group:"On this machine (Linux)" placeholder:"PATH" default:"./handler" help:"Go package, or executable that speaks the Lambda Runtime API (./handler). Another function is always measured."`
	local.Model `group:"On this machine (Linux)"`
	Max         *int           `group:"On this machine (Linux)" placeholder:"N" xor:"max" help:"At most N invocations per cell, until the fastest is known (${max})."`
	For         *time.Duration `group:"On this machine (Linux)" placeholder:"D" xor:"for" help:"Measure for at most this long, not counting the build (${for})."`
	Measure     bool           `first:"" group:"On this machine (Linux)" help:"Measure every cell instead of computing a map."`

	presentation `group:"Output" set:"dir=tune-results"`

	DryRun bool `group:"Output" help:"Print what would run, and stop."`
}

// Run computes a map and checks it, or measures every cell.
func (l *onThisMachine) Run(ctx context.Context, s *session) error {
	q, err := l.question(s.stderr)
	if err != nil {
		return usage(asFlag(err))
	}
	asked := time.Duration(q.Run.ForSec * float64(time.Second))
	if d := q.Lasts(); d > 2*time.Minute || asked > 0 && d > 3*asked/2 {
		fmt.Fprintf(s.stderr, "  This takes about %s: less by --strategies, --power, --repeat or --num.\n", prose.About(d))
	}
	switch {
	case l.DryRun && l.JSON:
		return q.Write(s.stdout)
	case l.DryRun:
		return report.DryRun(s.stdout, q.Comparison, q.Maps)
	}
	return l.with(s, q.Options, func(t *local.Tuner) error {
		if q.Maps {
			return l.compare(ctx, s, q.Comparison, t.Map)
		}
		return l.compare(ctx, s, q.Comparison, t.Tune)
	})
}

// question returns the question that the flags ask. It asks for a map unless one of them implies measuring.
func (l *onThisMachine) question(logs io.Writer) (local.Question, error) {
	r := l.request()
	r.Max, r.For, r.Ours, r.Spec.Function = l.Max, l.For, build.Ours(l.Function), l.Function
	r.Map = r.Ours && !l.Measure && l.Num == nil && l.Max == nil && l.For == nil && l.Slow == 1 && l.Objects == "" &&
		!slices.Contains(l.Strategies, comparison.None)
	return l.Ask(r, logs)
}

// calibrate measures what a read of an object of size bytes (0: sample.json) costs by
// this project's function, and returns the comparison of the spec with nothing but that.
func calibrate(ctx context.Context, s *session, dir string, size int, spec comparison.Spec) (*comparison.Comparison, error) {
	spec.Function = "./handler"
	m := local.Model{Latency: "apg", Slow: 1, Seed: 1, Size: size}
	q, err := m.Ask(comparison.Request{Spec: spec, Map: true, Ours: true}, nil)
	if err != nil {
		return nil, err
	}
	show, p := progress.New(s.stderr), presentation{Dir: dir}
	defer show.End()
	return q.Comparison, p.with(s, q.Options, func(t *local.Tuner) error { return t.Calibrate(ctx, q.Comparison, show.Show) })
}

// comparing compares two builds of a function.
type comparing struct {
	Old       string        `first:"" arg:"" help:"Old build: Go package, executable that speaks the Lambda Runtime API, or REVISION:PACKAGE of this git repository."`
	New       string        `first:"" arg:"" help:"New build, in any of these forms."`
	Payload   string        `first:"" placeholder:"JSON" help:"Payload (100 reads of sample.json by pool)."`
	Power     numbers       `first:"" aliases:"memory" placeholder:"LIST" default:"512,1769" help:"Memory sizes, 128 to 10240 MB (512,1769)."`
	Tolerance float64       `first:"" placeholder:"PERCENT" default:"10" help:"Ignore differences up to this many percent, above 0 to 100 (10)."`
	FailOn    []string      `first:"" placeholder:"LIST" default:"duration" help:"Exit with 3 if one of these is slower: ${figures} (duration)."`
	Strict    bool          `first:"" help:"Also exit with 3 if a figure of --fail-on is open."`
	For       time.Duration `first:"" placeholder:"D" default:"60s" help:"Measure for at most this long, not counting the build (60s)."`
	Max       int           `placeholder:"N" default:"30" help:"At most N pairs of environments per memory size, while a figure is open (30)."`
	Arch      string        `placeholder:"ARCH" help:"Architecture, arm64 or x86_64, for prices and speed (arm64)."`
	local.Model
	presentation `set:"dir=tune-compare"`
}

// Run compares the builds and reports the verdict as an error: see exitCode.
func (b *comparing) Run(ctx context.Context, s *session) error {
	r, err := builds.New(b.Old, b.New, b.FailOn, b.Tolerance)
	if err != nil {
		return usage(err)
	}
	q, err := b.question(r, s.stderr)
	if err != nil {
		return usage(asFlag(err))
	}
	show := progress.New(s.stderr)
	err = b.with(s, q.Options, func(t *local.Tuner) error {
		defer show.End()
		return r.Measure(ctx, q.Run, t.Tune, show.Show)
	})
	if len(r.Cells)+len(r.Differences) == 0 {
		return cmp.Or(err, errors.New("no figure of either build could be compared"))
	}
	if err = errors.Join(err, report.Builds{Result: r}.Write(s.stdout, b.Dir, b.JSON)); err != nil {
		return err
	}
	if b.Open {
		err = browser.OpenFile(filepath.Join(b.Dir, report.PageFile))
	}
	switch {
	case r.Verdict == builds.Differs:
		return errors.Join(err, errCells)
	case r.Verdict == builds.Slower || r.Verdict == builds.Open && b.Strict:
		return errors.Join(err, errSlower)
	}
	return err
}

// question returns the comparison of the one variant.
func (b *comparing) question(r *builds.Result, logs io.Writer) (local.Question, error) {
	request := r.Request(b.Payload)
	request.Max, request.For, request.Spec.PowerValues, request.Spec.Arch = &b.Max, &b.For, b.Power, b.Arch
	return b.Ask(request, logs)
}
