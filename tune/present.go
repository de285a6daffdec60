package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"al.essio.dev/pkg/shellescape"
	"github.com/cli/browser"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/progress"
	"lambda-parallel-io/tune/report"
)

// presentation holds the flags for the output.
type presentation struct {
	Dir  string `first:"" name:"output" short:"o" placeholder:"DIR" default:"${dir}" help:"Folder for the results (${dir})."`
	JSON bool   `xor:"shown" help:"Print results.json, and nothing else, on stdout."`
	Open bool   `xor:"shown" help:"Open the report in a browser."`

	keep bool // leave a results.json in Dir as it is
}

// tuner measures the cells that c lacks, on this machine or on AWS, and calls
// observe after every change. The error of a cell or a variant goes into c. The
// returned error is one of the whole comparison, or the cause of ctx; c then has
// the results so far.
type tuner func(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error

// compare measures c, shows the progress, saves c after every change, and presents
// it even if it was interrupted.
func (p *presentation) compare(ctx context.Context, s *session, c *comparison.Comparison, tune tuner) error {
	if err := writable(p.Dir); err != nil {
		return err
	}
	show := progress.New(s.stderr)
	var saving error
	err := tune(ctx, c, func(news comparison.Progress) error {
		_ = show.Show(news)
		if news.Changed {
			c.Recommend()
			saving = report.WriteData(p.Dir, c)
		}
		return saving // do not go on measuring what cannot be saved
	})
	show.End()
	c.Run.Interrupted = err != nil && saving == nil
	if err = p.present(s, c, err); err == nil && c.Any((*comparison.Result).Failed) {
		return errCells
	}
	return err
}

// with calls do with a new tuner for this machine, and closes it.
func (p *presentation) with(s *session, o local.Options, do func(*local.Tuner) error) error {
	if err := cmp.Or(refuseUnfinished(p.Dir), writable(p.Dir)); err != nil {
		return err
	}
	t, err := local.New(o)
	if err != nil {
		return err
	}
	abandon := t.Abandon
	s.abandon.Store(&abandon) // called before an immediate exit
	return errors.Join(do(t), t.Close())
}

// present writes every view of c, then prints the text or, with --json, the
// model. cause is why c is incomplete, or nil. If nothing was measured, present
// only returns the cause.
func (p *presentation) present(s *session, c *comparison.Comparison, cause error) error {
	if cause != nil && !c.Any((*comparison.Result).Begun) {
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
	return errors.Join(cause, err)
}

// drawing draws the views of an earlier comparison. Failed cells are an error of
// the run that made it, not of this one.
type drawing struct {
	File string `arg:"" help:"results.json of a comparison."`
	Dir  string `name:"output" group:"Output" short:"o" placeholder:"DIR" help:"Folder for the views (that of FILE)."`
	JSON bool   `group:"Output" xor:"shown" help:"Print the comparison with its ratios, verdicts and warnings, and nothing else, on stdout."`
	Open bool   `group:"Output" xor:"shown" help:"Open the report in a browser."`
}

// Run writes and prints the views.
func (d *drawing) Run(s *session) error {
	c, err := load(d.File)
	if err != nil {
		return err
	}
	p := presentation{Dir: d.Dir, JSON: d.JSON, Open: d.Open}
	if p.Dir == "" { // the folder of FILE may also hold the results.json of another comparison
		p.Dir, p.keep = filepath.Dir(d.File), filepath.Base(d.File) != report.DataFile
	} else if err := refuseUnfinished(p.Dir); err != nil && filepath.Join(p.Dir, report.DataFile) != filepath.Clean(d.File) {
		return err
	}
	return p.present(s, c, nil)
}

// load reads a results.json.
func load(name string) (*comparison.Comparison, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, err := comparison.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// refuseUnfinished returns an error if dir holds an AWS comparison that can be
// resumed: overwriting it would lose paid results. An unreadable file counts as no
// comparison.
func refuseUnfinished(dir string) error {
	if c, err := load(filepath.Join(dir, report.DataFile)); err != nil || !c.Unfinished() {
		return nil
	}
	return usagef("%s holds a comparison on AWS that is not finished\nresume it: go run ./tune aws --resume %s\nor write this one to another folder by -o DIR",
		dir, shellescape.Quote(dir))
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
