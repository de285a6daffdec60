package report

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/prose"
)

// busy is the share of a duration that the machine may have added to it before
// the figure is doubted.
const busy = 0.05

const (
	markBest     = "★"
	markFastest  = "▲"
	markCheapest = "▼"
	markCapped   = "†"
	markBusy     = "!"
	markOpen     = "~"
	markEqual    = "="
)

type row struct {
	Power int     // MB
	Cells []*cell // one a variant
}

type cell struct {
	*comparison.Cell // nil: not begun
	Variant          int
	Label            string
	Power            int              // MB
	OK               bool             // it has figures; otherwise it failed or was not begun
	Answer           *event.Answer    // of the last invocation; nil where it is not one of this project's function
	Duration, Cost   estimate         // ms, and dollars a million
	ratio            comparison.Ratio // of its durations to those of the best of its size; no pairs where it is that, or on AWS
	billed           float64          // ms
	Best             bool             // the recommended one
}

// estimate is a typical value.
type estimate struct {
	value  float64
	lo, hi float64 // as far as its ratio to the best of its size is certain; 0 where that is not known
	Text   string  // 45, or why there is no figure
	Marks  string  // ★▲!
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
	return c
}

// compareWith tells a cell from the best of its size.
func (r *Report) compareWith(best, c *cell) {
	c.ratio = comparison.Compare(c.DurationsMS, best.DurationsMS, len(r.Run.Looks()))
	if len(c.ratio.Pairs) > 0 {
		r.verdicts[c.ratio.Verdict]++
	}
	if c.ratio.Low > 0 {
		r.intervals++
		c.Duration.lo, c.Duration.hi = c.Duration.value*c.ratio.Low/c.ratio.Value, c.Duration.value*c.ratio.High/c.ratio.Value
	}
}

// worth is a ratio's certainty, in short or in full: ±8%, [1.20, 1.42], = or ~.
// Of a cell that is out the ratio alone says enough.
func (c *cell) worth(full bool) string {
	q := c.ratio
	interval := fmt.Sprintf("[%s, %s]", decimals(q.Low), decimals(q.High))
	switch {
	case q.Verdict == comparison.Out && full:
		return fmt.Sprintf("(%s to %s)", decimals(q.Low), decimals(q.High))
	case q.Verdict == comparison.Out:
		return ""
	case !full && q.Verdict == comparison.Decided:
		return fmt.Sprintf("±%.0f%%", 50*(q.High-q.Low)/q.Value)
	case !(q.Low > 0):
		interval = ""
	}
	sign := map[comparison.Verdict]string{comparison.Open: markOpen, comparison.Equal: markEqual}[q.Verdict]
	if !full {
		return sign
	}
	return strings.TrimSpace(interval + " " + sign)
}

// Compared is how many times as long as the best of its size it takes, and how
// sure that is; "" of the best.
func (c *cell) Compared() string {
	if len(c.ratio.Pairs) == 0 {
		return ""
	}
	return strings.TrimSpace(decimals(c.ratio.Value) + "x " + c.worth(true))
}

// decimals writes a ratio: 1.31, 27.
func decimals(ratio float64) string {
	if ratio < 9.995 {
		return prose.Thousands(ratio, 2)
	}
	return prose.Thousands(ratio, 0)
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

// choose finds the cells that the answer names, compares those of each size,
// and marks every cell. A capped cell is no candidate: on Lambda it would be
// faster.
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
	r.fastest, r.cheapest = r.least(candidates, comparison.Duration), r.least(candidates, comparison.Cost)
	for _, row := range r.rows {
		best := r.least(row.Cells, comparison.Duration)
		for _, c := range row.Cells {
			if c.OK && c != best {
				r.compareWith(best, c)
			}
			c.Duration.Marks = r.marks(c)
			c.Cost.Marks = c.Duration.Marks
		}
	}
}

// least returns the cell with the least figure, the first of equals, or nil.
func (r *Report) least(cells []*cell, figure func(comparison.Summary) float64) *cell {
	models := make([]*comparison.Cell, len(cells))
	for i, c := range cells {
		models[i] = c.Cell
	}
	if i := r.Least(models, figure); i >= 0 {
		return cells[i]
	}
	return nil
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
		mark(markCapped, c.Cell != nil && c.Capped) + mark(markBusy, c.busy())
}

// legend explains the marks that occur.
func (r *Report) legend() (lines []string) {
	if r.best != nil {
		lines = append(lines, markBest+" best balance: least cost x duration   "+
			markFastest+" fastest   "+markCheapest+" cheapest")
	}
	if len(r.verdicts) > 0 {
		line := "1.31x: so many times as long as the best of the row, by pairs"
		for _, sign := range []struct {
			occurs  int
			meaning string
		}{
			{r.intervals, ", with its 95 % interval"},
			{r.verdicts[comparison.Equal], "   " + markEqual + " within " + percent(comparison.Zone) + " of it"},
			{r.verdicts[comparison.Open], "   " + markOpen + " open which is faster"},
			{r.verdicts[comparison.Out], "   much slower ones were measured no further"},
		} {
			if sign.occurs > 0 {
				line += sign.meaning
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// effect is the share of a cell's duration that the machine may have added.
func (c *cell) effect() float64 {
	if !c.OK || c.CPUShare == nil {
		return 0
	}
	return c.CPUShare.Effect
}

func (c *cell) busy() bool { return c.effect() > busy }

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
