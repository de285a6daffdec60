package comparison

import (
	"math"
	"slices"
	"strings"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/powertuning"
)

// Summary is the typical duration and cost of a cell.
type Summary struct {
	DurationMS     float64 // the median; on AWS, Power Tuning's trimmed mean
	BilledMS       float64 // likewise
	CostPerMillion float64 // dollars, compute and requests at list price, without S3's GETs
}

// The figures of a summary by which cells are compared.
func Duration(s Summary) float64 { return s.DurationMS }
func Cost(s Summary) float64     { return s.CostPerMillion }
func Product(s Summary) float64  { return s.DurationMS * s.CostPerMillion }

// Statistic names the typical duration: "computed" of a map, "mean" on AWS, which returns nothing else, or "median".
func (c *Comparison) Statistic() string {
	switch {
	case c.Map != nil:
		return "computed"
	case c.Mode == AWS:
		return "mean"
	}
	return "median"
}

// Summarize returns the summary of a cell, and whether there is one: not if the cell is nil or failed.
func (c *Comparison) Summarize(cell *Cell) (Summary, bool) {
	if cell == nil || cell.Error != "" {
		return Summary{}, false
	}
	if p := cell.Computed; p != nil {
		return Summary{p.DurationMS, math.Ceil(p.DurationMS), p.CostPerMillion}, true
	}
	duration, billed := Median(cell.DurationsMS), Median(cell.BilledMS)
	if c.Mode == AWS {
		duration, billed = cell.AverageMS, powertuning.BilledFromPrice(c.Run.Region, c.Run.Arch, cell.Power, cell.AverageCost)
	}
	return Summary{duration, billed, c.CostPerMillion(cell.Power, billed)}, duration > 0 && billed > 0
}

// Median returns the middle of values, the mean of the two in the middle, or NaN of none.
func Median[N int | float64](values []N) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	return (float64(sorted[len(sorted)-1-middle]) + float64(sorted[middle])) / 2 // the same one of an odd number
}

// CostPerMillion returns the dollars of a million invocations billed for billedMS at power MB: compute and requests.
func (c *Comparison) CostPerMillion(power int, billedMS float64) float64 {
	return 1e6*platform.ComputeCost(c.Run.Arch, power, billedMS) + platform.PricePerMillionRequests
}

// GETCostPerMillion returns what S3 charges for the reads and listings of a million invocations, in dollars: the same
// for every cell, and 0 if the reads are not known, or for S3 Express, whose other prices are not in platform.
func (c *Comparison) GETCostPerMillion() float64 {
	if strings.HasSuffix(c.Run.Latency, "express") {
		return 0
	}
	gets, lists := float64(c.Run.Repeat), float64(c.Run.Lists())
	return 1e3 * (gets*platform.PricePerThousandGets + lists*platform.PricePerThousandLists)
}

const (
	Alpha = 0.05 // chance that an interval misses the true ratio, over all looks at a pair of variants together
	Zone  = 0.10 // difference within which two variants count as equal

	// A variant that is slower by these factors in each of its first two or three pairs is not measured further.
	outAfterTwo, outAfterThree = 4.0, 2.0

	maxPairs = 100 // of a comparison, whose time grows with their square; its interval is then far narrower than Zone
)

// Looks returns after how many pairs variants are compared: once if the number of invocations is fixed, otherwise at
// most three times, from about the least number of pairs that can tell anything up to Num. Each look has its share of
// Alpha, because testing after every round inflates false positives.
func (s Spec) Looks() []int {
	const first = 8
	if s.ForSec == 0 || s.Num <= first {
		return []int{s.Num}
	}
	middle := math.Sqrt(first * float64(s.Num))
	return slices.Compact([]int{first, int(math.Round(middle)), s.Num})
}

// Verdict is what is known of two variants.
type Verdict string

const (
	Open    Verdict = "open"    // which is faster is not known
	Equal   Verdict = "equal"   // within Zone of each other
	Decided Verdict = "decided" // one is faster
	Out     Verdict = "out"     // one is so much slower that it was not measured further
)

// Ratio is one cell's duration divided by another's, in pairs: invocations of both with the same latencies.
type Ratio struct {
	Value   float64   `json:"ratio"`          // the Hodges-Lehmann estimate
	Low     float64   `json:"low,omitempty"`  // of the 95 % interval, or the least if Out; 0 with too few pairs
	High    float64   `json:"high,omitempty"` // likewise
	Pairs   []float64 `json:"-"`              // each ratio, in the order of the rounds
	Verdict Verdict   `json:"verdict"`
}

// Compare compares what was measured in the same rounds, at one of looks looks. It assumes only that the logarithms
// of the ratios are symmetric: their pseudomedian and its interval are those of Wilcoxon's signed ranks, exact for
// any number of pairs.
func Compare(values, base []float64, looks int) Ratio {
	r := Ratio{Verdict: Open}
	var means []float64 // the Walsh averages: of each two logarithms, and of each with itself
	for k := range min(len(values), len(base), maxPairs) {
		r.Pairs = append(r.Pairs, values[k]/base[k])
		for _, other := range r.Pairs {
			means = append(means, math.Log(r.Pairs[k]*other)/2)
		}
	}
	n := len(r.Pairs)
	if n == 0 {
		return r
	}
	slices.Sort(means)
	r.Value = math.Exp(Median(means))
	least, most := slices.Min(r.Pairs), slices.Max(r.Pairs)
	if drop := signedRankTail(n, Alpha/float64(looks)/2); drop > 0 {
		r.Low, r.High = math.Exp(means[drop-1]), math.Exp(means[len(means)-drop])
		if r.Low >= 1/(1+Zone) && r.High <= 1+Zone {
			r.Verdict = Equal
		} else if r.Low > 1 || r.High < 1 {
			r.Verdict = Decided
		}
	} else if n >= 2 && least > outAfterTwo || n >= 3 && least > outAfterThree {
		r.Low, r.High, r.Verdict = least, most, Out
	}
	return r
}

// signedRankTail returns how many of the least and of the greatest Walsh averages of n pairs lie outside the interval
// whose error is alpha on each side: the largest c with P(W < c) <= alpha, where W is Wilcoxon's signed rank sum. It
// is 0 if n is too small for an interval.
func signedRankTail(n int, alpha float64) int {
	chance := []float64{1} // of each sum of the ranks so far
	for rank := range n {
		next := make([]float64, len(chance)+rank+1)
		for sum, p := range chance { // without and with this rank
			next[sum] += p / 2
			next[sum+rank+1] += p / 2
		}
		chance = next
	}
	below := 0.0
	for c, p := range chance {
		if below += p; below > alpha {
			return c
		}
	}
	return 0
}

// Least returns the item whose cell has the least figure, the first of equals, or the zero value if none has one. Two
// cells are compared by the rounds that both have, since other rounds had other latencies.
func Least[T any](c *Comparison, items []T, cellOf func(T) *Cell, figure func(Summary) float64) (best T) {
	var least *Cell
	of := func(cell, other *Cell) float64 {
		rounds, common := min(len(cell.DurationsMS), len(other.DurationsMS)), *cell
		common.DurationsMS, common.BilledMS = cell.DurationsMS[:rounds], cell.BilledMS[:rounds]
		s, _ := c.Summarize(&common)
		return figure(s)
	}
	for _, item := range items {
		cell := cellOf(item)
		if _, ok := c.Summarize(cell); ok && (least == nil || of(cell, least) < of(least, cell)) {
			best, least = item, cell
		}
	}
	return best
}
