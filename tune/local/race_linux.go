package local

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local/lambda"
)

// A race measures the cells of one memory size side by side: round k invokes
// every variant with the latencies of k, one after the other, in an order that
// changes, so that whatever else the machine does meets all of them alike.
// Between their turns their processes are frozen.
type race struct {
	*Tuner
	*comparison.Comparison
	power  int
	racers []*racer // one a variant
	tell   func(now string, done *racer) error
	order  *rand.Rand
	begin  time.Time
	pause  time.Duration // before a turn
	time   time.Duration // that it may take, where its number of rounds is not fixed
}

// racer is a variant in a race.
type racer struct {
	*comparison.Result
	cell  *comparison.Cell
	calls comparison.Calls
	f     *lambda.Function   // nil unless it is in the race
	ended time.Time          // its last invocation
	last  *lambda.Invocation // of the round that runs; nil before its turn

	speed float64 // in it, of a core, in vCPUs, in slow motion too

	total, cpu, delay time.Duration
	used              float64       // vCPUs x seconds
	took              time.Duration // its turns, on this machine's clock
}

// run makes the rounds. A cell is in its Result once it is whole; those of a
// race that was cut off have the rounds that were whole.
func (r *race) run(ctx context.Context) (err error) {
	r.begin = time.Now()
	defer func() {
		for _, v := range r.racers {
			if v.f != nil {
				err = errors.Join(err, r.leave(v))
			}
		}
	}()
	for i := range r.Variants {
		v := &racer{Result: &r.Variants[i]}
		r.racers = append(r.racers, v)
		if v.cell = v.Cell(r.power); v.cell != nil {
			continue
		}
		if err := r.enter(v); err != nil {
			return err
		}
	}
	for k := 0; ; k++ { // 0 is the warm-up
		running := slices.DeleteFunc(slices.Clone(r.racers), func(v *racer) bool { return v.f == nil })
		if len(running) == 0 {
			return nil
		}
		r.order.Shuffle(len(running), func(i, j int) { running[i], running[j] = running[j], running[i] })
		for _, v := range running {
			begin := time.Now()
			if err := r.turn(ctx, v, k); err != nil {
				return err
			}
			if k > 0 {
				v.took += time.Since(begin)
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

// enter gives a variant an environment of its own.
func (r *race) enter(v *racer) (err error) {
	run := r.Run
	run.Function = cmp.Or(v.Function, run.Function)
	if v.f, err = r.function(run, r.power); err != nil {
		return err
	}
	v.calls = r.Run.Calls(v.Variant)
	v.cell = &comparison.Cell{Power: r.power}
	return nil
}

// settled reports whether a variant has been compared with the best one, after
// round k.
func (r *race) settled(v *racer, k int) bool {
	if r.Run.ForSec == 0 {
		return false
	}
	best := comparison.Least(r.Comparison, r.racers,
		func(v *racer) *comparison.Cell { return v.cell }, comparison.Duration)
	if best == nil || best == v {
		return false
	}
	looks := r.Run.Looks()
	of := comparison.Compare(v.cell.DurationsMS, best.cell.DurationsMS, len(looks))
	return of.Verdict == comparison.Out || of.Verdict != comparison.Open && slices.Contains(looks, k) ||
		best.f == nil && k >= len(best.cell.DurationsMS) // it was measured earlier: there will be no more pairs
}

// over reports whether there is no further round after round k: with no rival
// left the best one goes on to the first look, to be compared with the other
// sizes, and rounds that come too late for another look tell nothing.
func (r *race) over(k int) bool {
	if r.Run.ForSec == 0 || k == 0 {
		return k >= r.Run.Num
	}
	looks, running, round := r.Run.Looks(), 0, time.Duration(0)
	for _, v := range r.racers {
		if v.f != nil {
			running, round = running+1, round+v.took/time.Duration(k)
		}
	}
	if k >= r.Run.Num || running <= 1 && k >= looks[0] {
		return true
	}
	next := looks[slices.IndexFunc(looks, func(n int) bool { return n > k })]
	limit := r.time
	if k < looks[0] {
		limit += time.Duration(r.Run.ForSec / 3 * float64(time.Second)) // nothing is known of this size yet
	}
	return k >= LeastRounds && time.Since(r.begin)+time.Duration(next-k)*round > limit
}

// leave ends a variant's environment, and puts its cell into the comparison.
func (r *race) leave(v *racer) error {
	err := r.retire(v.f)
	v.f = nil
	n := len(v.cell.DurationsMS)
	if n == 0 && v.cell.Error == "" {
		return err // cut off in its warm-up
	}
	if n > 0 {
		total := v.total.Seconds()
		v.cell.CoreMS = 1e3 * v.cpu.Seconds() / float64(n)
		v.cell.CPUShare = &comparison.CPUShare{Target: platform.VCPUs(r.power), Used: v.used / total, Starved: v.delay.Seconds() / total}
	}
	v.Cells = append(v.Cells, *v.cell)
	slices.SortFunc(v.Cells, func(a, b comparison.Cell) int { return a.Power - b.Power })
	return cmp.Or(err, r.tell("", v))
}
