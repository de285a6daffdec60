package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/dustin/go-humanize"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/plan"
	"lambda-parallel-io/tune/report"
)

// planning plans how Step Functions reads very many objects.
type planning struct {
	File             string `arg:"" optional:"" help:"The results.json of a comparison. Without it a short one is made on this machine (Linux), within a minute."`
	Objects          int    `required:"" placeholder:"N" help:"How many objects there are to read."`
	Size             string `placeholder:"SIZE" help:"Of an object, such as 9KB. With FILE it has to be that of its object; without, it is what is measured (sample.json's)."`
	Prefixes         int    `placeholder:"N" default:"1" help:"Over how many prefixes of the bucket they are spread evenly (1)."`
	ConcurrencyLimit int    `placeholder:"N" default:"1000" help:"Of the account's Lambda functions at once (1000); 10 in a new account."`

	Dir  string `name:"output" group:"Output" short:"o" placeholder:"DIR" default:"tune-plan" help:"Where plan.svg goes, and the results.json of a comparison that was made for it (tune-plan)."`
	JSON bool   `group:"Output" help:"Print the plan as JSON, and nothing else, on stdout."`
}

func (p *planning) Help() string {
	return `Example

  go run ./tune plan --objects 1000000 tune-results/results.json`
}

const pictureFile = "plan.svg"

// Run is the command.
func (p *planning) Run(ctx context.Context, s *session) error {
	job := plan.Job{Objects: p.Objects, Prefixes: p.Prefixes, ConcurrencyLimit: p.ConcurrencyLimit}
	if err := job.Validate(); err != nil {
		return usageError{err: err}
	}
	bytes, err := p.bytes()
	if err != nil {
		return usageError{err: err}
	}
	if p.Dir == "" {
		return usageError{err: errors.New("-o: it is empty: it must be a folder")}
	}
	if err := writable(p.Dir); err != nil {
		return err
	}
	var c *comparison.Comparison
	if p.File == "" {
		c, err = p.measure(ctx, s, bytes)
	} else if c, err = load(p.File); err == nil {
		err = p.matches(c.Run.ObjectBytes, bytes)
	}
	if err != nil {
		return err
	}
	planned, err := plan.New(c, job)
	if err != nil {
		return err
	}
	if err := report.WriteCurve(p.Dir, pictureFile, planned.Title(), planned.Curve()); err != nil {
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
	_, err = fmt.Fprintf(s.stdout, "\n  picture  %s\n", filepath.Join(p.Dir, pictureFile))
	return err
}

// mostBytes is the largest object that is measured for a plan: the local model
// has no network bandwidth by memory size, which holds larger ones up.
const mostBytes = 100_000

// bytes is what --size says, 0 where it is left out.
func (p *planning) bytes() (int, error) {
	if p.Size == "" {
		return 0, nil
	}
	n, err := humanize.ParseBytes(p.Size)
	if err != nil || n < 2 || n > math.MaxInt64 {
		return 0, fmt.Errorf("--size %s: it must be a size such as 9KB, 2 bytes at least", p.Size)
	}
	if p.File == "" && n > mostBytes {
		return 0, fmt.Errorf("--size %s: it must be %d bytes at most, as the local model has no network bandwidth by memory size\n"+
			"compare with such an object on AWS (go run ./tune aws), and plan with the results.json of that", p.Size, mostBytes)
	}
	return int(n), nil
}

// matches refuses a comparison of objects that differ in size by more than a
// tenth.
func (p *planning) matches(measured, asked int) error {
	switch {
	case asked == 0 || math.Abs(float64(asked-measured)) <= float64(measured)/10:
		return nil
	case measured == 0:
		return usageError{err: fmt.Errorf("--size %s: %s does not say how large its object is: leave --size out", p.Size, p.File)}
	default:
		return usageError{err: fmt.Errorf("--size %s: %s is of an object of %d bytes, and another size is measured, not scaled\n"+
			"leave FILE out to have it measured, or compare with such an object: go run ./tune --object FILE --repeat 1000", p.Size, p.File, measured)}
	}
}

// How long is measured at most, the function's compilation apart, and what the
// cause is when that time is over.
const measuringTime = 45 * time.Second

var errEnough = errors.New("the time for measuring is over")

// measure makes a short comparison of objects of so many bytes, 0 for
// sample.json, and leaves its results.json beside the picture.
func (p *planning) measure(ctx context.Context, s *session, bytes int) (_ *comparison.Comparison, err error) {
	if err := free(p.Dir); err != nil {
		return nil, err
	}
	l := onThisMachine{
		selection: selection{Strategies: []string{"pool"}, Concurrency: &concurrencies{numbers: numbers{30, 120}},
			Power: numbers{512, 1_024, 2_304}, Num: new(4), Repeat: new(1_200)}, // ten reads for each of 120 in flight
		Latency: "apg", Seed: 1, Object: "sample.json", Function: "./handler",
	}
	if bytes > 0 {
		if l.Object, err = objectOf(bytes, l.Object, p.Dir); err != nil {
			return nil, err
		}
	}
	spec, _, err := l.describe()
	if err != nil {
		return nil, usageError{err: err}
	}
	t, err := local.New(local.Options{Object: l.Object})
	if err != nil {
		return nil, err
	}
	abandon := t.Abandon
	s.abandon.Store(&abandon)
	defer func() { err = errors.Join(err, t.Close()) }()
	c := comparison.New(spec, time.Now())
	c.Run.OS, c.Run.CPUs = runtime.GOOS+"/"+runtime.GOARCH, min(runtime.NumCPU(), runtime.GOMAXPROCS(0))

	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var timer *time.Timer
	bar := newProgress(s.stderr)
	err = t.Tune(within, c, func(news comparison.Progress) error {
		if timer == nil { // the function is built
			timer = time.AfterFunc(measuringTime, func() { cancel(errEnough) })
		}
		bar.show(news)
		return nil
	})
	bar.end()
	if timer != nil {
		timer.Stop()
	}
	if c.Run.Interrupted = errors.Is(err, errEnough); err != nil && !c.Run.Interrupted {
		return nil, err
	}
	c.Recommend()
	c.Predict()
	return c, report.WriteData(p.Dir, c)
}

// objectOf writes an object of so many bytes into dir: records of the sample,
// and white space after them.
func objectOf(size int, sample, dir string) (string, error) {
	raw, err := os.ReadFile(sample)
	if err != nil {
		return "", fmt.Errorf("the records of an object of %d bytes: %w", size, err)
	}
	var records []json.RawMessage
	if err := json.Unmarshal(raw, &records); err != nil || len(records) == 0 {
		return "", fmt.Errorf("the records of an object of %d bytes: %s must be a JSON array with elements: %w", size, sample, err)
	}
	object := []byte("[")
	for i := 0; ; i++ {
		next := append(bytes.Clone(records[i%len(records)]), '\n')
		if i > 0 {
			next = append([]byte(","), next...)
		}
		if len(object)+len(next)+1 > size {
			break
		}
		object = append(object, next...)
	}
	object = append(object, ']')
	object = append(object, bytes.Repeat([]byte("\n"), size-len(object))...)
	name := filepath.Join(dir, "object.json")
	return name, os.WriteFile(name, object, 0o644)
}
