package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"al.essio.dev/pkg/shellescape"
	"github.com/cli/browser"

	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/report"
)

// tuner measures the cells that c lacks, on this machine or on AWS, and calls
// observe after every change. The error of a cell or a variant goes into c. The
// returned error is one of the whole comparison, or the cause of ctx; c then has
// the results so far.
type tuner func(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error

// compare measures c, shows the progress and ends it, saves c after every change, and
// presents it even if it was interrupted.
func (p *presentation) compare(ctx context.Context, s *session, show *progress, c *comparison.Comparison, tune tuner) error {
	defer show.end()
	if err := writable(p.Dir); err != nil {
		return err
	}
	step := show.step("measuring")
	var saving error
	err := tune(ctx, c, func(news comparison.Progress) error {
		_ = step(news)
		if news.Changed {
			c.Recommend()
			saving = report.WriteData(p.Dir, c)
		}
		return saving // do not go on measuring what cannot be saved
	})
	show.end()
	c.Run.Interrupted = err != nil && saving == nil
	return p.present(s, c, err)
}

// present writes every view of c, then prints the text or, with --json, the
// model. cause is why c is incomplete, or nil. If nothing was measured, present
// only returns the cause.
func (p *presentation) present(s *session, c *comparison.Comparison, cause error) error {
	if cause != nil && !slices.ContainsFunc(c.Variants, comparison.Result.Begun) {
		return cause
	}
	c.Recommend()
	r, err := report.Write(p.Dir, c, !p.keep)
	page := ""
	if err == nil {
		page = filepath.Join(p.Dir, report.PageFile)
	}
	if p.JSON {
		err = errors.Join(err, c.Write(s.stdout))
	} else {
		err = errors.Join(err, r.Text(s.stdout, page))
	}
	if err == nil && p.Open && cause == nil {
		if err = browser.OpenFile(page); err != nil {
			err = fmt.Errorf("--open: showing %s: %w", page, err)
		}
	}
	if err = errors.Join(cause, err); err == nil && slices.ContainsFunc(c.Variants, comparison.Result.Failed) {
		return errCells
	}
	return err
}

// refuseUnfinished returns an error if dir holds an AWS comparison that can be
// resumed: overwriting it would lose paid results. An unreadable file counts as no
// comparison.
func refuseUnfinished(dir string) error {
	if c, err := load(filepath.Join(dir, report.DataFile)); err != nil || !c.Unfinished() {
		return nil
	}
	return usageError{err: fmt.Errorf("%s holds a comparison on AWS that is not finished\nresume it: go run ./tune aws --resume %s\nor write this one to another folder by -o DIR",
		dir, shellescape.Quote(dir))}
}

// writable returns an error if nothing can be saved in dir. It is called before
// anything is measured.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("-o %s: %w", dir, err)
	}
	f, err := os.CreateTemp(dir, ".tune-*")
	if err != nil {
		return fmt.Errorf("-o %s: results cannot be saved there: %w", dir, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// printDryRun prints the comparison that would run.
func printDryRun(w io.Writer, asJSON, maps bool, c *comparison.Comparison) error {
	if asJSON {
		return c.Write(w)
	}
	what := prose.Count(c.Run.Num, "invocation", "invocations") + " a cell and a warm-up"
	switch {
	case maps:
		what = "computed from what a read costs here, and checked at a few of them"
	case c.Run.ForSec > 0:
		what = "at most " + what
	}
	fmt.Fprintf(w, "  %s x %s, %s; nothing was run\n\n", prose.Count(len(c.Variants), "variant", "variants"),
		prose.Count(len(c.Run.PowerValues), "memory size", "memory sizes"), what)
	for _, v := range c.Variants {
		fmt.Fprintf(w, "  %-18s %s\n", v.Label(), v.Payload)
	}
	_, err := fmt.Fprintf(w, "\n  memory, MB: %s\n", prose.List(c.Run.PowerValues))
	return err
}
