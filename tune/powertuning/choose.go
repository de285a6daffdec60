package powertuning

import "cmp"

// order returns the comparison by which the goal's first choice comes first;
// among equals the one that was given first does.
func (g Goal) order(of []summary) (func(a, b summary) int, error) {
	switch g.Strategy {
	case Cost, "":
		return func(a, b summary) int {
			return cmp.Or(compare(a.AveragePrice, b.AveragePrice), compare(a.AverageDuration, b.AverageDuration))
		}, nil
	case Speed:
		return func(a, b summary) int {
			return cmp.Or(compare(a.AverageDuration, b.AverageDuration), compare(a.AveragePrice, b.AveragePrice))
		}, nil
	case Balanced:
		var price, duration float64
		for _, s := range of {
			price, duration = max(price, s.AveragePrice), max(duration, s.AverageDuration)
		}
		value := func(s summary) float64 {
			return g.BalancedWeight*s.AveragePrice/price + (1-g.BalancedWeight)*s.AverageDuration/duration
		}
		return func(a, b summary) int { return compare(value(a), value(b)) }, nil
	}
	return nil, checkStrategy(g.Strategy)
}

// compare takes NaN for equal to everything, as JavaScript's sort does: with
// every price 0 (nothing was billed) Balanced has no values.
func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
