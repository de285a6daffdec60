package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cli/browser"

	"lambda-parallel-io/handler/build"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/builds"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/report"
)

// comparing compares two builds of a function.
type comparing struct {
	Old       string        `first:"" arg:"" help:"Old build: Go package, executable that speaks the Lambda Runtime API, or REVISION:PACKAGE of this git repository."`
	New       string        `first:"" arg:"" help:"New build, in any of these forms."`
	Payload   string        `first:"" placeholder:"JSON" help:"Payload (100 reads of sample.json by pool)."`
	Power     []int         `first:"" aliases:"memory" placeholder:"LIST" default:"512,1769" help:"Memory sizes, 128 to 10240 MB (512,1769)."`
	Tolerance float64       `first:"" placeholder:"PERCENT" default:"10" help:"Ignore differences up to this many percent, above 0 to 100 (10)."`
	FailOn    []string      `first:"" placeholder:"LIST" default:"duration" help:"Exit with 3 if one of these is slower: ${figures} (duration)."`
	Strict    bool          `first:"" help:"Also exit with 3 if a figure of --fail-on is open."`
	For       time.Duration `first:"" placeholder:"D" default:"60s" help:"Measure for at most this long, not counting the build (60s)."`
	Max       int           `placeholder:"N" default:"30" help:"At most N pairs of environments per memory size, while a figure is open (30)."`
	Arch      string        `placeholder:"ARCH" help:"Architecture, arm64 or x86_64, for prices and speed (arm64)."`
	local.Model
	Dir     string `first:"" name:"output" short:"o" placeholder:"DIR" default:"tune-compare" help:"Folder for builds.json, report.html and table.md (tune-compare)."`
	JSON    bool   `first:"" xor:"shown" help:"Print builds.json, and nothing else, on stdout."`
	Open    bool   `xor:"shown" help:"Open the report in a browser."`
	Verbose bool   `short:"v" help:"Print each invocation's REPORT line and the functions' log."`
}

// Help returns examples.
func (*comparing) Help() string {
	return `Examples (go run turns every exit code into 1: build the program)

  go build -o bin/tune ./tune
  bin/tune compare main:./handler ./handler
  bin/tune compare ./mine-1.2 ./mine-1.3 --payload '{"orders": 5}' --json`
}

// Run compares the builds and reports the verdict as an error: see exitCode.
func (b *comparing) Run(ctx context.Context, s *session) error {
	r := &builds.Result{Old: b.Old, New: b.New, FailOn: b.FailOn, Tolerance: b.Tolerance / 100}
	if !(b.Tolerance > 0 && b.Tolerance <= 100) {
		return usageError{err: fmt.Errorf("--tolerance %g: it must be above 0 and at most 100", b.Tolerance)}
	}
	if b.Old == "" || b.New == "" {
		return usageError{err: errors.New("OLD and NEW must not be empty: each is a Go package, an executable or REVISION:PACKAGE")}
	}
	known := func(name string) bool { return slices.Contains(builds.Figures, name) }
	if n := len(slices.DeleteFunc(slices.Clone(b.FailOn), known)); n > 0 || len(b.FailOn) == 0 {
		return usageError{err: fmt.Errorf("--fail-on %s: it must be of %s", strings.Join(b.FailOn, ","), prose.List(builds.Figures))}
	}
	if len(b.Power) == 0 {
		return usageError{err: errors.New("--power has no sizes: name some, such as 512,1769")}
	}
	q, err := b.question(s)
	if err != nil {
		return usageError{err: asFlag(err)}
	}
	show := newProgress(s.stderr)
	p := &presentation{Dir: b.Dir}
	err = p.with(s, q.Options, func(t *local.Tuner) error {
		show.building()
		err := r.Measure(ctx, q.Run, t.Tune, show.step("comparing"))
		show.end()
		return err
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

// question returns the comparison of one variant. Missing fields are added to the
// payload only if both functions are this project's.
func (b *comparing) question(s *session) (local.Question, error) {
	r := (&selection{Strategies: []string{"pool"}, Power: b.Power, Payload: b.Payload, Arch: b.Arch}).request()
	r.Max, r.For, r.Ours, r.Spec.Function = &b.Max, &b.For, true, "./handler"
	if b.Payload != "" {
		r.Strategies = []string{comparison.None}
		for _, function := range []string{b.Old, b.New} {
			r.Ours = r.Ours && build.Ours(function[strings.Index(function, ":")+1:])
		}
	}
	q, err := b.Ask(r)
	if b.Verbose {
		q.Verbose, q.Output = log.New(s.stderr, "", 0), s.stderr
	}
	return q, err
}
