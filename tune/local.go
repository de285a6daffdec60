package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/local/s3"
	"lambda-parallel-io/tune/stepfunctions"
)

// onThisMachine compares under the local model of Lambda and S3.
type onThisMachine struct {
	selection

	Latency  string   `group:"On this machine (Linux)" placeholder:"NAME" default:"apg" help:"Of S3: apg (median 13 ms), public (27), express (2.5), none, or a fixed duration such as 15ms (apg)."`
	Seed     uint64   `group:"On this machine (Linux)" placeholder:"N" default:"1" help:"Of the latencies: the same seed, the same latencies (1)."`
	Object   string   `group:"On this machine (Linux)" placeholder:"FILE" default:"sample.json" help:"What S3 holds (sample.json)."`
	Function string   `group:"On this machine (Linux)" placeholder:"PATH" default:"./handler" help:"A Go package, or an executable that speaks the Lambda Runtime API: your own, whose answer may be any JSON (./handler)."`
	Env      []string `group:"On this machine (Linux)" placeholder:"KEY=VALUE" sep:"none" help:"A variable for the function; may be given again."`

	presentation
	DryRun  bool `group:"Output" help:"Say what would be run, and stop."`
	Verbose bool `group:"Output" short:"v" help:"Print each invocation's REPORT line, the function's log, and what the model itself costs."`
}

func (l *onThisMachine) Help() string {
	return `Examples

  go run ./tune --concurrency 10,30,64,128 --strategies pool --power 512,1024
  go run ./tune --function ./mine --payload '{"n": 5}' --strategies none`
}

// Run is the command.
func (l *onThisMachine) Run(ctx context.Context, s *session) (err error) {
	spec, p, err := l.describe()
	if err != nil {
		return usageError{err: err}
	}
	c := comparison.New(spec, time.Now())
	c.Run.OS = runtime.GOOS + "/" + runtime.GOARCH
	c.Run.CPUs = min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) // by affinity, and by a container's limit
	if l.DryRun {
		return printPlan(s.stdout, l.JSON, c)
	}
	if err := free(l.Dir); err != nil {
		return err
	}
	o := local.Options{Object: l.Object, Env: l.Env}
	if l.Verbose {
		o.Verbose, o.Output = log.New(s.stderr, "", 0), s.stderr
	}
	t, err := local.New(o)
	if err != nil {
		return err
	}
	abandon := t.Abandon
	s.abandon.Store(&abandon)
	defer func() { err = errors.Join(err, t.Close()) }()
	tune := t.Tune
	if l.Concurrency != nil && l.Concurrency.auto {
		tune = withPrediction(t.Tune, l.Strategies, p)
	}
	return l.compare(ctx, s, c, tune)
}

// describe says what is compared.
func (l *onThisMachine) describe() (comparison.Spec, payload, error) {
	spec, p, err := l.spec()
	if err != nil {
		return spec, p, err
	}
	spec.Region = "us-east-1"
	if in := spec.TuningInput; in != nil {
		if fields := in.Unsupported(); len(fields) > 0 {
			return spec, p, fmt.Errorf("--input %s: a local run does not do %s: remove it, or compare on AWS (go run ./tune aws)", l.Input, strings.Join(fields, ", "))
		}
		spec.Region = cmp.Or(stepfunctions.RegionOf(in.LambdaARN), spec.Region)
	}
	spec.TuningInput = nil // what a local run does of it is in the spec
	latency, err := s3.ParseLatency(l.Latency)
	if err != nil {
		return spec, p, fmt.Errorf("--%w", err)
	}
	spec.Seed, spec.Latency, spec.LatencyMeanMS = l.Seed, latency.String(), float64(latency.Mean().Microseconds())/1e3
	spec.Function = l.Function
	for _, e := range l.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return spec, p, fmt.Errorf("--env %s: it must be KEY=VALUE", e)
		}
	}
	p.key, p.ours = keyOf(l.Object), same(l.Function, "./handler")
	if l.Concurrency != nil && l.Concurrency.auto && !p.ours {
		return spec, p, errors.New("--concurrency auto needs the reads of this project's function: give numbers for another one")
	}
	if spec, err = l.complete(spec, p); err != nil {
		return spec, p, err
	}
	object, err := os.ReadFile(l.Object)
	if err != nil {
		return spec, p, fmt.Errorf("--object: %w", err)
	}
	if p.ours {
		var records []json.RawMessage
		_ = json.Unmarshal(object, &records) // what is no array has none
		spec.ObjectBytes, spec.Records = len(object), len(records)
	}
	return spec, p, nil
}

// keyOf is the key under which S3 holds a file: its path below the working
// directory, else its name.
func keyOf(file string) string {
	if !filepath.IsLocal(file) {
		file = filepath.Base(file)
	}
	return filepath.ToSlash(filepath.Clean(file))
}

// same reports whether two paths name one place.
func same(a, b string) bool {
	a, errA := filepath.Abs(a)
	b, errB := filepath.Abs(b)
	return errA == nil && errB == nil && a == b
}

// withPrediction measures the bounded strategies once more, by the concurrency
// that the first figures predict for the recommended memory size.
func withPrediction(tune tuner, names []string, p payload) tuner {
	return func(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
		if err := tune(ctx, c, observe); err != nil || c.Recommendation == nil {
			return err
		}
		predicted, ok := c.Predicted(c.Recommendation.Power)
		if !ok || c.Any(func(r *comparison.Result) bool { return r.Bounded() && *r.Concurrency == predicted.Concurrency }) {
			return nil
		}
		if len(names) == 0 {
			names = bounded()
		}
		names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !slices.Contains(bounded(), n) })
		more, err := p.variants(names, []*int{&predicted.Concurrency})
		if err != nil {
			return err
		}
		c.Add(more...)
		return tune(ctx, c, observe)
	}
}
