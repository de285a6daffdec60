package powertuning

import (
	"errors"
	"fmt"
	"slices"
)

// ErrNoDurations is what [Analyze] returns when no power value has a duration
// above 0: there is nothing to choose from, and the tool would fail.
var ErrNoDurations = errors.New("no power value has a duration")

// Analyze is what Power Tuning would have answered for these runs, one for
// each power value of its execution, with stats included. Its costs are at
// the tool's own prices of that region and architecture; see [ComputeCost]
// for AWS's.
//
// A run without durations is a power value that failed. As in the tool it
// counts in the execution's cost and is in no statistic; unlike in the tool,
// where one failure ends the tuning, the others are still compared.
func Analyze(goal Goal, region, arch string, runs []Measured) (Output, error) {
	goal = goal.clamp()
	base, err := BaseCost(region, arch)
	if err != nil {
		return Output{}, fmt.Errorf("analyze: %w", err)
	}
	summaries := make([]summary, len(runs))
	for i, m := range runs {
		if err := m.check(); err != nil {
			return Output{}, fmt.Errorf("analyze: %w", err)
		}
		summaries[i] = summarize(base, goal.DiscardTopBottom, m)
	}
	out, err := analyze(goal, region, summaries)
	if err != nil {
		return Output{}, fmt.Errorf("analyze: %w", err)
	}
	return out, nil
}

// analyze does what the tool's analyzer does, in its order.
func analyze(goal Goal, region string, all []summary) (Output, error) {
	kept := slices.DeleteFunc(slices.Clone(all), func(s summary) bool { return s.AverageDuration == 0 })
	order, err := goal.order(kept)
	if err != nil {
		return Output{}, err
	}
	if len(kept) == 0 {
		return Output{}, ErrNoDurations
	}
	slices.SortStableFunc(kept, order)
	best := kept[0]

	var lambdaCost float64
	for _, s := range kept {
		lambdaCost += s.totalCost
	}
	slices.SortStableFunc(kept, func(a, b summary) int { return a.Value - b.Value })
	stats := make([]Stat, len(kept))
	for i, s := range kept {
		stats[i] = s.Stat
	}
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
