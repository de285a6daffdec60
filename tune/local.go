package main

import (
	"cmp"
	"context"
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

	"lambda-parallel-io/handler/build"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/slowmotion"
)

// onThisMachine compares under the local model of Lambda and S3.
type onThisMachine struct {
	selection `group:"What to compare"`

	Latency  string         `first:"" group:"On this machine (Linux)" placeholder:"NAME" default:"apg" help:"S3's latency: a profile (apg, public, express, none), 15ms, 13ms~0.62 (median and sigma) or 1.3xapg (apg)."`
	CPU      string         `name:"cpu" group:"On this machine (Linux)" placeholder:"FACTOR" help:"vCPUs per core of this machine, ${min_factor} to ${max_factor}, or a multiplier of the measured speed such as 0.8x (1x)."`
	Slow     int            `group:"On this machine (Linux)" placeholder:"N" default:"1" help:"Run N times slower than real time, up to ${max_slow}, so that a small machine can keep up; figures are scaled back (1)."`
	Seed     uint64         `group:"On this machine (Linux)" placeholder:"N" default:"1" help:"Seed of the latencies (1)."`
	Object   string         `group:"On this machine (Linux)" placeholder:"FILE" xor:"objects" help:"File that the local S3 holds (sample.json)."`
	Objects  string         `group:"On this machine (Linux)" placeholder:"DIR" xor:"objects" help:"Folder whose files the local S3 holds, each read once, or objects to make: 2000x9KB, 2000x4KB-1MB."`
	Prefix   *string        `group:"On this machine (Linux)" placeholder:"P" help:"Read only those --objects whose keys begin with P."`
	Max      *int           `group:"On this machine (Linux)" placeholder:"N" xor:"max" help:"At most N invocations a cell, while it is open which is faster (${max})."`
	For      *time.Duration `group:"On this machine (Linux)" placeholder:"D" xor:"for" help:"Measure for at most this long, not counting the build (${for})."`
	Measure  bool           `first:"" group:"On this machine (Linux)" help:"Measure every cell instead of computing a map."`
	Function string         `first:"" group:"On this machine (Linux)" placeholder:"PATH" default:"./handler" help:"Go package, or executable that speaks the Lambda Runtime API (./handler). Any other function than this one is measured."`
	Env      []string       `group:"On this machine (Linux)" placeholder:"KEY=VALUE" sep:"none" help:"Environment variable of the function. The flag may be repeated."`

	presentation `group:"Output"`

	DryRun  bool `group:"Output" help:"Print what would be run, and stop."`
	Verbose bool `group:"Output" short:"v" help:"Print each invocation's REPORT line and the function's log."`
}

func (l *onThisMachine) Help() string {
	return `Examples

  go run ./tune --repeat 10000 --arch x86_64
  go run ./tune --measure --strategies pool --concurrency 10,30 --power 512
  go run ./tune --function ./mine --payload '{"orders": 5}'`
}

func (l *onThisMachine) Run(ctx context.Context, s *session) error {
	q, err := l.question()
	if err != nil {
		return usageError{err: err}
	}
	c := q.comparison()
	if !q.maps {
		warnTime(s, c.Run.Spec)
	}
	if l.DryRun {
		return printDryRun(s.stdout, l.JSON, q.maps, c)
	}
	if l.Verbose {
		q.options.Verbose, q.options.Output = log.New(s.stderr, "", 0), s.stderr
	}
	if q.maps {
		return l.with(s, q.options, func(t *local.Tuner) error { return l.compute(ctx, s, c, t) })
	}
	return l.measure(ctx, s, c, q.options)
}

// warnTime says before a comparison that it takes long, or longer than --for.
func warnTime(s *session, spec comparison.Spec) {
	d, asked := lasts(spec), time.Duration(spec.ForSec*float64(time.Second))
	if d > 2*time.Minute || asked > 0 && d > 3*asked/2 {
		fmt.Fprintf(s.stderr, "  This takes about %s: less by --strategies, --power, --repeat or --num.\n", about(d))
	}
}

// measure makes a comparison on this machine and presents it.
func (p *presentation) measure(ctx context.Context, s *session, c *comparison.Comparison, o local.Options) error {
	return p.with(s, o, func(t *local.Tuner) error { return p.compare(ctx, s, c, t.Tune) })
}

// with makes a tuner for what do does.
func (p *presentation) with(s *session, o local.Options, do func(*local.Tuner) error) error {
	if err := cmp.Or(refuseUnfinished(p.Dir), writable(p.Dir)); err != nil {
		return err
	}
	t, err := local.New(o)
	if err != nil {
		return err
	}
	abandon := t.Abandon
	s.abandon.Store(&abandon) // where the program leaves at once
	return errors.Join(do(t), t.Close())
}

// compute measures what a read costs, computes the map, checks the answer, and
// presents what there is.
func (p *presentation) compute(ctx context.Context, s *session, c *comparison.Comparison, t *local.Tuner) error {
	show := newProgress(s.stderr)
	defer show.end()
	show.say("building", "the function, which takes about 90 s the first time on a machine")
	if err := t.Calibrate(ctx, c, show.step("calibrating")); err != nil {
		return err
	}
	show.say("computing", "the map")
	if err := compute.Map(c, compute.Sizes, comparison.LambdaWakeUpMS); err != nil {
		return err
	}
	c.Checks = compute.Checks(c)
	c.Recommend()
	err := t.Check(ctx, c, show.step("checking"))
	show.end()
	c.Run.Interrupted = err != nil
	return p.present(s, c, err)
}

// question is what is measured on this machine.
type question struct {
	spec    comparison.Spec
	cpu     *comparison.CPU // nil: measured
	options local.Options
	maps    bool // whether it is computed
}

func (q question) comparison() *comparison.Comparison {
	c := comparison.New(q.spec, time.Now())
	c.Run.OS = runtime.GOOS + "/" + runtime.GOARCH
	c.Run.CPUs, c.Run.CPULimit = local.Cores()
	c.Run.CPU = q.cpu
	return c
}

// question reads the flags, and what they name.
func (l *onThisMachine) question() (q question, err error) {
	r := l.request()
	r.Max, r.For = l.Max, l.For
	latency, err := profile.Parse(l.Latency)
	if err != nil {
		return q, fmt.Errorf("--%w", err)
	}
	if q.cpu, err = speed(l.CPU); err != nil {
		return q, err
	}
	if l.Slow < 1 || l.Slow > comparison.MaxSlow {
		return q, fmt.Errorf("--slow %d: it must be a whole number from 1 to %d", l.Slow, comparison.MaxSlow)
	}
	if most := time.Second; l.Slow > 1 && time.Duration(l.Slow)*latency.Mean() > most {
		return q, fmt.Errorf("--slow %d: reads would take more than %s, of which the function gives up some after 10 s: lower it, or --latency %s", l.Slow, most, latency)
	}
	for _, e := range l.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return q, fmt.Errorf("--env %s: it must be KEY=VALUE", e)
		}
	}
	r.Spec.Region, r.Spec.Function, r.Spec.Slow, r.Spec.Seed = platform.PricesRegion, l.Function, slowmotion.Factor(l.Slow), l.Seed
	r.Spec.Latency, r.Spec.LatencyMeanMS = latency.String(), float64(latency.Mean().Microseconds())/1e3
	r.Ours = build.Ours(l.Function)
	q.options.Env = l.Env
	objects, unread := l.stored(&r)
	if q.options.Objects = objects; unread != nil && l.Objects+l.Object != "" || l.Prefix != nil && objects == nil {
		return q, unread
	}
	r.Map = r.Ours && !l.Measure && l.Num == nil && l.Max == nil && l.For == nil && l.Slow == 1 && l.Objects == "" && !slices.Contains(l.Strategies, comparison.None)
	q.spec, err = comparison.Build(r)
	if err == nil && r.Map && q.spec.Objects != nil {
		r.Map = false // objects of which each is read once cannot calibrate
		q.spec, err = comparison.Build(r)
	}
	q.maps = r.Map
	return q, cmp.Or(asFlag(err), unread) // a wrong value is told before a file that is not there
}

// speed reads --cpu: how many vCPUs a core of this machine is, or so many times
// what is measured. It returns nil where that is left out.
func speed(flag string) (*comparison.CPU, error) {
	if flag == "" {
		return nil, nil
	}
	number, times := strings.CutSuffix(flag, "x")
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !(f >= comparison.MinFactor && f <= comparison.MaxFactor) {
		return nil, fmt.Errorf("--cpu %s: it must be from %g to %g, or so many times what is measured, as in 0.8x", flag, comparison.MinFactor, comparison.MaxFactor)
	}
	cpu := &comparison.CPU{Factor: f, Source: "--cpu " + flag}
	if times {
		cpu.Scale = f
	}
	return cpu, nil
}

// stored returns what S3 holds, and tells the request of it.
func (l *onThisMachine) stored(r *comparison.Request) (objects []local.Object, err error) {
	switch {
	case l.Objects != "":
		r.Prefix, r.PrefixWins = cmp.Or(l.Prefix, new(string)), l.Prefix != nil
		if objects, err = local.ParseObjects(l.Objects, *r.Prefix, l.Seed); err != nil {
			return nil, fmt.Errorf("--objects %s: %w", l.Objects, err)
		}
		r.MaxObjects = len(objects)
		for _, o := range objects {
			r.Stored = append(r.Stored, comparison.Stored{Key: o.Key, Size: o.Size})
		}
		return objects, nil
	case l.Prefix != nil:
		return nil, errors.New("--prefix says which of --objects: name a folder, or objects to make")
	}
	// The key of a file is its path below the working directory, else its name.
	file := cmp.Or(l.Object, "sample.json")
	r.ObjectKey = file
	if !filepath.IsLocal(file) {
		r.ObjectKey = filepath.Base(file)
	}
	r.ObjectKey = filepath.ToSlash(filepath.Clean(r.ObjectKey))
	if r.BodyOfObject, err = os.ReadFile(file); errors.Is(err, os.ErrNotExist) && l.Object == "" {
		return nil, fmt.Errorf("%w\nrun it in the root of the clone, or name an object: --object FILE", err)
	} else if err != nil {
		return nil, fmt.Errorf("--object: %w", err)
	}
	body := func() ([]byte, error) { return r.BodyOfObject, nil }
	return []local.Object{{Key: r.ObjectKey, Body: body}}, nil
}

// lasts estimates how long a comparison takes. It is 0 where its reads are not
// known. Where the rounds are not fixed these are the least ones, which count in
// any case.
func lasts(spec comparison.Spec) (d time.Duration) {
	rounds := spec.Num + 1
	if spec.ForSec > 0 {
		rounds = min(rounds, local.LeastRounds+1)
	}
	reads := compute.Assumed{S3: profile.MustParse(spec.Latency), CPUMS: compute.ReadCPU}
	for _, v := range spec.Variants {
		for _, power := range spec.PowerValues {
			d += time.Duration(spec.Slow.Times()*rounds) * compute.Estimate(spec, v, power, reads)
		}
	}
	return d
}

// about writes a duration as one says it: 45 s, 3 min.
func about(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}
