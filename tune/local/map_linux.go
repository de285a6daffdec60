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
	"lambda-parallel-io/strategies"
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

// load is a call of a calibration.
type load struct {
	strategy        string
	inFlight, reads int
	memoryMB        int
}

// calibrations is how often the loads are called: a variable for the benchmark.
var calibrations = 2

// round returns the loads of a round. The first opens all connections. After it the process is as warm for many reads
// in flight as one that makes no other calls. The others are measured. A call costs some ms of CPU time whatever it
// reads, so few reads would make each seem dearer.
func round() []load {
	const most = event.MaxConcurrency
	opening := load{"unbounded", most, most, roomy}
	all := []load{opening, opening, {"unbounded", most, most, saturated}}
	for _, n := range []int{240, 120} {
		all = append(all, load{event.DefaultStrategy, n, 600, roomy}, load{event.DefaultStrategy, n, 600, saturated})
	}
	for _, s := range strategies.All() {
		if s.Bounded {
			all = append(all, load{s.Name, compute.Busy, 600, saturated})
		}
	}
	return append(all, load{event.DefaultStrategy, 15, 300, roomy}, load{"sequential", 1, 40, platform.MemoryPerVCPU})
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

// Calibrate measures what a read costs by each strategy and puts it into c. It calls the loads one after the other in
// one warm process whose quota changes.
func (t *Tuner) Calibrate(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) (err error) {
	if err := t.prepare(ctx, c, observe); err != nil {
		return err
	}
	begin := time.Now() // without the build of the function
	run := c.Run
	run.TimeoutSec = comparison.DefaultTimeout.Seconds() // the loads are not the question's invocations
	f, err := t.function(run, run.Function, roomy)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.retire(f)) }()
	one := round()
	loads := append([]load{{event.DefaultStrategy, compute.Busy, warmReads, roomy}}, slices.Repeat(one, calibrations)...)
	var calls, measured []compute.Load
	var cores []float64
	var before time.Duration
	reads := 0
	news := comparison.Progress{Step: "calibrating", Total: len(loads)}
	for i, l := range loads {
		if news.Done, news.Now = i, fmt.Sprintf("%s, %d reads at once", l.strategy, l.inFlight); i == 0 {
			news.Now = "a warm-up"
		}
		if err := observe(news); err != nil {
			return err
		}
		call, err := t.load(ctx, f, c, l, i)
		if err != nil {
			return err
		}
		if calls = append(calls, call); i == 0 {
			before = processorTime()
		} else if (i-1)%len(one) > 0 { // not the first of its round
			measured, cores, reads = append(measured, call), append(cores, call.CoreVCPUs), reads+l.reads
		}
	}
	t.perGET = (processorTime() - before).Seconds() * 1e3 / float64(reads)
	c.Calibration = compute.Calibrate(calls[0], calls[1], measured, c.Run.ObjectBytes)
	c.Calibration.Source, c.Calibration.Core = "this machine", compute.Figure(cores, "vCPUs")
	c.Calibration.Seconds = time.Since(begin).Seconds()
	news.Done = len(loads)
	return observe(news)
}

// load makes call k, with its own latencies and no SlowDown, which the simulation adds.
func (t *Tuner) load(ctx context.Context, f *lambda.Function, c *comparison.Comparison, l load, k int) (m compute.Load, err error) {
	core := t.coreSpeed(c.Run)
	f.SetQuota(core, platform.VCPUs(l.memoryMB))
	t.s3.BeginUnlimited(k)
	inv, failure, err := t.invoke(ctx, f, roomy, payload(c, l.strategy, &l.inFlight, l.reads), l.reads)
	if err != nil {
		return m, err
	} else if failure != "" {
		return m, fmt.Errorf("calibrating by %d reads, %d at once, by %s: %s", l.reads, l.inFlight, l.strategy, failure)
	}
	var a event.Answer
	_ = json.Unmarshal(inv.Response, &a) // invoke has decoded it
	on := machine(c.Run, l.memoryMB, core, 1)
	on.MemoryMB = roomy
	return compute.Load{Strategy: l.strategy,
		Invocation: simulate.Invocation{Machine: on, S3: t.latency, Reads: l.reads, Workers: l.inFlight},
		Draw:       simulate.NewDraw(t.latency, c.Run.Seed, uint64(k), l.reads),
		Measured: simulate.Result{DurationMS: inv.Duration.Seconds() * 1e3, CPUMS: inv.CPU.Seconds() * 1e3 * core,
			Connections: int(a.Connections), PeakMB: float64(inv.MaxMemoryMB)}}, nil
}

// payload asks this project's function for reads of the object.
func payload(c *comparison.Comparison, strategy string, concurrency *int, reads int) []byte {
	p := event.Payload{Strategy: strategy, Repeat: reads, ObjectKey: c.Run.ObjectKey}
	if s, _ := strategies.ByName(strategy); s.Bounded {
		p.Concurrency = *concurrency
	}
	raw, _ := json.Marshal(p) // strings and numbers always marshal
	return raw
}

// machine is what a function of a memory size has on this machine, in the time of slow motion. core is in vCPUs.
func machine(run comparison.Run, memoryMB int, core float64, slow slowmotion.Factor) simulate.Machine {
	m := simulate.Lambda(memoryMB, run.Arch)
	m.Cores = max(1, min(m.Cores, int(math.Ceil(run.CPUs))))
	m.CoreVCPUs = core * float64(slow.Times())
	return m
}

// processorTime is the CPU time that this process has used.
func processorTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // of this process, always
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const (
	checkTime   = 12 * time.Second        // for all checks together
	checkSetUp  = 1500 * time.Millisecond // about, for the cold start and the warm-up of one
	checkRounds = 2

	// maxUse is the share of the cores that a check may use in real time. A check that needs more runs in slow motion.
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
			slow := 2 * slowmotion.Factor(k.Slow)
			if slow == 0 {
				slow = t.slowFor(c, k)
			}
			if slow > comparison.MaxSlow || time.Until(end) < lasts(c, k, slow) {
				continue
			}
			if err := observe(comparison.Progress{Step: "checking", Done: i, Total: len(c.Checks), Now: k.Name()}); err != nil {
				return err
			}
			if _, err := t.check(ctx, c, k, slow, checkRounds, func(comparison.Progress) error { return nil }); err != nil {
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
	ms := opening + checkRounds*p.DurationMS*float64(k.Repeat)/float64(c.Run.Repeat)
	return checkSetUp + slow.Stretch(time.Duration(ms*float64(time.Millisecond)))
}

// slowFor returns the slow-motion factor at which this machine can keep up with a check, the local S3's work
// included.
func (t *Tuner) slowFor(c *comparison.Comparison, k *comparison.Check) slowmotion.Factor {
	core := c.Calibration.Core.Value
	for slow := slowmotion.Factor(1); ; slow++ {
		ms, cpuMS := t.computed(c, k, slow, core, 1, compute.Middle)
		cores := (cpuMS/core + t.perGET*float64(k.Repeat)) / (ms * float64(slow))
		if cores <= maxUse*c.Run.CPUs || slow == comparison.MaxSlow {
			return slow
		}
	}
}

// computed returns the medians of a check's first rounds: simulated on this machine, a core of which is worth so many
// vCPUs.
func (t *Tuner) computed(c *comparison.Comparison, k *comparison.Check, slow slowmotion.Factor, core float64, rounds int, of func(comparison.Figure) float64) (ms, cpuMS float64) {
	in := compute.OnLambda(c, k.Place, t.latency, k.Repeat, of)
	in.Machine, in.Costs = machine(c.Run, k.Power, core, slow), compute.Costs(c.Calibration, k.Strategy, of)
	in.Late /= float64(slow)
	var durations, cpu []float64
	for _, r := range in.Runs(simulate.Draws(t.latency, c.Run.Seed, rounds, k.Repeat)) {
		durations, cpu = append(durations, r.DurationMS), append(cpu, r.CPUMS)
	}
	return comparison.Median(durations), comparison.Median(cpu)
}

// check measures and computes one check, and returns what its rounds took, in ms. If one fails, Unchecked says why,
// and there is no time. It calls observe before each round.
func (t *Tuner) check(ctx context.Context, c *comparison.Comparison, k *comparison.Check, slow slowmotion.Factor, rounds int, observe func(comparison.Progress) error) ([]float64, error) {
	spec := c.Run.Spec
	spec.PowerValues, spec.Num, spec.ForSec, spec.Repeat, spec.Slow = []int{k.Power}, rounds, 0, k.Repeat, slow
	spec.TimeoutSec = comparison.DefaultTimeout.Seconds() // the map has told what does not end in time
	asked := payload(c, k.Strategy, k.Concurrency, k.Repeat)
	spec.Variants = []comparison.Variant{{Strategy: k.Strategy, Concurrency: k.Concurrency, Payload: asked}}
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
	t.compute(c, k, slow, rounds)
	return cell.DurationsMS, nil
}

// compute computes the time of a check that was measured.
func (t *Tuner) compute(c *comparison.Comparison, k *comparison.Check, slow slowmotion.Factor, rounds int) {
	core := c.Run.CPU.Factor
	k.ComputedMS, _ = t.computed(c, k, slow, core, rounds, compute.Middle)
	low, _ := t.computed(c, k, slow, core, rounds, compute.Low)
	high, _ := t.computed(c, k, slow, core, rounds, compute.High)
	k.LowMS, k.HighMS = min(low, k.ComputedMS), max(high, k.ComputedMS)
}
