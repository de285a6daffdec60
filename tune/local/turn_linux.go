package local

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local/lambda"
)

// closing is how long a process may be frozen and still have the connections
// that it keeps: the handler's are given up after 10 s of silence.
var closing = 5 * time.Second

// A function is warm after so many reads: until then its heap grows, and a read
// takes twice its processor time and more. It gets warm without a quota, which is
// by a core that is next to no vCPU, in so much of Lambda's time at most, and one
// call more.
const (
	warmReads = 500
	warmTime  = time.Second
	noQuota   = 1e-4
)

// call is an invocation of a turn.
type call struct {
	payload   []byte
	reads     int
	latencies int  // of that round
	counts    bool // one of a turn does
	warms     bool // without a quota, and whatever comes of it
}

// turnOf lists the invocations of a variant's turn. Before the first round there is the
// one that takes the cold start, and then others until the function is warm:
// sequential reads wait for S3, warm or not, and would take too long. After a pause
// that its connections may not have outlived they are opened again.
func (r *race) turnOf(v *racer, k int) []call {
	whole := call{v.Payload, r.Run.Repeat, k, true, false}
	first := call{payload: v.calls.WarmUp, reads: v.calls.WarmUpReads, counts: k == 0}
	switch {
	case k == 0:
		calls := []call{first}
		for reads := 0; reads < warmReads && len(calls) < 20 && !v.Sequential(); reads += cmp.Or(r.Run.Repeat, warmReads) {
			calls = append(calls, call{v.Payload, r.Run.Repeat, 0, false, true})
		}
		return calls
	case time.Since(v.ended) > closing:
		return []call{first, whole}
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
		case <-time.After(r.pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	speed, err := r.measure(r.Run)
	if err != nil {
		return err
	}
	v.speed = speed * float64(r.Run.Slow.Times())
	var cold time.Time // it has started
	for _, c := range r.turnOf(v, k) {
		at := speed
		if c.warms {
			if at = noQuota; time.Since(cold) > r.Run.Slow.Stretch(warmTime) {
				return nil
			}
		}
		v.f.SetQuota(at, 0)
		r.s3.Begin(c.latencies)
		requests := r.s3.Requests()
		inv, err := v.f.Invoke(ctx, c.payload)
		if err != nil {
			return err
		}
		v.ended = time.Now()
		r.Verbose.Print(inv.Report(r.power))
		failure := check(inv, c.reads)
		if c.warms {
			if failure != "" {
				return nil // with its quota it may not fail
			}
			continue
		}
		cold = v.ended
		v.cell.MaxMemoryMB = max(v.cell.MaxMemoryMB, inv.MaxMemoryMB)
		if failure != "" {
			*v.cell = comparison.Cell{
				Power:       r.power,
				MaxMemoryMB: inv.MaxMemoryMB,
				OutOfMemory: inv.OutOfMemory,
				Error:       fmt.Sprintf("invocation %d of %d: %s", k+1, r.Run.Num+1, failure),
			}
			return nil
		}
		if !c.counts {
			continue
		}
		if c.reads > 0 && r.Run.Slow.Times() > 1 {
			inv.Response = inItsOwnTime(inv.Response, float64(r.Run.Slow.Times()))
		}
		v.last = &inv
		v.cell.Requests = int(r.s3.Requests() - requests)
	}
	return nil
}

// count adds a variant's last invocation to its cell, once the round is whole.
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
