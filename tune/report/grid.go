package report

import (
	"fmt"
	"regexp"
	"strings"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/simulate"
)

type row struct {
	Power int     // MB
	Cells []*cell // one a variant
}

type cell struct {
	*comparison.Cell // nil: not begun
	Variant          int
	Label            string
	Power            int // MB
	place            comparison.Place
	beyond           bool          // this machine had less than the memory size buys, and could not keep up
	OK               bool          // it has figures; otherwise it failed or was not begun
	Answer           *event.Answer // of the last invocation; nil where it is not one of this project's function
	Duration, Cost   estimate
	billed           float64           // ms
	Best             bool              // the recommended one
	Check            *comparison.Check // of a computed cell; nil where it was not made
	Marks            string            // ★▲!
}

// estimate is a typical value.
type estimate struct {
	Value     float64          // ms, or dollars a million
	Low, High float64          // in which range it lies: by its ratio to the best of its size, or as the calibration leaves it open; 0: not known
	Text      string           // 45, or why there is no figure
	Full      string           // 45 ms
	ratio     comparison.Ratio // to the best of its size; zero of that, of costs and on AWS
}

// measures are the two things that a cell is measured by.
var measures = map[string]func(*cell) estimate{
	"duration": func(c *cell) estimate { return c.Duration },
	"cost":     func(c *cell) estimate { return c.Cost },
}

func (r *Report) newCell(variant, power int) *cell {
	c := &cell{Cell: r.Variants[variant].Cell(power), Variant: variant, Label: r.Labels[variant], Power: power, place: r.Variants[variant].Place(power)}
	var s comparison.Summary
	if s, c.OK = r.Summarize(c.Cell); c.OK && c.Computed != nil {
		c.OK = c.Computed.Binds != simulate.Memory
	}
	if !c.OK {
		c.Duration.Text = r.failure(c.Cell)
		c.Cost.Text = c.Duration.Text
		return c
	}
	ms, dollars := twoDigits(s.DurationMS), prose.Thousands(s.CostPerMillion, 2)
	c.Duration = estimate{Value: s.DurationMS, Text: ms, Full: ms + " ms"}
	c.Cost = estimate{Value: s.CostPerMillion, Text: dollars, Full: "$" + dollars + " per million"}
	c.beyond = r.Beyond(c.Cell)
	c.billed, c.Answer = s.BilledMS, r.Comparison.Answer(c.Cell)
	if p := c.Computed; p != nil {
		c.compute(r, p)
	}
	if q := c.Against; q != nil {
		c.Duration.ratio = *q
		c.Duration.Low, c.Duration.High = s.DurationMS*q.Low/q.Value, s.DurationMS*q.High/q.Value
		r.Occurs["ratio"], r.Occurs[string(q.Verdict)] = true, true
		r.Occurs["interval"] = r.Occurs["interval"] || q.Low > 0
	}
	return c
}

// signs tell what is not certain of a ratio.
var signs = map[comparison.Verdict]string{comparison.Open: " ~", comparison.Equal: " ="}

// Compared is how many times as much as the best of its size it is, and how
// sure that is: 1.31x [1.20, 1.42]; "" of the best.
func (e estimate) Compared() string {
	format := when(e.ratio.Low > 0, " [%s, %s]")
	if e.ratio.Verdict == comparison.Out {
		format = " (%s to %s)"
	}
	return e.times(when(format != "", fmt.Sprintf(format, decimals(e.ratio.Low), decimals(e.ratio.High))))
}

// short is Compared for a narrow column: 1.31x ±8%, or without the latter.
func (e estimate) short(certain bool) string {
	half := 50 * (e.ratio.High - e.ratio.Low) / e.ratio.Value
	return e.times(when(certain && e.ratio.Verdict == comparison.Decided, fmt.Sprintf(" ±%.0f%%", half)))
}

// times is the ratio, with a text that says how sure it is.
func (e estimate) times(sure string) string {
	return when(e.ratio.Value > 0, decimals(e.ratio.Value)+"x"+sure+signs[e.ratio.Verdict])
}

// decimals writes a ratio: 1.31, 27.
func decimals(ratio float64) string {
	if ratio < 9.995 {
		return prose.Thousands(ratio, 2)
	}
	return prose.Thousands(ratio, 0)
}

// choose finds the cells that the answer names, and marks every cell. A capped
// cell is no candidate: on Lambda it would be faster. Nor is one that S3's limit
// holds up: what S3 grants at once nobody has published.
func (r *Report) choose() {
	var candidates []*cell
	_, recommended := r.Recommended()
	for _, c := range r.measured {
		if !c.out() {
			candidates = append(candidates, c)
			if c.Best = c.Cell == recommended; c.Best {
				r.Best = c
			}
		}
	}
	r.Fastest, r.Cheapest = r.least(candidates, comparison.Duration), r.least(candidates, comparison.Cost)
	for _, row := range r.Rows {
		for _, c := range row.Cells {
			if r.Map != nil {
				c.Marks = when(c.Check != nil, "*") + when(c.Limited(), "‡")
				r.Occurs["limited"] = r.Occurs["limited"] || c.Limited()
				continue
			}
			c.Marks = when(c.Best, "★") + when(c == r.Fastest, "▲") + when(c == r.Cheapest, "▼") +
				when(c.Busy(), "!")
		}
	}
}

// least returns the cell with the least figure, the first of equals, or nil.
func (r *Report) least(cells []*cell, figure func(comparison.Summary) float64) *cell {
	return comparison.Least(r.Comparison, cells, func(c *cell) *comparison.Cell { return c.Cell }, figure)
}

// Busy reports whether this machine may have made the cell slower.
func (c *cell) Busy() bool { return c.OK && c.Cell.Busy() }

// out reports whether the cell is no candidate: on Lambda it would be faster.
func (c *cell) out() bool { return c.beyond || c.Limited() }

// Name says which cell it is: pool (30) at 512 MB.
func (c *cell) Name() string { return c.place.Name() }

// figures are what it took and cost.
func (c *cell) figures() string { return c.Duration.Full + ", " + c.Cost.Full }

// failure is why a cell has no figures in a word or three, for its place in a
// matrix; the words are Lambda's. Whether a function outgrew its memory a local
// run knows, and of AWS its error tells.
func (r *Report) failure(c *comparison.Cell) string {
	switch {
	case c == nil && r.Map == nil:
		return "–"
	case r.Map != nil:
		return "out of memory" // nothing else keeps a map from a figure
	case c.OutOfMemory, r.Mode == comparison.AWS && outgrown.MatchString(c.Error):
		return "out of memory"
	case strings.Contains(c.Error, "Task timed out"):
		return "timeout"
	}
	return "error"
}

// outgrown is what an error on AWS has of it: Lambda kills a function for
// nothing else, and has two texts for it.
var outgrown = regexp.MustCompile(`^out of memory: |Runtime\.OutOfMemory|Runtime exited with error: signal: killed`)
