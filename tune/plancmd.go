package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/plan"
	"lambda-parallel-io/tune/report"
)

// planning plans how Step Functions reads very many objects.
type planning struct {
	File             string `first:"" arg:"" optional:"" help:"The results.json of a comparison. Without it a short one is made on this machine (Linux), within a minute."`
	Objects          int    `first:"" required:"" placeholder:"N" help:"How many objects there are to read."`
	Size             string `first:"" placeholder:"SIZE" help:"Of an object, such as 9KB: that of FILE's object, or without FILE what is measured (sample.json's)."`
	Prefixes         int    `first:"" placeholder:"N" default:"1" help:"Over how many prefixes of the bucket they are spread evenly (1)."`
	ConcurrencyLimit int    `first:"" placeholder:"N" default:"1000" help:"Of the account's Lambda functions at once (1000); 10 in a new account."`
	Dir              string `first:"" name:"output" group:"Output" short:"o" placeholder:"DIR" default:"tune-plan" help:"Where plan.svg goes, and the views of a comparison that was made for it (tune-plan)."`
	JSON             bool   `first:"" group:"Output" help:"Print the plan as JSON, and nothing else, on stdout."`
}

// Help is what follows the flags.
func (*planning) Help() string {
	return `Examples

  go run ./tune plan --objects 1000000
  go run ./tune plan --objects 1000000 tune/example/results.json`
}

// mostBytes is the largest object that is measured for a plan within a minute.
const mostBytes = 64_000

// Run is the command.
func (p *planning) Run(ctx context.Context, s *session) error {
	job := plan.Job{Objects: p.Objects, Prefixes: p.Prefixes, ConcurrencyLimit: p.ConcurrencyLimit}
	if err := job.Validate(); err != nil {
		return usageError{err: err}
	}
	size, err := humanize.ParseBytes(cmp.Or(p.Size, "0"))
	if err != nil || p.Size != "" && size < 2 {
		return usageError{err: fmt.Errorf("--size %s: it must be a size such as 9KB, 2 bytes at least", p.Size)}
	}
	file := p.File
	if file == "" {
		if size > mostBytes {
			return usageError{err: fmt.Errorf("--size %s: it must be %d bytes at most\ncompare with such an object first, and plan with the results.json of that",
				p.Size, mostBytes)}
		}
		if err := p.measure(ctx, s, int(size)); err != nil && !errors.Is(err, errCells) { // no plan takes a cell that failed
			return err
		}
		file = filepath.Join(p.Dir, report.DataFile)
	}
	c, err := load(file)
	if err != nil {
		return err
	}
	measured := float64(c.Run.ObjectBytes)
	if o := c.Run.Objects; o != nil {
		measured = float64(o.Bytes) / float64(c.Run.Repeat)
	}
	switch {
	case size > 0 && measured == 0:
		return usageError{err: fmt.Errorf("--size %s: %s does not say how large its objects are, as a comparison on AWS does not\nleave --size out if they are so large", p.Size, file)}
	case size > 0 && math.Abs(float64(size)-measured) > measured/10:
		return usageError{err: fmt.Errorf("--size %s: the object of %s has %.0f bytes, and another size is measured, not scaled\n"+
			"leave FILE out to have it measured, or compare with such an object: go run ./tune --object FILE --repeat 1000", p.Size, file, measured)}
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

// measure makes a short comparison of an object of so many bytes, 0 for
// sample.json: ten reads an invocation for each that is in flight.
func (p *planning) measure(ctx context.Context, s *session, size int) error {
	if err := writable(p.Dir); err != nil {
		return err
	}
	l := onThisMachine{Model: local.Model{Latency: "apg", Slow: 1, Seed: 1}, Function: "./handler", presentation: presentation{Dir: p.Dir}}
	l.Strategies, l.Concurrency, l.Power = []string{"pool"}, []int{30, 120}, []int{512, 1_024, 2_304}
	l.Num, l.Repeat = new(4), new(1_200)
	if size > 0 {
		l.Object = filepath.Join(p.Dir, "object.json")
		if err := os.WriteFile(l.Object, local.Document(l.Seed, 0, size), 0o644); err != nil {
			return err
		}
	}
	q, err := l.question()
	if err != nil {
		return err
	}
	quiet := &session{stdin: s.stdin, stdout: io.Discard, stderr: s.stderr} // of its report
	return l.presentation.measure(ctx, quiet, q.Comparison(), q.Options)
}
