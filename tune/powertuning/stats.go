package powertuning

import (
	"fmt"
	"slices"
)

// Measured is what the invocations at one power value took.
type Measured struct {
	Value       int       // MB
	DurationsMS []float64 // Duration plus Init Duration, one an invocation
	BilledMS    []int     // Billed Duration, one a duration
}

// mostMS bounds a duration: far above Lambda's 900 s, and no sum overflows.
const mostMS = 1e12

func (m Measured) check() error {
	if m.Value < MinPower || m.Value > MaxPower {
		return fmt.Errorf("power value must be %d to %d MB, got %d", MinPower, MaxPower, m.Value)
	}
	if len(m.DurationsMS) != len(m.BilledMS) {
		return fmt.Errorf("%d MB: %d durations and %d billed durations: there must be as many", m.Value, len(m.DurationsMS), len(m.BilledMS))
	}
	for i, d := range m.DurationsMS {
		if !(d >= 0 && d <= mostMS) {
			return fmt.Errorf("%d MB: duration must be 0 to %g ms, got %v", m.Value, float64(mostMS), d)
		}
		if b := m.BilledMS[i]; b < 0 || float64(b) > mostMS {
			return fmt.Errorf("%d MB: billed duration must be 0 to %g ms, got %d", m.Value, float64(mostMS), b)
		}
	}
	return nil
}

// TrimmedMean is the mean of values without the lowest and the highest of
// them, of each discardTopBottom times their number, rounded down; 0 for
// none. It leaves values as they are. discardTopBottom is a share from 0 to
// MaxDiscardTopBottom, and clamped to that.
func TrimmedMean(values []float64, discardTopBottom float64) float64 {
	if len(values) == 0 {
		return 0
	}
	trim := int(float64(len(values)) * clamp(discardTopBottom, MaxDiscardTopBottom))
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
	return summary{
		Stat: Stat{
			Value:           m.Value,
			AveragePrice:    Price(base, m.Value, TrimmedMean(billed, discardTopBottom)),
			AverageDuration: TrimmedMean(m.DurationsMS, discardTopBottom),
		},
		totalCost: total,
	}
}
