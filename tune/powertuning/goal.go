package powertuning

import (
	"cmp"
	"slices"
)

// The goals of a tuning: the values of an input's strategy.
const (
	Cost     = "cost"     // the least average price
	Speed    = "speed"    // the least average duration
	Balanced = "balanced" // a weighted mean of both, each as a share of its greatest

	goals = Cost + ", " + Speed + " or " + Balanced
)

// Goal is by which rule Power Tuning chooses a power value, and from what share
// of the runs its statistics come.
type Goal struct {
	Strategy         string  // Cost, Speed or Balanced
	BalancedWeight   float64 // of Balanced: 0 as Speed to 1 as Cost
	DiscardTopBottom float64 // trimmed from each end: 0 to MaxDiscardTopBottom
}

// Goal is the goal that is in force for an execution with this input: the
// tool's defaults for what is absent, its limits for what is beyond them, and
// no trimming with onlyColdStarts.
func (in Input) Goal() Goal {
	share := func(given *float64, absent, most float64) float64 {
		return min(max(*cmp.Or(given, &absent), 0), most)
	}
	g := Goal{
		Strategy:         cmp.Or(in.Strategy, DefaultStrategy),
		BalancedWeight:   share(in.BalancedWeight, DefaultBalancedWeight, 1),
		DiscardTopBottom: share(in.DiscardTopBottom, DefaultDiscardTopBottom, MaxDiscardTopBottom),
	}
	if in.OnlyColdStarts {
		g.DiscardTopBottom = 0
	}
	return g
}

// TrimmedMean is the mean of values without the lowest and the highest of
// them, of each discardTopBottom times their number, rounded down; 0 for
// none. It leaves values as they are. discardTopBottom is a share from 0 to
// MaxDiscardTopBottom.
func TrimmedMean(values []float64, discardTopBottom float64) float64 {
	if len(values) == 0 {
		return 0
	}
	trim := int(float64(len(values)) * discardTopBottom)
	kept := slices.Sorted(slices.Values(values))[trim : len(values)-trim]
	sum := 0.0
	for _, v := range kept {
		sum += v
	}
	return sum / float64(len(kept))
}
