package report

import (
	"math"
	"strings"

	"golang.org/x/perf/benchmath"

	"lambda-parallel-io/tune/comparison"
)

// minRuns is the least number of runs whose median has a 95 % confidence
// interval without a distribution being assumed, and about the least with
// which two cells can be told apart.
const minRuns = 6

// busy is the share of its time for which a function may have waited for a
// processor before its figures are doubted.
const busy = 0.05

// grid is a comparison as the views show it: a row a memory size, a column a
// variant, and the statistics of each cell.
type grid struct {
	*comparison.Comparison
	labels                  []string // of the columns
	rows                    []row
	fastest, cheapest, best *cell // nil where no cell qualifies
}

type row struct {
	power int // MB
	cells []cell
}

type cell struct {
	*comparison.Cell // nil: not begun
	variant          int
	label            string
	power            int  // MB
	ok               bool // it has figures; otherwise it failed or was not begun
	duration         estimate
	cost             estimate // dollars a million
	marks            string   // of those in the legend, but for noise
}

// estimate is a typical value with what is known of its certainty.
type estimate struct {
	value    float64
	lo, hi   float64 // 95 % confidence interval, where interval is not ""
	interval string  // ±3%
	noise    bool    // not significantly different from the best of its row
}

const (
	markBest     = "★"
	markFastest  = "▲"
	markCheapest = "▼"
	markCapped   = "†"
	markBusy     = "!"
	markNoise    = "~"
)

func newGrid(c *comparison.Comparison) *grid {
	g := &grid{Comparison: c, labels: labels(c)}
	for _, power := range c.Run.PowerValues {
		r := row{power: power, cells: make([]cell, len(c.Variants))}
		for i := range c.Variants {
			r.cells[i] = g.newCell(i, power)
		}
		g.rows = append(g.rows, r)
		g.judge(r.cells)
	}
	g.choose()
	return g
}

func (g *grid) newCell(variant, power int) cell {
	c := cell{Cell: g.Variants[variant].Cell(power), variant: variant, label: g.labels[variant], power: power}
	var s comparison.Summary
	if s, c.ok = g.Summarize(c.Cell); !c.ok {
		return c
	}
	c.duration, c.cost = estimate{value: s.DurationMS}, estimate{value: s.CostPerMillion}
	if durations, costs := g.samples(c.Cell); durations != nil {
		c.duration.bound(durations)
		c.cost.bound(costs)
	}
	return c
}

// samples returns the durations and costs of a cell's runs, or nothing where
// they are too few for a statistic.
func (g *grid) samples(c *comparison.Cell) (durations, costs *benchmath.Sample) {
	if g.Mode == comparison.AWS || len(c.DurationsMS) < minRuns || len(c.BilledMS) < minRuns {
		return nil, nil
	}
	dollars := make([]float64, len(c.BilledMS))
	for i, ms := range c.BilledMS {
		dollars[i] = g.CostPerMillion(c.Power, float64(ms))
	}
	// NewSample sorts what it is given.
	return benchmath.NewSample(append([]float64(nil), c.DurationsMS...), &benchmath.DefaultThresholds),
		benchmath.NewSample(dollars, &benchmath.DefaultThresholds)
}

func (f *estimate) bound(s *benchmath.Sample) {
	summary := benchmath.AssumeNothing.Summary(s, 0.95)
	if !math.IsInf(summary.Lo, 0) && !math.IsInf(summary.Hi, 0) {
		f.lo, f.hi, f.interval = summary.Lo, summary.Hi, "±"+summary.PctRangeString()
	}
}

// judge marks the figures of a row that cannot be told from its best.
func (g *grid) judge(cells []cell) {
	fastest := least(cells, func(c *cell) float64 { return c.duration.value })
	cheapest := least(cells, func(c *cell) float64 { return c.cost.value })
	for i := range cells {
		c := &cells[i]
		if !c.ok {
			continue
		}
		c.duration.noise = c != fastest && g.alike(c, fastest, false)
		c.cost.noise = c != cheapest && g.alike(c, cheapest, true)
	}
}

// alike reports whether the difference of two cells, in duration or in cost,
// may be chance.
func (g *grid) alike(a, b *cell, cost bool) bool {
	aMS, aDollars := g.samples(a.Cell)
	bMS, bDollars := g.samples(b.Cell)
	if aMS == nil || bMS == nil {
		return false
	}
	if cost {
		aMS, bMS = aDollars, bDollars
	}
	d := benchmath.AssumeNothing.Compare(aMS, bMS)
	return d.P > d.Alpha
}

// choose finds the cells that the answer names, and marks every cell. A capped
// cell is no candidate: on Lambda it would be faster.
func (g *grid) choose() {
	var candidates, all []*cell
	for i := range g.rows {
		for j := range g.rows[i].cells {
			if c := &g.rows[i].cells[j]; c.Cell != nil {
				all = append(all, c)
				if c.ok && !c.Capped {
					candidates = append(candidates, c)
				}
			}
		}
	}
	variant, chosen := g.Recommended()
	for _, c := range candidates {
		if g.fastest == nil || c.duration.value < g.fastest.duration.value {
			g.fastest = c
		}
		if g.cheapest == nil || c.cost.value < g.cheapest.cost.value {
			g.cheapest = c
		}
		if variant == &g.Variants[c.variant] && chosen == c.Cell {
			g.best = c
		}
	}
	for _, c := range all {
		var marks strings.Builder
		for _, m := range []struct {
			mark string
			set  bool
		}{
			{markBest, c == g.best},
			{markFastest, c == g.fastest},
			{markCheapest, c == g.cheapest},
			{markCapped, c.Capped},
			{markBusy, c.ok && c.CPUShare != nil && c.CPUShare.Starved > busy},
		} {
			if m.set {
				marks.WriteString(m.mark)
			}
		}
		c.marks = marks.String()
	}
}

func least(cells []cell, value func(*cell) float64) *cell {
	var best *cell
	for i := range cells {
		if c := &cells[i]; c.ok && (best == nil || value(c) < value(best)) {
			best = c
		}
	}
	return best
}

// at returns the cell of a variant's column in the row of that power.
func (g *grid) at(variant, power int) *cell {
	for i := range g.rows {
		if g.rows[i].power == power {
			return &g.rows[i].cells[variant]
		}
	}
	return nil
}

// failure is the cause of a failed cell in a word or three, for its place in a
// matrix; the words are Lambda's.
func (c *cell) failure() string {
	switch {
	case c.Cell == nil:
		return "–"
	case strings.Contains(c.Error, "signal: killed"), strings.Contains(c.Error, "out of memory"):
		return "out of memory"
	case strings.Contains(c.Error, "Task timed out"):
		return "timeout"
	}
	return "error"
}
