package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/prose"
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
	Lines                  []*line
	Sizes                  []label // memory sizes on the frontier
	Ring                   *point  // the recommended cell
}

// line is a variant in a figure.
type line struct {
	Variant  int
	Dash     int // which pattern: one a strategy, so that of two with the same figures both are seen
	Path     string
	Whiskers string // path
	Leader   string // path, from the last point to the label
	Points   []point
	Key      *point // the marker beside the label, where the label is not at the line's end
	Label    label
}

type point struct {
	X, Y    float64
	Marker  string // path
	Hollow  bool   // capped
	Title   string
	whisker string // path
}

type label struct {
	X, Y float64
	Text string
}

// Figures are the three of a page. There are none of a comparison without any
// figure in it.
func (r *Report) Figures() []*figure {
	if len(r.measured) == 0 {
		return nil
	}
	variants := r.drawn()
	figures := []*figure{
		r.againstMemory("time", "Time against memory", capital(r.Statistic())+" duration, ms", variants,
			durationOf),
		r.againstMemory("cost", "Cost against memory", "$ per million invocations", variants,
			costOf),
		r.costAgainstTime(variants),
	}
	if more := len(r.Variants) - len(variants); len(variants) == maxLines && more > 0 {
		for _, f := range figures {
			f.Hint += fmt.Sprintf(" %s %s in the table alone.", count(more, "more variant"), plural(more, "is", "are"))
		}
	}
	return figures
}

// drawn are the variants that the figures show: those with a figure, and of
// too many those with the least cost x duration in one of their cells, and
// sequential, the measure of the others.
func (r *Report) drawn() []int {
	score := make(map[int]float64)
	for _, c := range r.measured {
		product := c.Duration.value * c.Cost.value
		if r.Variants[c.Variant].Sequential() {
			product = 0
		}
		if s, ok := score[c.Variant]; !ok || product < s {
			score[c.Variant] = product
		}
	}
	variants := slices.Sorted(maps.Keys(score))
	if len(variants) > maxLines {
		slices.SortStableFunc(variants, func(a, b int) int { return cmp.Compare(score[a], score[b]) })
		variants = variants[:maxLines]
		slices.Sort(variants)
	}
	return variants
}

func (r *Report) againstMemory(id, heading, unit string, variants []int, of measure) *figure {
	f := &figure{ID: id, Title: heading, Width: figureWidth, XTitleAt: 33,
		Hint: "Logarithmic scales. ", Top: plotTop, Bottom: plotBottom, XTitle: "Memory, MB", YTitle: unit}
	widest := 0.0
	for _, v := range variants {
		widest = max(widest, textWidth(figureLabel(r.Labels[v]), textSize))
	}
	f.Right = figureWidth - widest - 18

	var values, sizes []float64
	for _, c := range r.measured {
		if e := of(c); slices.Contains(variants, c.Variant) {
			values = append(values, e.value)
			if low, high, known := e.interval(); known {
				values = append(values, low, high)
			}
		}
	}
	for _, row := range r.Rows {
		sizes = append(sizes, float64(row.Power))
	}
	y := newScale(values, f.Bottom, f.Top)
	f.setYTicks(y)
	x := newScale(sizes, f.Left, f.Right)
	f.XTicks = x.memoryTicks(r.Run.PowerValues, textSize)
	if slices.ContainsFunc(f.XTicks, func(t tick) bool { return t.Row > 0 }) {
		f.XTitleAt += lineHeight
	}
	f.Height = f.Bottom + f.XTitleAt + 6
	if x.covers(comparison.MemoryPerVCPU) {
		f.Reference = &label{x.at(comparison.MemoryPerVCPU), f.Top, megabytes(comparison.MemoryPerVCPU) + " MB = 1 vCPU"}
	}
	if r.intervals() && id == "time" {
		f.Hint += "Whiskers: how sure the ratio to the best of the size is. "
	}
	f.Hint += "Variants stand side by side at each size."
	if slices.ContainsFunc(r.measured, func(c *cell) bool { return c.Capped }) {
		f.Hint += " Hollow: capped."
	}
	var descriptions []string // the values, for those who do not see them
	for k, v := range variants {
		dodge := (float64(k) - float64(len(variants)-1)/2) * min(3, 18/float64(len(variants)))
		var described []string
		l := f.addLine(r, v, func(c *cell) point {
			e := of(c)
			p := newPoint(c, x.at(float64(c.Power))+dodge, y.at(e.value), e.Full)
			if low, high, known := e.interval(); known {
				p.Title += ", " + e.Compared()
				p.whisker = whisker(p.X, y.at(low), y.at(high))
			}
			described = append(described, fmt.Sprintf("%s at %s MB", e.Full, megabytes(c.Power)))
			return p
		})
		l.Label = label{f.Right + 16, l.Points[len(l.Points)-1].Y, figureLabel(r.Labels[v])}
		descriptions = append(descriptions, r.Labels[v]+": "+strings.Join(described, ", ")+".")
	}
	f.placeLabels()
	f.Description = strings.Join(descriptions, " ")
	return f
}

// setYTicks draws the ticks of the upright scale, to the right of whose texts
// the plot begins.
func (f *figure) setYTicks(y scale) {
	f.YTicks, f.Left = y.ticks(tickText), plotLeft
	for _, t := range f.YTicks {
		f.Left = max(f.Left, textWidth(t.Text, textSize)+10)
	}
}

func tickText(v float64) string {
	if v < 1 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return prose.Thousands(v, 0)
}

// addLine draws a variant's cells as points and joins them, by ascending
// memory.
func (f *figure) addLine(r *Report, variant int, at func(*cell) point) *line {
	l := &line{Variant: variant, Dash: slices.Index(r.strategies, r.Variants[variant].Strategy) % 4}
	f.Lines = append(f.Lines, l)
	joined := false
	for _, row := range r.Rows {
		c := row.Cells[variant]
		if !c.OK {
			joined = false
			continue
		}
		p := at(c)
		if c == r.best {
			f.Ring = &p
		}
		l.Points = append(l.Points, p)
		l.Whiskers += p.whisker
		// A capped size would be faster on Lambda: a line to it would say
		// otherwise.
		l.Path += step(p, joined && !p.Hollow)
		joined = !p.Hollow
	}
	return l
}

func newPoint(c *cell, x, y float64, text string) point {
	return point{X: x, Y: y, Marker: marker(c.Variant, x, y), Hollow: c.Capped,
		Title: fmt.Sprintf("%s, %s MB: %s", c.Label, megabytes(c.Power), text)}
}

// step goes on with a path, by a line or without.
func step(p point, joined bool) string {
	if joined {
		return "L" + xy(p.X, p.Y)
	}
	return "M" + xy(p.X, p.Y)
}

func whisker(x, lo, hi float64) string {
	return "M" + xy(x-3, lo) + "h6M" + xy(x, lo) + "V" + px(hi) + "M" + xy(x-3, hi) + "h6"
}

// placeLabels puts each label as near to its line's end as the others allow.
func (f *figure) placeLabels() {
	order := slices.Clone(f.Lines)
	slices.SortStableFunc(order, func(a, b *line) int { return cmp.Compare(a.Label.Y, b.Label.Y) })
	at := make([]float64, len(order))
	for i, l := range order {
		at[i] = l.Label.Y
	}
	spread(at, lineHeight, f.Top+lineHeight/2, f.Bottom-lineHeight/2)
	for i, l := range order {
		end := l.Points[len(l.Points)-1]
		l.Label.Y = at[i]
		l.Leader = "M" + xy(end.X+6, end.Y) + "L" + xy(l.Label.X-3, at[i])
	}
}

func figureLabel(s string) string { return fit(s, textSize, 112) }
