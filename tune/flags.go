package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/cli/browser"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/progress"
	"lambda-parallel-io/tune/report"
)

// selection holds the flags that say what to compare, here and on AWS.
type selection struct {
	Strategies  []string      `first:"" placeholder:"LIST" help:"${strategies} (all), or ${none}: send the payload as it is."`
	Concurrency numbers       `placeholder:"LIST" help:"Concurrency of ${bounded}, 1 to ${max_concurrency} (the best of each size; with --measure and on AWS ${concurrency}). Each of a list is a variant."`
	Power       numbers       `first:"" aliases:"memory" placeholder:"LIST" help:"Memory sizes, 128 to 10240 MB, such as 512,1769 (docs/defaults.md)."`
	Num         *int          `placeholder:"N" xor:"max,for" help:"Exact number of invocations per cell (on AWS ${num}). Fewer than 6 cannot tell noise from a difference."`
	Repeat      *int          `first:"" placeholder:"N" help:"Reads per invocation (${map_repeat}; with --measure and on AWS ${repeat})."`
	Payload     string        `first:"" placeholder:"JSON" xor:"payload" help:"JSON payload, in which the flags above set fields."`
	Arch        string        `placeholder:"ARCH" help:"Architecture, arm64 or x86_64, for prices and speed (arm64; on AWS the function's)."`
	Timeout     time.Duration `placeholder:"D" help:"Timeout of an invocation, 1s to 900s (600s; on AWS the function's)."`
}

// request returns the request of these flags, to which the caller adds where it runs.
func (s *selection) request() comparison.Request {
	return comparison.Request{
		Strategies: s.Strategies, Concurrency: s.Concurrency, Num: s.Num, Repeat: s.Repeat, Payload: json.RawMessage(s.Payload),
		Spec: comparison.Spec{PowerValues: s.Power, Arch: s.Arch, TimeoutSec: s.Timeout.Seconds()},
	}
}

// numbers is a list of whole numbers: 10,30,64.
type numbers []int

func (n *numbers) UnmarshalText(raw []byte) error {
	var list []int
	if err := json.Unmarshal(fmt.Appendf(nil, "[%s]", raw), &list); err != nil || len(list) == 0 {
		return fmt.Errorf("%.40q: it must be a list of whole numbers, such as 10,30", raw)
	}
	*n = append(*n, list...) // the flag may be repeated
	return nil
}

// asFlag turns the error of a field into one of the flag with its name.
func asFlag(err error) error {
	if _, ok := errors.AsType[*comparison.FieldError](err); ok {
		return usagef("--%w", err)
	}
	return err
}

// presentation holds the flags for the output.
type presentation struct {
	Dir  string `first:"" name:"output" short:"o" placeholder:"DIR" default:"${dir}" help:"Folder for the results (${dir})."`
	JSON bool   `xor:"shown" help:"Print the results as JSON, and nothing else, on stdout."`
	Open bool   `xor:"shown" help:"Open the report in a browser."`

	keep bool // leave a results.json in Dir as it is
}

// compare measures c, shows the progress, saves c after every change, and presents it even if it was interrupted.
func (p *presentation) compare(ctx context.Context, s *session, c *comparison.Comparison, tune comparison.Tuner) error {
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
	if err = p.present(s, c, err); err == nil && slices.ContainsFunc(c.Variants, comparison.Result.Failed) {
		return errCells
	}
	return err
}

// with calls do with a new tuner for this machine, and closes it.
func (p *presentation) with(s *session, o local.Options, do func(*local.Tuner) error) error {
	if err := cmp.Or(usage(report.RefuseUnfinished(p.Dir)), report.Writable(p.Dir)); err != nil {
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

// present writes every view of c, then prints the text or, with --json, the model. cause is why c is incomplete, or
// nil. If nothing was measured, present only returns the cause.
func (p *presentation) present(s *session, c *comparison.Comparison, cause error) error {
	if cause != nil && !slices.ContainsFunc(c.Variants, comparison.Result.Begun) {
		return cause
	}
	c.Recommend()
	r, err := report.Write(p.Dir, c, !p.keep)
	if p.JSON {
		err = errors.Join(err, c.Write(s.stdout))
	} else {
		err = errors.Join(err, r.Text(s.stdout))
	}
	if err == nil && p.Open && cause == nil {
		if err = browser.OpenFile(r.Page); err != nil {
			err = fmt.Errorf("--open: showing %s: %w", r.Page, err)
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
	c, err := report.Load(d.File)
	if err != nil {
		return err
	}
	p := presentation{Dir: d.Dir, JSON: d.JSON, Open: d.Open}
	if p.Dir == "" { // the folder of FILE may also hold the results.json of another comparison
		p.Dir, p.keep = filepath.Dir(d.File), filepath.Base(d.File) != report.DataFile
	} else if err := usage(report.RefuseUnfinished(p.Dir)); err != nil && filepath.Join(p.Dir, report.DataFile) != filepath.Clean(d.File) {
		return err
	}
	return p.present(s, c, nil)
}
