package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local/lambda"
	"lambda-parallel-io/tune/profile"
)

// Variables for tests.
var (
	// closing is how long a frozen process surely keeps its connections: the handler closes unused ones after 10 s.
	closing = 5 * time.Second
	// warmTime ends a warm-up that has not made its warmReads.
	warmTime = time.Second
)

// Warm-up: warmReads reads or warmTime, without a CPU quota and without latency. The first 500 reads of a process
// take two to three times their later CPU time, and the next 2,000 up to 1.5 times.
const (
	warmReads = 3_000
	warmCalls = 29   // the most
	noQuota   = 1e-4 // vCPUs per core: the quota is then thousands of cores
)

// Tune measures the cells of c, which has none yet, by memory size. It begins with the largest size: its rounds are
// the shortest and depend most on the variant. A cell that fails holds its cause. The first call builds the function.
// The error is the model's own, the cause of ctx or that of observe. Cells then keep the rounds that were complete.
func (t *Tuner) Tune(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	if err := t.prepare(ctx, c, observe); err != nil {
		return err
	}
	r := race{t: t, c: c, observe: observe, order: rand.New(rand.NewPCG(c.Run.Seed, 0))}
	r.Step, r.Total = "measuring", len(c.Variants)*len(c.Run.PowerValues)
	end := time.Now().Add(time.Duration(c.Run.ForSec * float64(time.Second)))
	for i, power := range slices.Backward(c.Run.PowerValues) {
		if err := r.run(ctx, power, time.Now().Add(time.Until(end)/time.Duration(i+1))); err != nil {
			return err
		}
	}
	return nil
}

// A race measures the cells of one memory size side by side. In round k every variant has its turn with the latencies
// of k, in random order, so that other load on the machine affects all alike. Between turns its process is frozen.
type race struct {
	t       *Tuner
	c       *comparison.Comparison
	observe func(comparison.Progress) error
	order   *rand.Rand
	comparison.Progress

	power  int
	racers []*racer  // one per variant
	end    time.Time // of this size, unless the number of rounds is fixed
}

// racer is a variant in a race.
type racer struct {
	*comparison.Result
	cell  comparison.Cell
	f     *lambda.Function  // nil once it has left the race
	ended time.Time         // of its last turn
	last  lambda.Invocation // of this round

	total, cpu, delay time.Duration
	used              float64       // vCPUs x seconds
	took              time.Duration // real time of its turns
}

// run makes the rounds of a memory size. Each racer leaves with the rounds that were complete.
func (r *race) run(ctx context.Context, power int, end time.Time) (err error) {
	r.power, r.racers, r.end = power, nil, end
	defer func() {
		for _, v := range r.running() {
			err = errors.Join(err, r.leave(v))
		}
	}()
	for i := range r.c.Variants {
		v := &racer{Result: &r.c.Variants[i], cell: comparison.Cell{Power: power}}
		v.f = r.t.function(r.c.Run, cmp.Or(v.Function, r.c.Run.Function), power)
		r.racers = append(r.racers, v)
	}
	for k := 0; ; k++ { // 0 is the warm-up
		running := r.running()
		r.order.Shuffle(len(running), func(i, j int) { running[i], running[j] = running[j], running[i] })
		for _, v := range running {
			begin := time.Now()
			if err := r.turn(ctx, v, k); err != nil {
				return err
			}
			if v.ended = time.Now(); k > 0 {
				v.took += v.ended.Sub(begin)
			}
		}
		for _, v := range running {
			v.count(k)
		}
		for _, v := range running {
			if v.cell.Error != "" || r.settled(v, k) {
				if err := r.leave(v); err != nil {
					return err
				}
			}
		}
		if r.over(k) {
			return nil
		}
	}
}

// running returns the racers in the race.
func (r *race) running() []*racer {
	return slices.DeleteFunc(slices.Clone(r.racers), func(v *racer) bool { return v.f == nil })
}

// settled reports whether the comparison of a variant with the best one is decided after round k.
func (r *race) settled(v *racer, k int) bool {
	best := comparison.Least(r.c, r.racers, func(v *racer) *comparison.Cell { return &v.cell }, comparison.Duration)
	if r.c.Run.ForSec == 0 || best == nil || best == v {
		return false
	}
	looks := r.c.Run.Looks()
	of := comparison.Compare(v.cell.DurationsMS, best.cell.DurationsMS, len(looks))
	return of.Verdict == comparison.Out || of.Verdict != comparison.Open && slices.Contains(looks, k) ||
		best.f == nil && k >= len(best.cell.DurationsMS) // there will be no more pairs
}

// over reports whether round k is the last. The last racer goes on to the first look, so that it can be compared with
// other sizes. Otherwise the race ends when the next look would come too late.
func (r *race) over(k int) bool {
	looks, running := r.c.Run.Looks(), r.running()
	if k >= r.c.Run.Num || len(running) == 0 || len(running) == 1 && k >= looks[0] {
		return true
	}
	if r.c.Run.ForSec == 0 || k < leastRounds {
		return false
	}
	next := looks[slices.IndexFunc(looks, func(n int) bool { return n > k })]
	end := r.end
	if k < looks[0] {
		end = end.Add(time.Duration(r.c.Run.ForSec / 3 * float64(time.Second))) // nothing is known about this size yet
	}
	var took time.Duration
	for _, v := range running {
		took += v.took
	}
	return time.Now().Add(time.Duration(next-k) * took / time.Duration(k)).After(end)
}

// leave ends a variant's environment and puts its cell into the comparison.
func (r *race) leave(v *racer) error {
	v.f.Close()
	v.f = nil
	ms := v.cell.DurationsMS
	if len(ms) == 0 && v.cell.Error == "" {
		return nil // interrupted in its warm-up
	}
	v.Cells = slices.Insert(v.Cells, 0, v.cell) // the sizes come in descending order
	r.Done, r.Changed = r.Done+1, true
	how := cmp.Or(v.cell.Error, fmt.Sprintf("median %.1f ms of %d", comparison.Median(ms), len(ms)))
	r.Finished = fmt.Sprintf("%s at %d MB: %s", v.Label(), r.power, how)
	return r.observe(r.Progress)
}

// turn invokes a variant with the latencies of round k. Round 0 has the cold start and a warm-up. After a long pause
// one more invocation reopens the connections.
func (r *race) turn(ctx context.Context, v *racer, k int) error {
	r.Now, r.Finished, r.Changed = fmt.Sprintf("%s at %d MB", v.Label(), r.power), "", false
	if err := r.observe(r.Progress); err != nil {
		return err
	}
	v.f.Speed = r.t.coreSpeed(r.c.Run)
	if k == 0 || time.Since(v.ended) > closing {
		r.begin(r.t.latency, 0)
		payload, reads := r.c.Run.WarmUp(v.Variant)
		if err := r.invoke(ctx, v, k, payload, reads); err != nil || v.cell.Error != "" {
			return err
		}
	}
	if k == 0 {
		return r.warmUp(ctx, v)
	}
	r.begin(r.t.latency, k)
	return r.invoke(ctx, v, k, v.Payload, r.c.Run.Repeat)
}

// begin gives the next invocation the latencies of round k.
func (r *race) begin(p profile.S3, k int) { r.t.s3.Begin(p, r.c.Run.Slow, r.c.Run.Seed, uint64(k)) }

// invoke makes an invocation of round k, which counts if it is the last of its turn. A failure ends up in the cell.
func (r *race) invoke(ctx context.Context, v *racer, k int, payload []byte, reads int) error {
	inv, failure, err := r.t.invoke(ctx, v.f, payload, reads)
	v.last, v.cell.MaxMemoryMB, v.cell.Requests = inv, max(v.cell.MaxMemoryMB, inv.MaxMemoryMB), r.t.s3.Requests()
	if failure != "" {
		failure = fmt.Sprintf("invocation %d of %d: %s", k+1, r.c.Run.Num+1, failure)
		v.cell = comparison.Cell{Power: r.power, MaxMemoryMB: inv.MaxMemoryMB, OutOfMemory: inv.OutOfMemory, Error: failure}
	}
	return err
}

// warmUp makes invocations that do not count. A failure ends them alone: with its quota the function may work.
func (r *race) warmUp(ctx context.Context, v *racer) error {
	if v.Sequential() { // it waits for S3 all the time
		return nil
	}
	v.f.Speed = noQuota
	begin, reads := time.Now(), 0
	for calls := 0; calls < warmCalls && reads < warmReads && time.Since(begin) <= warmTime; calls++ {
		r.begin(profile.S3{}, 0) // it is about reads, not time
		_, failure, err := r.t.invoke(ctx, v.f, v.Payload, r.c.Run.Repeat)
		if err != nil || failure != "" {
			return err
		}
		reads += cmp.Or(r.c.Run.Repeat, warmReads)
	}
	return nil
}

// count adds a variant's last invocation to its cell once the round is complete.
func (v *racer) count(k int) {
	cell, inv, ms := &v.cell, v.last, lambda.Milliseconds(v.last.Duration)
	switch {
	case cell.Error != "":
	case k == 0:
		cell.InitMS = lambda.Milliseconds(inv.Init)
		cell.WarmUp = &comparison.WarmUp{DurationMS: ms, BilledMS: inv.BilledMS}
	default:
		cell.DurationsMS, cell.BilledMS = append(cell.DurationsMS, ms), append(cell.BilledMS, inv.BilledMS)
		if cell.Response = inv.Response; len(inv.Response) > comparison.MaxResponse {
			cell.Response = nil
		}
		v.total += inv.Duration
		v.cpu += inv.CPU
		v.used += inv.CPU.Seconds() * v.f.Speed * float64(v.f.Slow.Times())
		v.delay += inv.RunDelay
		used, starved := v.used/v.total.Seconds(), v.delay.Seconds()/v.total.Seconds()
		cell.CPUShare = &comparison.CPUShare{Target: platform.VCPUs(cell.Power), Used: used, Starved: starved}
		cell.CoreMS = 1e3 * v.cpu.Seconds() / float64(len(cell.DurationsMS))
	}
}
