package local

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local/lambda"
)

// Variables for tests.
var (
	// closing is how long a frozen process surely keeps its connections: the handler's
	// are closed after 10 s without use.
	closing = 5 * time.Second
	// warmTime ends a warm-up that has not made its warmReads.
	warmTime = time.Second
)

// Warm-up: warmReads reads or warmTime, without a CPU quota and without latency. The
// first 500 reads of a process take two to three times their later CPU time, and the
// next 2,000 up to 1.5 times.
const (
	warmReads = 3_000
	noQuota   = 1e-4 // vCPUs per core: the quota is then thousands of cores
)

// call is an invocation in a turn.
type call struct {
	payload []byte
	reads   int
	round   int  // which latencies it gets
	counts  bool // true for one call of a turn
	warms   bool // it has no quota, and its failure does not matter
}

// callsOf lists the invocations in a variant's turn. Round 0 has the cold start and
// then warm-up calls, unless the variant is sequential, which waits for S3 all the
// time. After a long pause one call reopens the connections.
func (r *race) callsOf(v *racer, k int) []call {
	whole := call{v.Payload, r.c.Run.Repeat, k, true, false}
	if k == 0 {
		calls := []call{v.first}
		calls[0].counts = true
		for reads := 0; reads < warmReads && len(calls) < 30 && !v.Sequential(); reads += cmp.Or(r.c.Run.Repeat, warmReads) {
			calls = append(calls, call{v.Payload, r.c.Run.Repeat, 0, false, true})
		}
		return calls
	} else if time.Since(v.ended) > closing {
		return []call{v.first, whole}
	}
	return []call{whole}
}

// turn invokes a variant with the latencies of round k.
func (r *race) turn(ctx context.Context, v *racer, k int) error {
	if err := r.tell(fmt.Sprintf("%s at %d MB", v.Label(), r.power), nil); err != nil {
		return err
	}
	if k > 0 {
		select {
		case <-time.After(time.Duration(r.c.Run.SleepBetweenRunsMS) * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	speed, err := r.t.coreSpeed(r.c.Run)
	if err != nil {
		return err
	}
	slow := float64(r.c.Run.Slow.Times())
	v.speed = speed * slow
	var started time.Time
	for _, c := range r.callsOf(v, k) {
		v.f.SetQuota(speed, 0)
		r.t.s3.Begin(c.round)
		if c.warms {
			if time.Since(started) > warmTime {
				return nil
			}
			v.f.SetQuota(noQuota, 0)
			r.t.s3.BeginInstant()
		}
		requests := r.t.s3.Requests()
		inv, err := v.f.Invoke(ctx, c.payload)
		if err != nil {
			return err
		}
		v.ended = time.Now()
		r.t.Verbose.Print(inv.Report(r.power))
		failure := invalid(inv, c.reads)
		if c.warms && failure != "" {
			return nil // it may work with its quota
		} else if c.warms {
			continue
		}
		started = v.ended
		v.cell.MaxMemoryMB = max(v.cell.MaxMemoryMB, inv.MaxMemoryMB)
		if failure != "" {
			failure = fmt.Sprintf("invocation %d of %d: %s", k+1, r.c.Run.Num+1, failure)
			*v.cell = comparison.Cell{Power: r.power, MaxMemoryMB: inv.MaxMemoryMB, OutOfMemory: inv.OutOfMemory, Error: failure}
			return nil
		}
		if !c.counts {
			continue
		}
		if c.reads > 0 && slow > 1 {
			inv.Response = withoutSlowMotion(inv.Response, slow)
		}
		v.last, v.cell.Requests = &inv, int(r.t.s3.Requests()-requests)
	}
	return nil
}

// count adds a variant's last invocation to its cell once the round is complete.
func (v *racer) count(k int) {
	inv := v.last
	v.last = nil
	if v.cell.Error != "" {
		return
	}
	ms := lambda.Milliseconds(inv.Duration)
	if k == 0 {
		v.cell.InitMS = lambda.Milliseconds(inv.Init)
		v.cell.WarmUp = &comparison.WarmUp{DurationMS: ms, BilledMS: inv.BilledMS}
		return
	}
	v.cell.DurationsMS = append(v.cell.DurationsMS, ms)
	v.cell.BilledMS = append(v.cell.BilledMS, inv.BilledMS)
	if v.cell.Response = inv.Response; len(inv.Response) > comparison.MaxResponse {
		v.cell.Response = nil
	}
	v.total += inv.Duration
	v.cpu += inv.CPU
	v.used += inv.CPU.Seconds() * v.speed
	v.delay += inv.RunDelay
}
