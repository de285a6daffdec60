package simulate

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Sweep simulates every invocation with every draw, on all cores of this machine. The results of each invocation are in
// the order of the draws.
func Sweep(all []Invocation, draws []Draw) [][]Result {
	results := make([][]Result, len(all))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(all)) {
		wg.Go(func() {
			var s Simulator
			for i := int(next.Add(1)) - 1; i < len(all); i = int(next.Add(1)) - 1 {
				results[i] = make([]Result, len(draws))
				for k, d := range draws {
					results[i][k] = s.Run(all[i], d)
				}
			}
		})
	}
	wg.Wait()
	return results
}

// Summary is an invocation over several draws: the Result with the median duration, and the durations between which
// eight in ten lie.
type Summary struct {
	Result
	LowMS, HighMS float64
}

// Summarize takes at least one result, and changes none.
func Summarize(results []Result) Summary {
	sorted := slices.SortedFunc(slices.Values(results), func(a, b Result) int { return cmp.Compare(a.DurationMS, b.DurationMS) })
	n := len(sorted)
	return Summary{sorted[n/2], sorted[n/10].DurationMS, sorted[n-1-n/10].DurationMS}
}
