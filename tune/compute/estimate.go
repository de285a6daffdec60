package compute

import (
	"cmp"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/simulate"
)

// Invocation returns a call of reads on Lambda, with every connection open.
func Invocation(p comparison.Place, costs simulate.Costs, s3 profile.S3, arch string, reads int) simulate.Invocation {
	return simulate.Invocation{Machine: simulate.Lambda(p.Power, arch), Costs: costs, S3: s3,
		Reads: reads, Workers: *cmp.Or(p.Concurrency, new(0)), Open: event.MaxConcurrency}
}

// Assumed stands in for a calibration where nothing was measured.
type Assumed struct {
	S3    profile.S3
	CPUMS float64 // CPU time of a read, in ms of a vCPU
}

// ReadCPU is the CPU time of a 9 KB read, in ms of a vCPU, as measured with this project's function.
const ReadCPU = 0.3

// estimated is how many reads of a call are simulated at most. The time of more is in proportion.
const estimated = 10_000

// Estimate returns how long a call of the spec's reads by a variant takes on Lambda at a memory size in MB: the median
// of three draws, or 0 if the reads are not known. On AWS all sizes run side by side and share what S3 grants.
func Estimate(spec comparison.Spec, v comparison.Variant, power int, a Assumed) time.Duration {
	if spec.Repeat == 0 {
		return 0
	}
	sharing := 1
	if spec.AWS() {
		sharing = len(spec.PowerValues)
	}
	if spec.ParallelInvocation {
		sharing *= spec.Num
	}
	s3 := a.S3.Shared(sharing)
	p := comparison.Place{Strategy: v.Strategy, Concurrency: new(spec.InFlight(v)), Power: power}
	costs := simulate.Costs{Before: before * a.CPUMS, After: a.CPUMS - before*a.CPUMS, Bytes: spec.ObjectBytes}
	if spec.Objects != nil {
		costs.Bytes = spec.Objects.Bytes / spec.Repeat
	}
	call := Invocation(p, costs, s3, spec.Arch, min(spec.Repeat, estimated))
	var results []simulate.Result
	for k := range uint64(3) {
		results = append(results, new(simulate.Simulator).Run(call, simulate.NewDraw(s3, spec.Seed, k+1, call.Reads)))
	}
	r := simulate.Summarize(results)
	return time.Duration(r.DurationMS * float64(spec.Repeat) / float64(max(r.Reads, 1)) * float64(time.Millisecond))
}
