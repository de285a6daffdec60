package powertuning

import (
	"cmp"
	"errors"
	"slices"
)

// Measured is what the invocations at one power value took.
type Measured struct {
	Value       int       // MB
	DurationsMS []float64 // Duration plus Init Duration, one an invocation
	BilledMS    []int     // Billed Duration, one a duration
}

// The goals of a tuning: the values of an input's strategy.
const (
	Cost     = "cost"     // the least average price
	Speed    = "speed"    // the least average duration
	Balanced = "balanced" // a weighted mean of both, each as a share of its greatest

	goals = Cost + ", " + Speed + " or " + Balanced
)

// Goal is by which rule a power value is chosen, and from what share of the
// runs its statistics come. The zero Goal is that of the cheapest power value
// by all runs; the tool's defaults are Input{}.Goal().
type Goal struct {
	Strategy         string  // Cost, Speed or Balanced; empty means Cost
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

// order returns the comparison by which the goal's first choice comes first;
// among equals the one that was given first does.
func (g Goal) order(of []summary) func(a, b summary) int {
	var price, duration float64
	for _, s := range of {
		price, duration = max(price, s.AveragePrice), max(duration, s.AverageDuration)
	}
	return func(a, b summary) int {
		byCost, bySpeed := cmp.Compare(a.AveragePrice, b.AveragePrice), cmp.Compare(a.AverageDuration, b.AverageDuration)
		switch g.Strategy {
		case Speed:
			return cmp.Or(bySpeed, byCost)
		case Balanced:
			mean := func(s summary) float64 { // NaN of all, and so equal, where nothing was billed
				return g.BalancedWeight*s.AveragePrice/price + (1-g.BalancedWeight)*s.AverageDuration/duration
			}
			return cmp.Compare(mean(a), mean(b))
		}
		return cmp.Or(byCost, bySpeed)
	}
}

// ErrNoDurations is what [Analyze] returns when no power value has a duration
// above 0: there is nothing to choose from, and the tool would fail.
var ErrNoDurations = errors.New("no power value has a duration")

// Analyze is what Power Tuning would have answered for these runs, one for
// each power value of its execution, with stats included. Its costs are at
// the tool's own prices of that region and architecture; see [platform.ComputeCost]
// for AWS's.
//
// A run without durations is a power value that failed. As in the tool it
// counts in the execution's cost and is in no statistic; unlike in the tool,
// where one failure ends the tuning, the others are still compared.
func Analyze(goal Goal, region, arch string, runs []Measured) (Output, error) {
	var summaries []summary
	for _, m := range runs {
		summaries = append(summaries, summarize(BaseCost(region, arch), goal.DiscardTopBottom, m))
	}
	return analyze(goal, region, summaries)
}

// analyze does what the tool's analyzer does, in its order.
func analyze(goal Goal, region string, all []summary) (Output, error) {
	kept := slices.DeleteFunc(slices.Clone(all), func(s summary) bool { return s.AverageDuration == 0 })
	if len(kept) == 0 {
		return Output{}, ErrNoDurations
	}
	slices.SortStableFunc(kept, goal.order(kept))
	best := kept[0]

	var lambdaCost float64
	var stats []Stat
	for _, s := range kept {
		lambdaCost += s.totalCost
		stats = append(stats, s.Stat)
	}
	slices.SortStableFunc(stats, func(a, b Stat) int { return a.Value - b.Value })
	return Output{
		Power:    best.Value,
		Cost:     best.AveragePrice,
		Duration: best.AverageDuration,
		StateMachine: StateMachine{
			ExecutionCost: ExecutionCost(region, len(all), 0),
			LambdaCost:    lambdaCost,
			Visualization: Link(region, stats),
		},
		Stats: stats,
	}, nil
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

// summary is what one power value's executor answers.
type summary struct {
	Stat
	totalCost float64 // dollars, of all invocations
}

// summarize does what an executor does with its invocations' logs. Durations
// and billed durations are sorted and trimmed apart.
func summarize(base, discardTopBottom float64, m Measured) summary {
	billed, total := make([]float64, len(m.BilledMS)), 0.0
	for i, ms := range m.BilledMS {
		billed[i] = float64(ms)
		total += Price(base, m.Value, billed[i])
	}
	return summary{Stat{
		Value:           m.Value,
		AveragePrice:    Price(base, m.Value, TrimmedMean(billed, discardTopBottom)),
		AverageDuration: TrimmedMean(m.DurationsMS, discardTopBottom),
	}, total}
}
