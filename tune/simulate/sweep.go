package simulate

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Summary is an invocation over several draws: the Result of the draw whose duration is
// the median, and between which durations, in ms, eight in ten of them lie.
type Summary struct {
	Result
	LowMS, HighMS float64
}

// Sweep simulates every invocation with every draw, on all cores of this machine.
func Sweep(all []Invocation, draws []Draw) []Summary {
	summaries := make([]Summary, len(all))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(all)) {
		wg.Go(func() {
			var s Simulator
			results := make([]Result, len(draws))
			for i := int(next.Add(1)) - 1; i < len(all); i = int(next.Add(1)) - 1 {
				for k, d := range draws {
					results[k] = s.Run(all[i], d)
				}
				slices.SortFunc(results, func(a, b Result) int { return cmp.Compare(a.DurationMS, b.DurationMS) })
				n := len(results)
				summaries[i] = Summary{results[n/2], results[n/10].DurationMS, results[n-1-n/10].DurationMS}
			}
		})
	}
	wg.Wait()
	return summaries
}
