package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
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

// The quotas of a calibration, as memory sizes in MB. At saturated the CPU is
// always busy. At roomy it idles between reads, and the extra cost of a read is its
// wake-up. The process has the memory of roomy throughout.
const (
	saturated = 512
	roomy     = platform.NewAccountMemory

	crowd = event.MaxConcurrency // the most reads in flight
)

// load is a call of a calibration.
type load struct {
	strategy        string
	inFlight, reads int
	memoryMB        int
}

// opening is the call before each round. In the first it opens all connections. After it
// the process is as warm for many reads in flight as one that makes no other calls.
var opening = load{"unbounded", crowd, crowd, roomy}

// loads are those of a round. A call costs some ms of CPU time whatever it reads, so few
// reads would make each seem dearer.
func loads() []load {
	all := []load{opening, {"unbounded", crowd, crowd, saturated},
		{event.DefaultStrategy, 240, 600, roomy}, {event.DefaultStrategy, 240, 600, saturated},
		{event.DefaultStrategy, 120, 600, roomy}, {event.DefaultStrategy, 120, 600, saturated}}
	for _, s := range strategies.All() {
		if s.Bounded {
			all = append(all, load{s.Name, compute.Busy, 600, saturated})
		}
	}
	return append(all, load{event.DefaultStrategy, 15, 300, roomy}, load{"sequential", 1, 40, platform.MemoryPerVCPU})
}

// calibrations is how often the loads are called: a variable for the benchmark.
var calibrations = 2

// Calibrate measures what a read costs by each strategy and puts it into c. It calls
// the loads one after the other in one warm process whose quota changes.
func (t *Tuner) Calibrate(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) (err error) {
	if err := t.prepare(ctx, c); err != nil {
		return err
	}
	begin := time.Now() // without the build of the function
	run := c.Run
	run.TimeoutSec = comparison.DefaultTimeout.Seconds() // the loads are not the question's invocations
	f, err := t.function(run, roomy)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.retire(f)) }()
	all := loads()
	if err := observe(comparison.Progress{Total: calibrations * len(all), Now: "a warm-up"}); err != nil {
		return err
	}
	// The cold start and the warm-up.
	warm, err := t.load(ctx, f, c, load{event.DefaultStrategy, compute.Busy, warmReads, roomy}, 0)
	if err != nil {
		return err
	}
	var opened compute.Load
	var called []compute.Load
	var cores []float64
	reads, before := 0, processorTime()
	for i := range calibrations * len(all) {
		if i%len(all) == 0 {
			o, err := t.load(ctx, f, c, opening, 0)
			if err != nil {
				return err
			} else if i == 0 {
				opened = o
			}
		}
		l := all[i%len(all)]
		now := fmt.Sprintf("%s, %d reads at once", l.strategy, l.inFlight)
		if err := observe(comparison.Progress{Done: i, Total: calibrations * len(all), Now: now}); err != nil {
			return err
		}
		measured, err := t.load(ctx, f, c, l, i+1)
		if err != nil {
			return err
		}
		called, cores, reads = append(called, measured), append(cores, measured.CoreVCPUs), reads+l.reads
	}
	t.perGET = (processorTime() - before).Seconds() * 1e3 / float64(reads)
	c.Calibration = compute.Calibrate(warm, opened, called, c.Run.ObjectBytes)
	c.Calibration.Source, c.Calibration.Core = "this machine", compute.Figure(cores, "vCPUs")
	c.Calibration.Seconds = time.Since(begin).Seconds()
	return observe(comparison.Progress{Done: len(called), Total: len(called)})
}

// load makes call k, with its own latencies and no SlowDown, which the simulation adds.
func (t *Tuner) load(ctx context.Context, f *lambda.Function, c *comparison.Comparison, l load, k int) (m compute.Load, err error) {
	core, err := t.coreSpeed(c.Run)
	if err != nil {
		return m, err
	}
	f.SetQuota(core, platform.VCPUs(l.memoryMB))
	t.s3.BeginUnlimited(k)
	inv, err := f.Invoke(ctx, payload(c, l.strategy, l.inFlight, l.reads))
	if err != nil {
		return m, err
	}
	t.Verbose.Print(inv.Report(roomy))
	var a event.Answer
	if failure := invalid(inv, l.reads); failure != "" {
		return m, fmt.Errorf("calibrating by %d reads, %d at once, by %s: %s", l.reads, l.inFlight, l.strategy, failure)
	} else if err := json.Unmarshal(inv.Response, &a); err != nil {
		return m, fmt.Errorf("calibrating: the function's answer: %w", err)
	}
	machine := t.machine(c.Run, l.memoryMB, core, 1)
	machine.MemoryMB = roomy
	return compute.Load{Strategy: l.strategy,
		Invocation: simulate.Invocation{Machine: machine, S3: t.latency, Reads: l.reads, Workers: l.inFlight},
		Draw:       simulate.NewDraw(t.latency, c.Run.Seed, uint64(k), l.reads),
		Measured: simulate.Result{DurationMS: inv.Duration.Seconds() * 1e3, CPUMS: inv.CPU.Seconds() * 1e3 * core,
			Connections: int(a.Connections), PeakMB: float64(inv.MaxMemoryMB)}}, nil
}

// payload asks this project's function for reads of the object.
func payload(c *comparison.Comparison, strategy string, inFlight, reads int) []byte {
	p := event.Payload{Strategy: strategy, Repeat: reads, ObjectKey: c.Run.ObjectKey}
	if s, _ := strategies.ByName(strategy); s.Bounded {
		p.Concurrency = inFlight
	}
	raw, _ := json.Marshal(p) // strings and numbers always marshal
	return raw
}

// machine is what a function of a memory size has on this machine, in the time of
// slow motion. core is in vCPUs.
func (t *Tuner) machine(run comparison.Run, memoryMB int, core float64, slow slowmotion.Factor) simulate.Machine {
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
