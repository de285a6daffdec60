package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/report"
)

// tuner measures a comparison: on this machine, or on AWS. They differ below
// this, and nowhere above it.
type tuner interface {
	// Tune fills in what c lacks, and calls observe after every change. What
	// fails in a cell or a variant is in c. An error is one of the comparison
	// as a whole, the cause of ctx, or what observe returned: then c holds what
	// there is.
	Tune(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error
}

// run is the program. stderr takes progress and, with -v, details.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if o.from != "" {
		return redraw(ctx, o, stdout)
	}
	if o.resume != "" {
		return resume(ctx, o, stdin, stdout, stderr)
	}
	if o.aws() {
		return onAWS(ctx, o, stdin, stdout, stderr)
	}
	return onThisMachine(ctx, o, stdout, stderr)
}

// compare lets a tuner measure c, saves it after every change, and presents
// it, also when it was cut off.
func compare(ctx context.Context, t tuner, o *options, c *comparison.Comparison, stdout, stderr io.Writer) error {
	if err := writable(o.dir); err != nil {
		return err
	}
	bar := newProgress(stderr)
	err := t.Tune(ctx, c, func(p comparison.Progress) error {
		bar.show(p)
		if !p.Changed {
			return nil
		}
		c.Recommend()
		c.Predict()
		return report.WriteData(o.dir, c) // a result that is lost is not worth measuring
	})
	bar.end()
	c.Run.Interrupted = err != nil
	return present(ctx, o, c, stdout, err)
}

// present writes every view of c, then prints the one for people or, with
// -json, the model. cause is why c is not complete, or nil; where nothing at
// all was measured there is nothing to print but that.
func present(ctx context.Context, o *options, c *comparison.Comparison, stdout io.Writer, cause error) error {
	if cause != nil && !begun(c) {
		return cause
	}
	c.Recommend()
	c.Predict()
	page := ""
	err := report.WriteAll(o.dir, c)
	if err == nil {
		page = filepath.Join(o.dir, report.PageFile)
	}
	if o.json {
		err = errors.Join(err, c.Write(stdout))
	} else {
		err = errors.Join(err, report.New(c).Text(stdout, page))
	}
	if err == nil && o.open && cause == nil {
		err = open(ctx, page)
	}
	switch {
	case cause != nil:
		return errors.Join(cause, err)
	case err != nil:
		return err
	case failed(c):
		return errCells
	default:
		return nil
	}
}

// begun reports whether there is anything to show.
func begun(c *comparison.Comparison) bool {
	return slices.ContainsFunc(c.Variants, func(v comparison.Result) bool { return len(v.Cells) > 0 || v.Error != "" })
}

// failed reports whether a variant or a cell has failed.
func failed(c *comparison.Comparison) bool {
	for _, v := range c.Variants {
		if v.Error != "" {
			return true
		}
		for _, cell := range v.Cells {
			if cell.Error != "" {
				return true
			}
		}
	}
	return false
}

// redraw draws the views of a comparison that was made earlier.
func redraw(ctx context.Context, o *options, stdout io.Writer) error {
	f, err := os.Open(o.from)
	if err != nil {
		return fmt.Errorf("-from: %w", err)
	}
	defer f.Close()
	c, err := comparison.Read(f)
	if err != nil {
		return fmt.Errorf("-from %s: %w", o.from, err)
	}
	if !o.given["o"] {
		o.dir = filepath.Dir(o.from)
	}
	if err := present(ctx, o, c, stdout, nil); !errors.Is(err, errCells) {
		return err
	}
	return nil // the run that made it has failed, not this one
}

// writable finds out before anything is measured that nothing can be saved.
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

// printPlan prints the comparison that would be made.
func printPlan(w io.Writer, o *options, c *comparison.Comparison) error {
	if o.json {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(c)
	}
	fmt.Fprintf(w, "  %d variants x %d memory sizes, %d invocations a cell and a warm-up; nothing was run\n\n",
		len(c.Variants), len(c.Run.PowerValues), c.Run.Num)
	for _, v := range c.Variants {
		fmt.Fprintf(w, "  %-18s %s\n", v.Label(), v.Payload)
	}
	_, err := fmt.Fprintf(w, "\n  memory, MB: %d\n", c.Run.PowerValues)
	return err
}
