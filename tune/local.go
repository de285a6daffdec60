package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"

	"lambda-parallel-io/handler/build"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/profile"
)

// onThisMachine compares under the local model of Lambda and S3.
type onThisMachine struct {
	selection `group:"What to compare"`

	Function    string `first:"" group:"On this machine (Linux)" placeholder:"PATH" default:"./handler" help:"Go package, or executable that speaks the Lambda Runtime API (./handler). Another function is always measured."`
	local.Model `group:"On this machine (Linux)"`
	Max         *int           `group:"On this machine (Linux)" placeholder:"N" xor:"max" help:"At most N invocations per cell, until the fastest is known (${max})."`
	For         *time.Duration `group:"On this machine (Linux)" placeholder:"D" xor:"for" help:"Measure for at most this long, not counting the build (${for})."`
	Measure     bool           `first:"" group:"On this machine (Linux)" help:"Measure every cell instead of computing a map."`

	presentation `group:"Output" set:"dir=tune-results"`

	DryRun  bool `group:"Output" help:"Print what would run, and stop."`
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
		return usageError{err: asFlag(err)}
	}
	c := q.Comparison()
	if !q.Maps {
		warnTime(s, c.Run.Spec)
	}
	if l.DryRun {
		return printDryRun(s.stdout, l.JSON, q.Maps, c)
	}
	if l.Verbose {
		q.Options.Verbose, q.Options.Output = log.New(s.stderr, "", 0), s.stderr
	}
	if q.Maps {
		return l.with(s, q.Options, func(t *local.Tuner) error { return l.compute(ctx, s, c, t) })
	}
	return l.measure(ctx, s, c, q.Options)
}

// warnTime warns before a comparison that takes long, or longer than --for.
func warnTime(s *session, spec comparison.Spec) {
	d, asked := lasts(spec), time.Duration(spec.ForSec*float64(time.Second))
	if d > 2*time.Minute || asked > 0 && d > 3*asked/2 {
		fmt.Fprintf(s.stderr, "  This takes about %s: less by --strategies, --power, --repeat or --num.\n", about(d))
	}
}

// measure measures a comparison on this machine and presents it.
func (p *presentation) measure(ctx context.Context, s *session, c *comparison.Comparison, o local.Options) error {
	return p.with(s, o, func(t *local.Tuner) error {
		show := newProgress(s.stderr)
		show.building()
		return p.compare(ctx, s, show, c, t.Tune)
	})
}

// with calls do with a new tuner, and closes it.
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

// compute measures the cost of a read, computes the map, checks the answer, and
// presents the result.
func (p *presentation) compute(ctx context.Context, s *session, c *comparison.Comparison, t *local.Tuner) error {
	show := newProgress(s.stderr)
	defer show.end()
	show.building()
	if err := t.Calibrate(ctx, c, show.step("calibrating")); err != nil {
		return err
	}
	show.say("computing", "the map")
	begin := time.Now()
	if err := compute.Map(c, compute.Sizes); err != nil {
		return err
	}
	c.Map.Seconds = time.Since(begin).Seconds()
	c.Checks = compute.Checks(c)
	c.Recommend()
	err := t.Check(ctx, c, show.step("checking"))
	show.end()
	c.Run.Interrupted = err != nil
	return p.present(s, c, err)
}

// lasts estimates the duration of a comparison: 0 if its reads are not known, and
// that of the fewest rounds if their number is not fixed.
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

// about rounds a duration for people: 45 s, 3 min.
func about(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}

// question returns the question that the flags ask. It asks for a map unless one of
// them implies measuring.
func (l *onThisMachine) question() (local.Question, error) {
	r := l.request()
	r.Max, r.For, r.Ours = l.Max, l.For, build.Ours(l.Function)
	r.Spec.Function = l.Function
	r.Map = r.Ours && !l.Measure && l.Num == nil && l.Max == nil && l.For == nil && l.Slow == 1 && l.Objects == "" && !slices.Contains(l.Strategies, comparison.None)
	return l.Ask(r)
}
