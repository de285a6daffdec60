package stepfunctions

import (
	"cmp"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
)

// What a read is taken to cost in time before anything was measured. These
// are for an estimate from above; a run measures less.
const (
	readLatency = 18800 * time.Microsecond // a GET and its decoding, sequentially, as the Python original published them at 2,304 MB
	readCPU     = time.Millisecond         // at one vCPU; the function of this repository needs about 0.3 ms
	prefixRate  = 5500                     // GETs a second that S3 gives one prefix; all sizes of an execution share it

	vCPU = 1769 // MB that buy one
)

// waits returns how long one invocation of v waits for S3 at least, however
// much memory it has. It is 0 where the reads are not known.
func waits(run comparison.Run, v comparison.Result) time.Duration {
	return time.Duration(run.Repeat) * readLatency / time.Duration(inFlight(run, v))
}

// inFlight returns how many reads v does at once. A payload that is sent as
// it is says so itself.
func inFlight(run comparison.Run, v comparison.Result) int {
	name, concurrency := v.Strategy, v.Concurrency
	if p, err := event.Decode(v.Payload, event.DefaultConcurrency); err == nil {
		name, concurrency = p.Strategy, &p.Concurrency
	}
	s, err := strategies.ByName(name)
	switch {
	case err != nil || s.Sequential:
		return 1
	case s.Bounded && concurrency != nil:
		return max(1, *concurrency)
	}
	return max(1, min(run.Repeat, event.MaxConcurrency))
}

// lasts estimates from above how long one invocation of v lasts at that
// memory size: the longest of its waits, its CPU time under that size's share,
// and its part of what S3 gives. The function of someone else is taken to last
// to its timeout.
func lasts(run comparison.Run, v comparison.Result, power int) time.Duration {
	if run.Repeat == 0 {
		return functionTimeout(run)
	}
	reads := time.Duration(run.Repeat)
	share := prefixRate / time.Duration(len(run.PowerValues))
	if run.ParallelInvocation {
		share /= time.Duration(run.Num)
	}
	return min(functionTimeout(run), max(
		waits(run, v),
		reads*readCPU*vCPU/time.Duration(power),
		reads*time.Second/max(1, share),
	))
}

func functionTimeout(run comparison.Run) time.Duration {
	return time.Duration(cmp.Or(run.TimeoutSec, 900) * float64(time.Second))
}
