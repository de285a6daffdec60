package powertuning

// Goal is by which rule a power value is chosen, and from what share of the
// runs its statistics come. The zero Goal is that of the cheapest power value
// by all runs; the tool's defaults are Input{}.Goal().
type Goal struct {
	Strategy         string  // Cost, Speed or Balanced; empty means Cost
	BalancedWeight   float64 // of Balanced: 0 as Speed to 1 as Cost, and clamped to that
	DiscardTopBottom float64 // trimmed from each end: 0 to MaxDiscardTopBottom, and clamped to that
}

// Goal is the goal that is in force for an execution with this input: the
// tool's defaults for what is absent, its limits for what is beyond them, and
// no trimming with onlyColdStarts.
func (in Input) Goal() Goal {
	g := Goal{DefaultStrategy, DefaultBalancedWeight, DefaultDiscardTopBottom}
	if in.Strategy != "" {
		g.Strategy = in.Strategy
	}
	if in.BalancedWeight != nil {
		g.BalancedWeight = *in.BalancedWeight
	}
	if in.DiscardTopBottom != nil {
		g.DiscardTopBottom = *in.DiscardTopBottom
	}
	if in.OnlyColdStarts {
		g.DiscardTopBottom = 0
	}
	return g.clamp()
}

func (g Goal) clamp() Goal {
	g.BalancedWeight = clamp(g.BalancedWeight, 1)
	g.DiscardTopBottom = clamp(g.DiscardTopBottom, MaxDiscardTopBottom)
	return g
}

func clamp(f, most float64) float64 {
	if !(f > 0) { // NaN too
		return 0
	}
	return min(f, most)
}
