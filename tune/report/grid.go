package report

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
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
	beyond           bool          // the memory size buys more CPU than this machine has, and it could not keep up
	OK               bool          // it has figures; otherwise it failed or was not begun
	Answer           *event.Answer // of the last invocation; nil of another function than this project's
	Duration, Cost   estimate
	billed           float64           // ms
	Best             bool              // the recommended one
	Check            *comparison.Check // of a computed cell; nil if it was not checked
	Marks            string            // ★▲▼! or *‡
}

// estimate is a typical value.
type estimate struct {
	Value     float64          // ms, or dollars a million
	Low, High float64          // its interval, from the ratio to the best of its size or from the calibration; 0: unknown
	Text      string           // 45, or why there is no figure
	Full      string           // 45 ms
	ratio     comparison.Ratio // to the best of its size; zero for the best itself, for costs and on AWS
}

// measures are the two things that a cell is measured by.
var measures = map[string]func(*cell) estimate{
	"duration": func(c *cell) estimate { return c.Duration },
	"cost":     func(c *cell) estimate { return c.Cost },
}

func (r *Report) newCell(variant, power int) *cell {
	v := &r.Variants[variant]
	c := &cell{Cell: v.Cell(power), Variant: variant, Label: r.Labels[variant], Power: power, place: v.Place(power)}
	s, ok := r.Summarize(c.Cell)
	if c.OK = ok && (c.Computed == nil || !c.Computed.Killed()); !c.OK {
		c.Duration.Text = r.failure(c.Cell)
		c.Cost.Text = c.Duration.Text
		return c
	}
	ms, dollars := twoDigits(s.DurationMS), prose.Thousands(s.CostPerMillion, 2)
	c.Duration = estimate{Value: s.DurationMS, Text: ms, Full: ms + " ms"}
	c.Cost = estimate{Value: s.CostPerMillion, Text: dollars, Full: "$" + dollars + " per million"}
	c.beyond, c.billed, c.Answer = r.Beyond(c.Cell), s.BilledMS, r.Comparison.Answer(c.Cell)
	if c.Computed != nil {
		r.compute(c)
	}
	if q := c.Against; q != nil {
		c.Duration.ratio = *q
		c.Duration.Low, c.Duration.High = s.DurationMS*q.Low/q.Value, s.DurationMS*q.High/q.Value
		r.Occurs["ratio"], r.Occurs[string(q.Verdict)] = true, true
		r.Occurs["interval"] = r.Occurs["interval"] || q.Low > 0
	}
	return c
}

// compute adds what a cell's point of the map tells.
func (r *Report) compute(c *cell) {
	p := c.Computed
	c.place, c.Label = p.Place, prose.OneLine(p.Label(), maxLabel)
	if r.Variants[c.Variant].Concurrency == nil && p.Concurrency != nil {
		c.Duration.Text += fmt.Sprintf(" (%d)", *p.Concurrency)
		r.Occurs["searched"] = true
	}
	c.Duration.Low, c.Duration.High = p.LowMS, p.HighMS
	c.Cost.Low, c.Cost.High = r.CostPerMillion(p.Power, math.Ceil(p.LowMS)), r.CostPerMillion(p.Power, math.Ceil(p.HighMS))
	if i := slices.IndexFunc(r.Checks, func(k comparison.Check) bool { return k.Made() && k.Name() == p.Name() }); i >= 0 {
		c.Check = &r.Checks[i]
	}
}

// Compared is the ratio to the best of the same size and how sure it is: 1.31x [1.20, 1.42]; "" of the best.
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

// times is the ratio, with a text that says how sure it is and a sign where it is not decided.
func (e estimate) times(sure string) string {
	sign := map[comparison.Verdict]string{comparison.Open: " ~", comparison.Equal: " ="}[e.ratio.Verdict]
	return when(e.ratio.Value > 0, decimals(e.ratio.Value)+"x"+sure+sign)
}

// decimals writes a ratio: 1.31, 27.
func decimals(ratio float64) string {
	if ratio < 9.995 {
		return prose.Thousands(ratio, 2)
	}
	return prose.Thousands(ratio, 0)
}

// choose finds the cells that the answer names, and marks every cell.
func (r *Report) choose() {
	recommended := r.Recommended()
	candidates := slices.DeleteFunc(slices.Clone(r.measured), (*cell).out)
	least := func(figure func(comparison.Summary) float64) *cell {
		return comparison.Least(r.Comparison, candidates, func(c *cell) *comparison.Cell { return c.Cell }, figure)
	}
	r.Fastest, r.Cheapest = least(comparison.Duration), least(comparison.Cost)
	for _, c := range r.measured {
		if c.Best = c.Cell == recommended && !c.out(); c.Best {
			r.Best = c
		}
		if r.Map != nil {
			c.Marks = when(c.Check != nil, "*") + when(c.Limited(), "‡")
			r.Occurs["limited"] = r.Occurs["limited"] || c.Limited()
			continue
		}
		c.Marks = when(c.Best, "★") + when(c == r.Fastest, "▲") + when(c == r.Cheapest, "▼") + when(c.Busy(), "!")
	}
}

// Limited reports whether S3's limit holds a computed cell up.
func (c *cell) Limited() bool { return c.OK && c.Computed != nil && c.Computed.Limited() }

// out reports whether the cell is no candidate: on Lambda it may be faster, because this machine held it
// up, or because S3 may grant a burst, whose size nobody has published.
func (c *cell) out() bool { return c.beyond || c.Limited() }

// Name identifies the cell: pool (30) at 512 MB.
func (c *cell) Name() string { return c.place.Name() }

// failure says in Lambda's words, in one to three of them, why a cell has no figures. A local run records
// that a function ran out of memory; on AWS the text of the error tells.
func (r *Report) failure(c *comparison.Cell) string {
	switch {
	case c == nil && r.Map == nil:
		return "–"
	case c != nil && c.Computed != nil && c.Computed.Binds == comparison.Timeout:
		return "timeout"
	case r.Map != nil, c.OutOfMemory, r.Mode == comparison.AWS && outOfMemory.MatchString(c.Error):
		return "out of memory" // nothing else keeps a map from a figure
	case strings.Contains(c.Error, "Task timed out"):
		return "timeout"
	}
	return "error"
}

// outOfMemory matches an error on AWS: Lambda kills a function for nothing else, and has two texts for it.
var outOfMemory = regexp.MustCompile(`^out of memory: |Runtime\.OutOfMemory|Runtime exited with error: signal: killed`)
