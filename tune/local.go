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
	"strconv"
	"strings"
	"time"

	"lambda-parallel-io/handler/platform"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/stepfunctions"
)

// onThisMachine compares under the local model of Lambda and S3.
type onThisMachine struct {
	selection `group:"What to compare"`

	Latency  string         `group:"On this machine (Linux)" placeholder:"NAME" default:"apg" help:"Of S3: apg (median 13 ms), public (27), express (2.5), none, a duration (15ms), or a median and a sigma (13ms~0.62)."`
	Like     string         `xor:"speed" group:"On this machine (Linux)" placeholder:"FILE" help:"Answers of this function on your Lambda, whose speed and S3 latency the model then has: docs/trust.md."`
	CPU      string         `name:"cpu" xor:"speed" group:"On this machine (Linux)" placeholder:"FACTOR" help:"How many vCPUs a core is, ${min_factor} to ${max_factor}; or so many times what is measured (1x)."`
	Slow     int            `group:"On this machine (Linux)" placeholder:"N" default:"1" help:"Slow motion: all takes N times as long, up to ${max_slow}, and the machine adds so much less to it (1)."`
	Seed     uint64         `group:"On this machine (Linux)" placeholder:"N" default:"1" help:"Of the latencies: the same seed, the same latencies (1)."`
	Object   string         `group:"On this machine (Linux)" placeholder:"FILE" xor:"objects" help:"What S3 holds (sample.json)."`
	Objects  string         `group:"On this machine (Linux)" placeholder:"DIR" xor:"objects" help:"In its place the files of a folder, each read once; or so many that are made: 2000x9KB, 2000x4KB-1MB."`
	Prefix   *string        `group:"On this machine (Linux)" placeholder:"P" help:"Those objects alone whose keys begin so."`
	Max      *int           `group:"On this machine (Linux)" placeholder:"N" xor:"max" help:"Invocations a cell, at most, while it is open which is faster (${max}); --num makes exactly so many."`
	For      *time.Duration `group:"On this machine (Linux)" placeholder:"D" xor:"for" help:"Time for that, compiling apart (${for})."`
	Function string         `group:"On this machine (Linux)" placeholder:"PATH" default:"./handler" help:"A Go package, or an executable that speaks the Lambda Runtime API: your own, whose answer may be any JSON (./handler)."`
	Env      []string       `group:"On this machine (Linux)" placeholder:"KEY=VALUE" sep:"none" help:"A variable for the function; may be given again."`

	presentation `group:"Output"`

	DryRun  bool `group:"Output" help:"Say what would be run, and stop."`
	Verbose bool `group:"Output" short:"v" help:"Print each invocation's REPORT line and the function's log."`

	cpu *comparison.CPU // nil: measured
}

func (l *onThisMachine) Help() string {
	return `Examples

  go run ./tune --concurrency 10,30,64,128 --strategies pool --power 512,1024
  go run ./tune --like answers.json
  go run ./tune --function ./mine --payload '{"n": 5}' --strategies none`
}

func (l *onThisMachine) Run(ctx context.Context, s *session) (err error) {
	spec, p, err := l.describe()
	if err != nil {
		return usageError{err: err}
	}
	c := comparison.New(spec, time.Now())
	c.Run.OS = runtime.GOOS + "/" + runtime.GOARCH
	c.Run.CPUs = min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) // by affinity, and by a container's limit
	c.Run.CPU = l.cpu
	if d := lasts(spec); d > 2*time.Minute {
		fmt.Fprintf(s.stderr, "  This takes about %.0f min: less by --strategies, --power or --num.\n", d.Minutes())
	}
	if l.DryRun {
		return printPlan(s.stdout, l.JSON, c)
	}
	if err := free(l.Dir); err != nil {
		return err
	}
	o := local.Options{Objects: p.objects, Env: l.Env}
	if l.Verbose {
		o.Verbose, o.Output = log.New(s.stderr, "", 0), s.stderr
	}
	if l.Like != "" {
		like, err := readLikeness(l.Like, spec)
		if err != nil {
			return usageError{err: err}
		}
		if err := like.liken(ctx, s, o, c, l.Like); err != nil {
			return err
		}
	}
	t, err := newTuner(s, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	tune := t.Tune
	if l.Concurrency != nil && l.Concurrency.auto {
		tune = withPrediction(t.Tune, l.Strategies, p)
	}
	return l.compare(ctx, s, c, tune)
}

// newTuner makes a tuner that is abandoned when the program leaves at once.
func newTuner(s *session, o local.Options) (*local.Tuner, error) {
	t, err := local.New(o)
	if err == nil {
		abandon := t.Abandon
		s.abandon.Store(&abandon)
	}
	return t, err
}

func (l *onThisMachine) describe() (comparison.Spec, payload, error) {
	spec, p, err := l.spec()
	if err != nil {
		return spec, p, err
	}
	spec.Region = "us-east-1"
	if in := spec.TuningInput; in != nil {
		if fields := in.Unsupported(); len(fields) > 0 {
			return spec, p, fmt.Errorf("--input %s: a local run does not do %s: remove it, or compare on AWS (go run ./tune aws)",
				l.Input, strings.Join(fields, ", "))
		}
		spec.Region = cmp.Or(stepfunctions.RegionOf(in.LambdaARN), spec.Region)
	}
	if err := l.rounds(&spec); err != nil {
		return spec, p, err
	}
	spec.TuningInput = nil // what a local run does of it is in the spec
	latency, err := profile.Parse(l.Latency)
	if err != nil {
		return spec, p, fmt.Errorf("--%w", err)
	}
	spec.Seed, spec.Latency, spec.LatencyMeanMS = l.Seed, latency.String(), float64(latency.Mean().Microseconds())/1e3
	spec.Function, spec.Slow = l.Function, l.Slow
	if number, times := strings.CutSuffix(l.CPU, "x"); l.CPU != "" {
		f, err := strconv.ParseFloat(number, 64)
		if err != nil || !(f >= comparison.MinFactor && f <= comparison.MaxFactor) {
			return spec, p, fmt.Errorf("--cpu %s: it must be from %g to %g, or so many times what is measured, as in 0.8x", l.CPU, comparison.MinFactor, comparison.MaxFactor)
		}
		l.cpu = &comparison.CPU{Factor: f, Source: "--cpu " + l.CPU}
		if times {
			l.cpu.Scale = f
		}
	}
	if l.Slow < 1 || l.Slow > comparison.MaxSlow {
		return spec, p, fmt.Errorf("--slow %d: it must be a whole number from 1 to %d", l.Slow, comparison.MaxSlow)
	}
	if most := time.Second; l.Slow > 1 && time.Duration(l.Slow)*latency.Mean() > most {
		return spec, p, fmt.Errorf("--slow %d: reads would take more than %s, of which the function gives up some after 10 s: lower it, or --latency %s", l.Slow, most, latency)
	}
	for _, e := range l.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return spec, p, fmt.Errorf("--env %s: it must be KEY=VALUE", e)
		}
	}
	function, err := filepath.Abs(l.Function)
	ours, _ := filepath.Abs("handler") // as the other one
	p.ours = err == nil && function == ours
	if l.Like != "" && !p.ours {
		return spec, p, errors.New("--like needs the answers of this project's function: say --cpu for another one")
	}
	if err = l.hold(&p); err != nil {
		return spec, p, err
	}
	if l.Concurrency != nil && l.Concurrency.auto && !p.ours {
		return spec, p, errors.New("--concurrency auto needs the reads of this project's function: give numbers for another one")
	}
	if spec, err = l.complete(spec, p); err != nil || l.Objects != "" {
		return spec, p, err
	}
	object, err := p.objects[0].Body()
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

// rounds says how long to measure: where no number of invocations was given,
// until it is known which variant is the fastest.
func (l *onThisMachine) rounds(spec *comparison.Spec) error {
	given := l.Num != nil || spec.TuningInput != nil && spec.TuningInput.Num > 0
	if given && l.Max == nil && l.For == nil {
		return nil
	}
	time := *cmp.Or(l.For, new(defaultFor))
	if time <= 0 {
		return fmt.Errorf("--for %s: it must be above 0s\nor give the number of invocations by --num", time)
	}
	spec.Num, spec.ForSec = *cmp.Or(l.Max, new(defaultMax)), time.Seconds()
	return nil
}

func (l *onThisMachine) hold(p *payload) (err error) {
	switch {
	case l.Objects != "":
		p.below, p.flagged = cmp.Or(l.Prefix, new(string)), l.Prefix != nil
		if p.objects, err = local.ParseObjects(l.Objects, *p.below, l.Seed); err != nil {
			err = fmt.Errorf("--objects %s: %w", l.Objects, err)
		}
		p.most = len(p.objects)
	case l.Prefix != nil:
		err = errors.New("--prefix says which of --objects: name a folder, or objects to make")
	default: // the key of a file is its path below the working directory, else its name
		file := cmp.Or(l.Object, "sample.json")
		p.key = file
		if !filepath.IsLocal(file) {
			p.key = filepath.Base(file)
		}
		p.key = filepath.ToSlash(filepath.Clean(p.key))
		p.objects = []local.Object{{Key: p.key, Body: func() ([]byte, error) { return os.ReadFile(file) }}}
	}
	return err
}

// cpuPerRead is what a read of 9 KB takes, as measured with our function.
const cpuPerRead = 300 * time.Microsecond

// lasts estimates how long a comparison takes at least: its reads wait for S3
// or for the processor. It is 0 where they are not known. Where the rounds are
// not fixed these are the least ones, which count in any case.
func lasts(spec comparison.Spec) (d time.Duration) {
	rounds := spec.Num + 1
	if spec.ForSec > 0 {
		rounds = min(rounds, local.LeastRounds+1)
	}
	for _, v := range spec.Variants {
		waits := time.Duration(spec.LatencyMeanMS*float64(time.Millisecond)) / time.Duration(stepfunctions.InFlight(spec, v))
		for _, power := range spec.PowerValues {
			d += time.Duration(spec.Times()*rounds*spec.Repeat) * max(waits, cpuPerRead*platform.MemoryPerVCPU/time.Duration(power))
		}
	}
	return d
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
		measured := slices.DeleteFunc(bounded(), func(n string) bool { return len(names) > 0 && !slices.Contains(names, n) })
		more, err := p.variants(measured, []*int{&predicted.Concurrency})
		if err != nil {
			return err
		}
		c.Add(more...)
		return tune(ctx, c, observe)
	}
}
