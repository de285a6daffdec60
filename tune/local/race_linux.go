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

// A race measures the cells of one memory size side by side. Round k invokes every
// variant with the latencies of k, one after the other in random order, so that
// other load on the machine affects all of them alike. A variant's part of a round
// is its turn. Its process is frozen between turns.
type race struct {
	t      *Tuner
	c      *comparison.Comparison
	power  int
	racers []*racer // one per variant
	tell   func(now string, done *racer) error
	order  *rand.Rand
	begin  time.Time
	share  time.Duration // time limit, unless the number of rounds is fixed
}

// racer is a variant in a race.
type racer struct {
	*comparison.Result
	cell  *comparison.Cell
	first call               // opens its connections
	f     *lambda.Function   // nil unless it is in the race
	ended time.Time          // the end of its last invocation
	last  *lambda.Invocation // of this round; nil before its turn
	speed float64            // vCPUs per core in the last turn, slow motion included

	total, cpu, delay time.Duration
	used              float64       // vCPUs x seconds
	took              time.Duration // real time of its turns
}

// run makes the rounds. Each racer that leaves puts its cell into the comparison,
// with the rounds that were complete.
func (r *race) run(ctx context.Context) (err error) {
	r.begin = time.Now()
	defer func() {
		for _, v := range r.racers {
			if v.f != nil {
				err = errors.Join(err, r.leave(v))
			}
		}
	}()
	for i := range r.c.Variants {
		v := &racer{Result: &r.c.Variants[i]}
		r.racers = append(r.racers, v)
		if v.cell = v.Cell(r.power); v.cell != nil {
			continue // it was measured earlier
		}
		run := r.c.Run
		run.Function = cmp.Or(v.Function, run.Function)
		if v.f, err = r.t.function(run, r.power); err != nil {
			return err
		}
		v.cell = &comparison.Cell{Power: r.power}
		v.first.payload, v.first.reads = run.WarmUp(v.Variant)
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

// settled reports whether the comparison of a variant with the best one is decided
// after round k.
func (r *race) settled(v *racer, k int) bool {
	best := comparison.Least(r.c, r.racers, func(v *racer) *comparison.Cell { return v.cell }, comparison.Duration)
	if r.c.Run.ForSec == 0 || best == nil || best == v {
		return false
	}
	looks := r.c.Run.Looks()
	of := comparison.Compare(v.cell.DurationsMS, best.cell.DurationsMS, len(looks))
	return of.Verdict == comparison.Out || of.Verdict != comparison.Open && slices.Contains(looks, k) ||
		best.f == nil && k >= len(best.cell.DurationsMS) // it was measured earlier: there will be no more pairs
}

// over reports whether round k is the last. The last racer goes on to the first look,
// so that it can be compared with other sizes. Otherwise the race ends when the next
// look would come too late.
func (r *race) over(k int) bool {
	if r.c.Run.ForSec == 0 || k == 0 {
		return k >= r.c.Run.Num
	}
	looks, running, round := r.c.Run.Looks(), 0, time.Duration(0)
	for _, v := range r.racers {
		if v.f != nil {
			running, round = running+1, round+v.took/time.Duration(k)
		}
	}
	if k >= r.c.Run.Num || running <= 1 && k >= looks[0] {
		return true
	}
	next := looks[slices.IndexFunc(looks, func(n int) bool { return n > k })]
	limit := r.share
	if k < looks[0] {
		limit += time.Duration(r.c.Run.ForSec / 3 * float64(time.Second)) // nothing is known about this size yet
	}
	return k >= LeastRounds && time.Since(r.begin)+time.Duration(next-k)*round > limit
}

// leave ends a variant's environment and puts its cell into the comparison.
func (r *race) leave(v *racer) error {
	err := r.t.retire(v.f)
	v.f = nil
	n := len(v.cell.DurationsMS)
	if n == 0 && v.cell.Error == "" {
		return err // interrupted in its warm-up
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
