package report

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/prose"
)

// minRuns is the least number of runs whose median has a 95 % confidence
// interval without a distribution being assumed, and about the least with
// which two cells can be told apart.
const minRuns = 6

// busy is the share of its time for which a function may have waited for a
// processor before its figures are doubted.
const busy = 0.05

const (
	markBest     = "★"
	markFastest  = "▲"
	markCheapest = "▼"
	markCapped   = "†"
	markBusy     = "!"
	markNoise    = "~"
)

type row struct {
	Power int     // MB
	Cells []*cell // one a variant
}

type cell struct {
	*comparison.Cell // nil: not begun
	Variant          int
	Label            string
	Power            int           // MB
	OK               bool          // it has figures; otherwise it failed or was not begun
	Answer           *event.Answer // of the last invocation; nil where it is not one of this project's function
	Duration, Cost   estimate      // ms, and dollars a million
	billed           float64       // ms
	Best             bool          // the recommended one
}

// estimate is a typical value with what is known of its certainty.
type estimate struct {
	value    float64
	runs     *benchmath.Sample // nil where there are too few for a statistic
	lo, hi   float64           // 95 % confidence interval, where Interval is not ""
	Text     string            // 45, or why there is no figure
	Interval string            // ±3%
	Marks    string            // ★▲~
}

// measure is one of the two things that a cell is measured by.
type measure func(*cell) *estimate

func durationOf(c *cell) *estimate { return &c.Duration }
func costOf(c *cell) *estimate     { return &c.Cost }

func (r *Report) newCell(variant, power int) *cell {
	c := &cell{Cell: r.Variants[variant].Cell(power), Variant: variant, Label: r.labels[variant], Power: power}
	var s comparison.Summary
	if s, c.OK = r.Summarize(c.Cell); !c.OK {
		c.Duration.Text = r.failure(c.Cell)
		c.Cost.Text = c.Duration.Text
		return c
	}
	c.Duration = estimate{value: s.DurationMS, Text: milliseconds(s.DurationMS)}
	c.Cost = estimate{value: s.CostPerMillion, Text: prose.Thousands(s.CostPerMillion, 2)}
	c.billed, c.Answer = s.BilledMS, r.answerOf(c.Cell)
	if r.Mode == comparison.Local && len(c.DurationsMS) >= minRuns {
		costs := make([]float64, len(c.BilledMS))
		for i, ms := range c.BilledMS {
			costs[i] = r.CostPerMillion(power, float64(ms))
		}
		c.Duration.bound(c.DurationsMS)
		c.Cost.bound(costs)
	}
	return c
}

func (e *estimate) bound(runs []float64) {
	e.runs = benchmath.NewSample(slices.Clone(runs), &benchmath.DefaultThresholds) // it sorts what it is given
	s := benchmath.AssumeNothing.Summary(e.runs, 0.95)
	if !math.IsInf(s.Lo, 0) && !math.IsInf(s.Hi, 0) {
		e.lo, e.hi, e.Interval = s.Lo, s.Hi, "±"+s.PctRangeString()
	}
}

// alike reports whether the difference of two estimates may be chance.
func (e *estimate) alike(other *estimate) bool {
	if e.runs == nil || other.runs == nil {
		return false
	}
	d := benchmath.AssumeNothing.Compare(e.runs, other.runs)
	return d.P > d.Alpha
}

// answerOf returns the answer of a cell's last invocation where it is that of
// this project's function: other functions answer what they like.
func (r *Report) answerOf(c *comparison.Cell) *event.Answer {
	var a event.Answer
	if r.Run.Repeat == 0 || json.Unmarshal(c.Response, &a) != nil || a.ObjectsRead+a.Failed != r.Run.Repeat || !(a.TimeSec > 0) {
		return nil
	}
	const longest = 3_600_000 // ms
	for _, ms := range []float64{1000 * a.TimeSec, 1000 * a.CPUSec, a.Latency.P50, a.Latency.P95, a.Latency.P99} {
		if !(ms >= 0 && ms <= longest) {
			return nil // a file may hold anything
		}
	}
	return &a
}

// choose finds the cells that the answer names, and marks every cell. A capped
// cell is no candidate: on Lambda it would be faster.
func (r *Report) choose() {
	var candidates []*cell
	_, recommended := r.Recommended()
	for _, c := range r.measured {
		if !c.Capped {
			candidates = append(candidates, c)
			if c.Best = c.Cell == recommended; c.Best {
				r.best = c
			}
		}
	}
	r.fastest, r.cheapest = least(candidates, durationOf), least(candidates, costOf)
	for _, row := range r.rows {
		for _, of := range []measure{durationOf, costOf} {
			best := least(row.Cells, of)
			for _, c := range row.Cells {
				e := of(c)
				e.Marks = r.marks(c)
				if c.OK && c != best && e.alike(of(best)) {
					e.Marks += markNoise
				}
			}
		}
	}
}

// least returns the cell with the least figure, the first of equals, or nil.
func least(cells []*cell, of measure) (best *cell) {
	for _, c := range cells {
		if c.OK && (best == nil || of(c).value < of(best).value) {
			best = c
		}
	}
	return best
}

// marks are those that hold for a cell's duration and cost alike.
func (r *Report) marks(c *cell) string {
	mark := func(mark string, set bool) string {
		if set {
			return mark
		}
		return ""
	}
	return mark(markBest, c.Best) + mark(markFastest, c == r.fastest) + mark(markCheapest, c == r.cheapest) +
		mark(markCapped, c.Cell != nil && c.Capped) + mark(markBusy, c.starved())
}

// starved reports whether the machine was too busy to trust the cell's figures.
func (c *cell) starved() bool { return c.OK && c.CPUShare != nil && c.CPUShare.Starved > busy }

// beside returns the cell of another variant at the same size.
func (r *Report) beside(c *cell, variant int) *cell {
	for _, row := range r.rows {
		if row.Power == c.Power {
			return row.Cells[variant]
		}
	}
	return nil
}

// name says which cell it is: pool (30) at 512 MB.
func (c *cell) name() string { return fmt.Sprintf("%s at %s MB", c.Label, megabytes(c.Power)) }

// figures are what it took and cost.
func (c *cell) figures() string {
	return fmt.Sprintf("%s ms, $%s per million", c.Duration.Text, c.Cost.Text)
}

// failure is why a cell has no figures in a word or three, for its place in a
// matrix; the words are Lambda's.
func (r *Report) failure(c *comparison.Cell) string {
	switch {
	case c == nil:
		return "–"
	case r.outOfMemory(c):
		return "out of memory"
	case strings.Contains(c.Error, "Task timed out"):
		return "timeout"
	}
	return "error"
}

// outOfMemory reports whether the function outgrew its memory. A local run
// knows it; those that had no field for it began the error with it. Lambda
// kills a function for nothing else, and has two texts for it.
func (r *Report) outOfMemory(c *comparison.Cell) bool {
	if r.Mode == comparison.Local {
		return c.OutOfMemory || beganOutOfMemory.MatchString(c.Error)
	}
	return strings.Contains(c.Error, "Runtime.OutOfMemory") ||
		strings.Contains(c.Error, "Runtime exited with error: signal: killed")
}

var beganOutOfMemory = regexp.MustCompile(`^invocation \d+ of \d+: out of memory: `)
