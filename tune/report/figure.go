package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The geometry of a figure, in units of its viewBox. At a page of 360 px these
// are drawn at 0.85 of their size: the text is still 10 px high.
const (
	figureWidth = 400.0
	plotHeight  = 230.0
	plotLeft    = 42.0
	plotTop     = 22.0
	plotBottom  = plotTop + plotHeight
	textSize    = 12.0
	lineHeight  = 15.0

	oneVCPU = 1769.0 // MB, https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html

	maxLines = 12 // variants in a figure: their labels have no room for more
)

// figure is what its template draws.
type figure struct {
	ID, Title, Description string
	Hint                   string // how to read it, for the page
	Width, Height          float64
	Left, Right            float64 // of the plot; its top and bottom are the same for all
	Top, Bottom            float64
	XTicks, YTicks         []tick
	XTitle, YTitle         string
	XTitleAt               float64 // below the plot
	Reference              *label  // the line at one vCPU
	Frontier               string  // path
	Lines                  []line
	Sizes                  []label // memory sizes on the frontier
	Ring                   *point  // the recommended cell
}

// line is a variant in a figure.
type line struct {
	Variant  int
	Dash     int // which pattern
	Path     string
	Whiskers string // path
	Leader   string // path, from the last point to the label
	Points   []point
	Key      *point // the marker beside the label, where the label is not at the line's end
	Label    label
}

type point struct {
	X, Y   float64
	Marker string // path
	Hollow bool   // capped
	Title  string
}

type label struct {
	X, Y float64
	Text string
}

// figures are the three of a page. There are none of a comparison without any
// figure in it.
func (g *grid) figures() []*figure {
	if len(g.measured()) == 0 {
		return nil
	}
	figures := []*figure{
		g.againstMemory("time", "Time against memory", title(g.Statistic())+" duration, ms",
			func(c *cell) estimate { return c.duration }, func(v float64) string { return milliseconds(v) + " ms" }),
		g.againstMemory("cost", "Cost against memory", "$ per million invocations",
			func(c *cell) estimate { return c.cost }, func(v float64) string { return dollars(v) + " per million" }),
		g.costAgainstTime(),
	}
	if more := len(g.Variants) - len(g.drawn()); len(g.drawn()) == maxLines && more > 0 {
		for _, f := range figures {
			f.Hint += fmt.Sprintf(" %s in the table alone.", are(more, "more variant"))
		}
	}
	return figures
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// measured are the cells with figures.
func (g *grid) measured() (cells []*cell) {
	for i := range g.rows {
		for j := range g.rows[i].cells {
			if c := &g.rows[i].cells[j]; c.ok {
				cells = append(cells, c)
			}
		}
	}
	return cells
}

// drawn are the variants that the figures show: those with a figure, and of
// too many those with the least cost x duration in one of their cells, and
// sequential, the measure of the others.
func (g *grid) drawn() []int {
	score := make(map[int]float64)
	for _, c := range g.measured() {
		product := c.duration.value * c.cost.value
		if g.Variants[c.variant].Strategy == "sequential" {
			product = 0
		}
		if s, ok := score[c.variant]; !ok || product < s {
			score[c.variant] = product
		}
	}
	var variants []int
	for i := range g.Variants {
		if _, ok := score[i]; ok {
			variants = append(variants, i)
		}
	}
	if len(variants) > maxLines {
		slices.SortStableFunc(variants, func(a, b int) int { return cmp.Compare(score[a], score[b]) })
		variants = variants[:maxLines]
		slices.Sort(variants)
	}
	return variants
}

func (g *grid) againstMemory(id, heading, unit string, of func(*cell) estimate, text func(float64) string) *figure {
	f := &figure{ID: id, Title: heading, Width: figureWidth, XTitleAt: 33,
		Hint: "Logarithmic scales. ", Top: plotTop, Bottom: plotBottom, XTitle: "Memory, MB", YTitle: unit}
	variants := g.drawn()
	widest := 0.0
	for _, v := range variants {
		widest = max(widest, textWidth(figureLabel(g.labels[v]), textSize))
	}
	f.Right = figureWidth - widest - 18

	var values, sizes []float64
	for _, c := range g.measured() {
		if e := of(c); slices.Contains(variants, c.variant) {
			values = append(values, e.value)
			if e.interval != "" {
				values = append(values, e.lo, e.hi)
			}
		}
	}
	for _, r := range g.rows {
		sizes = append(sizes, float64(r.power))
	}
	y := newScale(values, f.Bottom, f.Top)
	f.YTicks = y.ticks(tickText)
	f.Left = leftOf(f.YTicks)
	x := newScale(sizes, f.Left, f.Right)
	f.XTicks = x.memoryTicks(g.Run.PowerValues, textSize)
	if slices.ContainsFunc(f.XTicks, func(t tick) bool { return t.Row > 0 }) {
		f.XTitleAt += lineHeight
	}
	f.Height = f.Bottom + f.XTitleAt + 6
	if x.covers(oneVCPU) {
		f.Reference = &label{x.at(oneVCPU), f.Top, "1,769 MB = 1 vCPU"}
	}
	if g.bounded() {
		f.Hint += "Whiskers: 95 % confidence intervals. "
	}
	f.Hint += "Variants stand side by side at each size."
	if slices.ContainsFunc(g.measured(), func(c *cell) bool { return c.Capped }) {
		f.Hint += " Hollow: capped."
	}
	for k, v := range variants {
		l := line{Variant: v, Dash: g.dash(v)}
		dodge := (float64(k) - float64(len(variants)-1)/2) * min(3, 18/float64(len(variants)))
		var last point
		connected := false
		for i := range g.rows {
			c := &g.rows[i].cells[v]
			if !c.ok {
				connected = false
				continue
			}
			e := of(c)
			p := newPoint(v, x.at(float64(c.power))+dodge, y.at(e.value), c)
			p.Title = fmt.Sprintf("%s, %s MB: %s", c.label, megabytes(c.power), text(e.value))
			if e.interval != "" {
				p.Title += " " + e.interval
				l.Whiskers += whisker(p.X, y.at(e.lo), y.at(e.hi))
			}
			l.Points = append(l.Points, p)
			if c == g.best {
				f.Ring = &p
			}
			// A capped size would be faster on Lambda: a line to it would
			// say otherwise.
			l.Path += step(p, connected && !p.Hollow)
			connected, last = !p.Hollow, p
		}
		l.Label = label{f.Right + 16, last.Y, figureLabel(g.labels[v])}
		f.Lines = append(f.Lines, l)
	}
	f.placeLabels()
	f.Description = g.describe(variants, of, text)
	return f
}

// leftOf is where a plot begins to the right of its ticks' texts.
func leftOf(ticks []tick) float64 {
	left := plotLeft
	for _, t := range ticks {
		left = max(left, textWidth(t.Text, textSize)+10)
	}
	return left
}

func tickText(v float64) string {
	if v < 1 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return thousands(v, 0)
}

// describe tells a figure's values to those who do not see it.
func (g *grid) describe(variants []int, of func(*cell) estimate, text func(float64) string) string {
	var parts []string
	for _, v := range variants {
		var values []string
		for i := range g.rows {
			if c := &g.rows[i].cells[v]; c.ok {
				values = append(values, fmt.Sprintf("%s at %s MB", text(of(c).value), megabytes(c.power)))
			}
		}
		parts = append(parts, g.labels[v]+": "+strings.Join(values, ", ")+".")
	}
	return strings.Join(parts, " ")
}
