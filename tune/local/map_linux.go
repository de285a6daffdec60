package local

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/local/lambda"
	"lambda-parallel-io/tune/simulate"
	"lambda-parallel-io/tune/slowmotion"
)

// The quotas of a calibration, as memory sizes in MB. At saturated the CPU is always busy. At roomy it idles between
// reads, and the extra cost of a read is its wake-up. The process has the memory of roomy throughout.
const (
	saturated = 512
	roomy     = platform.NewAccountMemory
)

// Variables for the benchmark.
var (
	calibrations = 2 // how often the loads are called
	checkRounds  = 2
)

// load returns a call of a calibration, with the CPU of a memory size.
func load(run comparison.Run, strategy string, inFlight, reads, memoryMB int) compute.Load {
	m := machine(run, memoryMB)
	m.MemoryMB = roomy
	return compute.Load{Strategy: strategy, Invocation: simulate.Invocation{Machine: m, Reads: reads, Workers: inFlight}}
}

// round returns the loads of a round. The first opens all connections. After it the process is as warm for many reads
// in flight as one that makes no other calls. The others are measured. A call costs some ms of CPU time whatever it
// reads, so few reads would make each seem dearer.
func round(run comparison.Run) []compute.Load {
	const most, pool = event.MaxConcurrency, event.DefaultStrategy
	opening := load(run, "unbounded", most, most, roomy)
	all := []compute.Load{opening, opening, load(run, "unbounded", most, most, saturated)}
	for _, n := range []int{240, 120} {
		all = append(all, load(run, pool, n, 600, roomy), load(run, pool, n, 600, saturated))
	}
	for _, name := range comparison.BoundedStrategies() {
		all = append(all, load(run, name, compute.Busy, 600, saturated))
	}
	return append(all, load(run, pool, 15, 300, roomy), load(run, "sequential", 1, 40, platform.MemoryPerVCPU))
}

// Map measures what a read costs, computes the map of c, and checks its answer.
func (t *Tuner) Map(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	err := t.Calibrate(ctx, c, observe)
	if err == nil {
		err = observe(comparison.Progress{Step: "computing", Now: "the map"})
	}
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := compute.Map(c, compute.Sizes); err != nil {
		return err
	}
	c.Map.Seconds = time.Since(begin).Seconds()
	c.Checks = compute.Checks(c)
	return t.Check(ctx, c, observe)
}

// Calibrate puts into c what a read costs by each strategy. One warm process, whose quota changes, gets all loads.
func (t *Tuner) Calibrate(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	if err := t.prepare(ctx, c, observe); err != nil {
		return err
	}
	begin := time.Now() // without the build of the function
	run := c.Run
	run.TimeoutSec = comparison.DefaultTimeout.Seconds() // the loads are not the question's invocations
	f := t.function(run, run.Function, roomy)
	defer f.Close()
	one := round(run)
	warmUp := load(run, event.DefaultStrategy, compute.Busy, warmReads, roomy)
	loads := append([]compute.Load{warmUp}, slices.Repeat(one, calibrations)...)
	var measured []compute.Load
	var cores []float64
	before, reads := cpuTime(unix.CLOCK_PROCESS_CPUTIME_ID), 0
	news := comparison.Progress{Step: "calibrating", Total: len(loads)}
	for i := range loads {
		l := &loads[i]
		if news.Done, news.Now = i, fmt.Sprintf("%s, %d reads at once", l.Strategy, l.Workers); i == 0 {
			news.Now = "a warm-up"
		}
		if err := observe(news); err != nil {
			return err
		}
		if err := t.call(ctx, f, c, l, i); err != nil {
			return err
		}
		if reads += l.Reads; (i-1)%len(one) > 0 { // neither the warm-up nor the first of a round
			measured, cores = append(measured, *l), append(cores, l.CoreVCPUs)
		}
	}
	t.perGET = (cpuTime(unix.CLOCK_PROCESS_CPUTIME_ID) - before).Seconds() * 1e3 / float64(reads)
	c.Calibration = compute.Calibrate(loads[0], loads[1], measured, c.Run.ObjectBytes)
	c.Calibration.Source, c.Calibration.Core = "this machine", compute.Figure(cores, "vCPUs")
	c.Calibration.Seconds = time.Since(begin).Seconds()
	if c.Calibration.CPU(event.DefaultStrategy).Value == 0 { // wake-ups, which other programs make dear, seem to be all
		return errors.New("calibrating: a read seems to take no CPU time, so this machine is too busy to tell: close other programs and run it again")
	}
	news.Done = len(loads)
	return observe(news)
}

// call makes call k and enters into l what it measures. The latencies are its own. The simulation adds any SlowDown.
func (t *Tuner) call(ctx context.Context, f *lambda.Function, c *comparison.Comparison, l *compute.Load, k int) error {
	core := t.coreSpeed(c.Run)
	f.Speed, f.VCPUs = core, l.VCPUs
	unlimited := t.latency
	unlimited.GetsPerSecond = 0
	t.s3.Begin(unlimited, f.Slow, c.Run.Seed, uint64(k))
	v := comparison.Place{Strategy: l.Strategy, Concurrency: &l.Workers}.Variant(c.Run.ObjectKey, l.Reads)
	inv, failure, err := t.invoke(ctx, f, v.Payload, l.Reads)
	if err != nil {
		return err
	} else if failure != "" {
		return fmt.Errorf("calibrating by %d reads, %d at once, by %s: %s", l.Reads, l.Workers, l.Strategy, failure)
	}
	var a event.Answer
	_ = json.Unmarshal(inv.Response, &a) // invoke has decoded it
	l.CoreVCPUs, l.S3, l.Draw = core, t.latency, simulate.NewDraw(t.latency, c.Run.Seed, uint64(k), l.Reads)
	l.Measured = simulate.Result{DurationMS: inv.Duration.Seconds() * 1e3, CPUMS: inv.CPU.Seconds() * 1e3 * core,
		Connections: int(a.Connections), PeakMB: float64(inv.MaxMemoryMB)}
	return nil
}

// machine is what a function of a memory size has on this machine, in the time of slow motion.
func machine(run comparison.Run, memoryMB int) simulate.Machine {
	m := simulate.Lambda(memoryMB, run.Arch)
	m.Cores = max(1, min(m.Cores, int(math.Ceil(run.CPUs))))
	m.CoreVCPUs = run.VCPUs(1)
	return m
}

const (
	checkTime  = 12 * time.Second        // for all checks together
	checkSetUp = 1500 * time.Millisecond // about, for the cold start and the warm-up of one

	// maxUse is the share of the cores that a check may use in real time. With more it runs in slow motion.
	maxUse = 0.45

	// maxStarved bounds for how many cores the function's threads may have waited.
	maxStarved = 0.5
)

// Check measures the checks of c, and computes each for this machine, slow motion and the latencies drawn. Unchecked
// gives the reason if there was no time for one or the machine was too busy.
func (t *Tuner) Check(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	end := time.Now().Add(checkTime)
	for pass := range 3 { // one that was starved comes again, in slower motion, after the others
		for i := range c.Checks {
			k := &c.Checks[i]
			if pass == 0 {
				k.Unchecked = "there was no time"
			} else if k.Unchecked == "" {
				continue
			}
			slow := cmp.Or(2*slowmotion.Factor(k.Slow), t.slowFor(c, k))
			if slow > comparison.MaxSlow || time.Until(end) < lasts(c, k, slow) {
				continue
			}
			if err := observe(comparison.Progress{Step: "checking", Done: i, Total: len(c.Checks), Now: k.Name()}); err != nil {
				return err
			}
			if _, err := t.check(ctx, c, k, slow, func(comparison.Progress) error { return nil }); err != nil {
				k.Unchecked = "" // the run was stopped
				return err
			}
			if k.Starved > maxStarved {
				k.Unchecked = fmt.Sprintf("its threads waited for %.1f cores of this machine", k.Starved)
			}
		}
	}
	return observe(comparison.Progress{Step: "checking", Done: len(c.Checks), Total: len(c.Checks), Changed: true})
}

// lasts returns about how long a check takes, whose cold start opens its connections.
func lasts(c *comparison.Comparison, k *comparison.Check, slow slowmotion.Factor) time.Duration {
	p := cmp.Or(c.Map.At(k.Place), c.Map.Answer.Sequential) // which is computed even where it is not compared
	connections := min(*cmp.Or(k.Concurrency, &k.Repeat), k.Repeat, event.MaxConcurrency)
	opening := float64(connections) * c.Calibration.Handshake.Value / platform.VCPUs(k.Power)
	ms := opening + float64(checkRounds)*p.DurationMS*float64(k.Repeat)/float64(c.Run.Repeat)
	return checkSetUp + slow.Stretch(time.Duration(ms*float64(time.Millisecond)))
}

// slowFor returns the slow-motion factor at which this machine can keep up with a check and the local S3's work.
func (t *Tuner) slowFor(c *comparison.Comparison, k *comparison.Check) slowmotion.Factor {
	for slow := slowmotion.Factor(1); ; slow++ {
		ms, cpuMS := t.computed(c, k, slow, compute.Middle)
		cores := (cpuMS/c.Run.VCPUs(1) + t.perGET*float64(k.Repeat)) / (ms * float64(slow))
		if cores <= maxUse*c.Run.CPUs || slow == comparison.MaxSlow {
			return slow
		}
	}
}

// computed returns the medians of a check's rounds, simulated on this machine.
func (t *Tuner) computed(c *comparison.Comparison, k *comparison.Check, slow slowmotion.Factor, of compute.Pick) (ms, cpuMS float64) {
	run := c.Run
	run.Slow = slow
	in := compute.OnLambda(c, k.Place, t.latency, k.Repeat, of)
	in.Machine, in.Costs = machine(run, k.Power), compute.Costs(c.Calibration, k.Strategy, of)
	in.Late /= float64(slow)
	var durations, cpu []float64
	for _, r := range in.Runs(simulate.Draws(t.latency, run.Seed, checkRounds, k.Repeat)) {
		durations, cpu = append(durations, r.DurationMS), append(cpu, r.CPUMS)
	}
	return comparison.Median(durations), comparison.Median(cpu)
}

// check measures and computes one check, and returns what its rounds took, in ms. If one fails, Unchecked says why,
// and there is no time. It calls observe before each round.
func (t *Tuner) check(ctx context.Context, c *comparison.Comparison, k *comparison.Check, slow slowmotion.Factor, observe func(comparison.Progress) error) ([]float64, error) {
	spec := c.Run.Spec
	spec.PowerValues, spec.Num, spec.ForSec, spec.Repeat, spec.Slow = []int{k.Power}, checkRounds, 0, k.Repeat, slow
	spec.TimeoutSec = comparison.DefaultTimeout.Seconds() // the map has told what does not end in time
	spec.Variants = []comparison.Variant{k.Variant(c.Run.ObjectKey, k.Repeat)}
	once := comparison.New(spec, c.Run.Time)
	once.Run.CPUs, once.Run.CPU = c.Run.CPUs, c.Run.CPU
	if err := t.Tune(ctx, once, observe); err != nil {
		return nil, err
	}
	cell := once.Variants[0].Cell(k.Power)
	if cell.Error != "" {
		k.Unchecked = cell.Error
		return nil, nil
	}
	k.MeasuredMS, k.Slow, k.Starved, k.Unchecked = comparison.Median(cell.DurationsMS), int(slow), cell.CPUShare.Starved, ""
	t.compute(c, k, slow)
	return cell.DurationsMS, nil
}

// compute computes the time of a check that was measured.
func (t *Tuner) compute(c *comparison.Comparison, k *comparison.Check, slow slowmotion.Factor) {
	k.ComputedMS, _ = t.computed(c, k, slow, compute.Middle)
	low, _ := t.computed(c, k, slow, compute.Low)
	high, _ := t.computed(c, k, slow, compute.High)
	k.LowMS, k.HighMS = min(low, k.ComputedMS), max(high, k.ComputedMS)
}
