package comparison

import (
	"cmp"
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

// Statistic names the typical duration: "computed" of a map, "mean" on AWS, which returns nothing else, otherwise "median".
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
	duration, billed := cell.AverageMS, 0.0
	if c.Mode == AWS {
		billed = powertuning.BilledFromPrice(c.Run.Region, c.Run.Arch, cell.Power, cell.AverageCost)
	} else {
		duration, billed = Median(cell.DurationsMS), Median(cell.BilledMS)
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

// CostPerMillion returns the list price of a million invocations billed for billedMS at power MB: dollars, compute and
// requests.
func (c *Comparison) CostPerMillion(power int, billedMS float64) float64 {
	return 1e6*platform.ComputeCost(c.Run.Arch, power, billedMS) + platform.PricePerMillionRequests
}

// GETCostPerMillion returns what S3 charges for the reads and listings of a million invocations, in dollars. It is the same
// for every cell, and 0 if the function's reads are not known, or for S3 Express, whose other prices are not in platform.
func (c *Comparison) GETCostPerMillion() float64 {
	if strings.HasSuffix(c.Run.Latency, "express") {
		return 0
	}
	gets, lists := float64(c.Run.Repeat), float64(c.Run.Lists())
	return 1e3 * (gets*platform.PricePerThousandGets + lists*platform.PricePerThousandLists)
}

// Conclude compares the cells of each size with the fastest one, and sets the warnings and the cell after the recommended
// one.
func (c *Comparison) Conclude() {
	sizes := map[int][]measured{}
	for _, k := range c.measured() {
		sizes[k.Power] = append(sizes[k.Power], k)
	}
	for _, size := range sizes {
		fastest := Least(c, size, measured.of, Duration)
		for _, k := range size {
			k.cell.Against = nil
			if q := Compare(k.cell.DurationsMS, fastest.cell.DurationsMS, len(c.Run.Looks())); k != fastest && len(q.Pairs) > 0 {
				k.cell.Against = &q
			}
		}
	}
	c.warn()
	if c.Recommendation != nil {
		c.Recommendation.Next = c.next()
	}
}

// next returns the cell, of any size, after the recommended one.
func (c *Comparison) next() *Next {
	products := func(cell *Cell) (all []float64) {
		for k, ms := range cell.DurationsMS {
			all = append(all, ms*c.CostPerMillion(cell.Power, float64(cell.BilledMS[k])))
		}
		return all
	}
	_, best := c.Recommended()
	var others []Next
	for _, k := range c.candidates() {
		if best != nil && k.cell != best && len(k.cell.DurationsMS) > 0 {
			others = append(others, Next{Place: k.Place, Ratio: Compare(products(k.cell), products(best), len(c.Run.Looks()))})
		}
	}
	if others == nil {
		return nil
	}
	next := slices.MinFunc(others, func(a, b Next) int { return cmp.Compare(a.Value, b.Value) })
	for _, k := range others {
		if k.alike() && k.Place != next.Place {
			next.Alike++
		}
	}
	return &next
}

// Place names the variant's cell at power.
func (v Variant) Place(power int) Place { return Place{v.Strategy, v.Concurrency, power} }

// Recommend draws every conclusion. It sets Recommendation to the cell with the least (compute + request cost) x typical
// duration, the first of equals, or to nil if no cell has both. It excludes cells that failed, and those beyond this
// machine, since Lambda would have been faster.
//
// The product needs no scale. A rule that divides by the greatest cost and duration, as Power Tuning's balanced strategy
// does within one function, would let one slow variant move the choice between the others.
func (c *Comparison) Recommend() {
	c.Recommendation = nil
	rule := "least (compute + request cost) x " + c.Statistic() + " duration"
	if c.Map == nil {
		if best := Least(c, c.candidates(), measured.of, Product); best.cell != nil {
			c.Recommendation = &Recommendation{Place: best.Place, Rule: rule}
		}
	} else if a := c.Map.Answer; a != nil {
		c.Recommendation = &Recommendation{Place: a.Place, Rule: rule}
	}
	c.Conclude()
}

// measured is a cell with a summary.
type measured struct {
	Place
	cell *Cell
}

func (k measured) of() *Cell { return k.cell }

func (c *Comparison) measured() (all []measured) {
	for _, v := range c.Variants {
		for i := range v.Cells {
			if _, ok := c.Summarize(&v.Cells[i]); ok {
				all = append(all, measured{v.Place(v.Cells[i].Power), &v.Cells[i]})
			}
		}
	}
	return all
}

// candidates returns the cells that can be recommended.
func (c *Comparison) candidates() []measured {
	return slices.DeleteFunc(c.measured(), func(k measured) bool { return c.Beyond(k.cell) })
}

// Recommended returns the variant and the cell that Recommendation names, or nil and nil.
func (c *Comparison) Recommended() (*Result, *Cell) {
	to := cmp.Or(c.Recommendation, &Recommendation{})
	for i := range c.Variants {
		v := &c.Variants[i]
		if cell := v.Cell(to.Power); c.Map != nil && cell != nil && cell.Computed.Label() == to.Label() || v.Label() == to.Label() {
			return v, cell
		}
	}
	return nil, nil
}
