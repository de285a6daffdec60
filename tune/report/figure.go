package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"lambda-parallel-io/handler/platform"
)

// The geometry of a figure, in units of its viewBox. A page 360 px wide draws them at 0.85 of their size,
// so that the text is 10 px high.
const (
	figureWidth = 400.0
	plotLeft    = 42.0
	plotTop     = 22.0
	plotBottom  = plotTop + 230
	textSize    = 12.0
	lineHeight  = 15.0

	maxLines = 12 // variants in a figure: more labels have no room
)

// figure is what its template draws.
type figure struct {
	ID, Title, Description string
	Hint                   string // how to read it, for the page
	Height                 float64
	Left, Right            float64 // of the plot; its top and bottom are the same for all
	XTicks, YTicks         []tick
	XTitle, YTitle         string
	XTitleAt               float64 // below the plot
	Reference              float64 // the line at one vCPU; 0: none
	Frontier               []point // joined
	Lines                  []*line
	Sizes                  []label // memory sizes on the frontier
	Ring                   *point  // the recommended cell
	x, y                   scale

	// Of a heat map, whose Frontier joins the best concurrencies.
	Tiles  []tile
	Struck []tile  // which S3's limit holds up
	Checks []label // what was measured
}

// line is a variant in a figure.
type line struct {
	Variant  int
	Dash     int // the strategy's pattern, so that both of two equal lines are seen
	Points   []point
	Whiskers []point // those with an interval
	Label    label
	Leader   *point // the last one, from which a path leads to the label
	Key      bool   // the label is part of a key, with a marker beside it, and not at the line's end
}

type point struct {
	X, Y, Low, High float64 // Low and High are those of the whisker, if any
	Joined          bool    // to the point before
	Hollow          bool    // no candidate
	Title           string
}

type label struct {
	X, Y float64
	Text string
}

// Figures returns the three of a page, or none if no cell has figures.
func (r *Report) Figures() []*figure {
	if len(r.measured) == 0 {
		return nil
	}
	variants := r.drawn()
	cells := slices.DeleteFunc(slices.Clone(r.measured), func(c *cell) bool { return !slices.Contains(variants, c.Variant) })
	figures := []*figure{
		r.againstMemory("time", "Time against memory", capital(r.Statistic())+" duration, ms", variants, cells, measures["duration"]),
		r.againstMemory("cost", "Cost against memory", "$ per million invocations", variants, cells, measures["cost"]),
		r.costAgainstTime(variants, cells),
	}
	if more := len(r.Variants) - len(variants); len(variants) == maxLines && more > 0 {
		for _, f := range figures {
			f.Hint += fmt.Sprintf(" The table has %s.", count(more, "more variant"))
		}
	}
	return figures
}

// drawn returns the variants that the figures show. If there are too many, it keeps sequential, to which
// the others are compared, and those whose best cells have the least cost x duration.
func (r *Report) drawn() (variants []int) {
	score := func(c *cell) float64 {
		if r.Variants[c.Variant].Sequential() {
			return 0
		}
		return c.Duration.Value * c.Cost.Value
	}
	byScore := func(a, b *cell) int { return cmp.Compare(score(a), score(b)) }
	for _, c := range slices.SortedStableFunc(slices.Values(r.measured), byScore) {
		if len(variants) < maxLines && !slices.Contains(variants, c.Variant) {
			variants = append(variants, c.Variant)
		}
	}
	slices.Sort(variants)
	return variants
}

// againstMemory shows a figure of each cell. The variants stand side by side at each size.
func (r *Report) againstMemory(id, title, unit string, variants []int, cells []*cell, of func(*cell) estimate) *figure {
	f := &figure{ID: id, Title: title, XTitle: "Memory, MB", YTitle: unit, Right: figureWidth}
	for _, v := range variants {
		f.Right = min(f.Right, figureWidth-18-textWidth(figureLabel(r.Labels[v]), textSize))
	}
	var values []float64
	whiskers := ""
	for _, c := range cells {
		e := of(c)
		if values = append(values, e.Value); e.Low > 0 {
			values = append(values, e.Low, e.High)
			whiskers = "Whiskers: the interval " + when(r.Map == nil, "of the ratio to the best of the size. ") +
				when(r.Map != nil, "that the calibration leaves. ")
		}
	}
	f.atSizes(r.Run.PowerValues, newScale(values, plotBottom, plotTop))
	f.markVCPU()
	f.Hint = "Logarithmic scales. " + whiskers + "Variants stand side by side at each size." +
		when(slices.ContainsFunc(r.measured, (*cell).out), " Hollow: held up by this machine or by S3’s limit.")
	for k, v := range variants {
		dodge := (float64(k) - float64(len(variants)-1)/2) * min(3, 18/float64(len(variants)))
		var told []string // the values, for screen readers
		l := f.addLine(r, v, func(c *cell) point {
			e := of(c)
			told = append(told, e.Full+" at "+megabytes(c.Power)+" MB")
			p := newPoint(c, f.x.at(float64(c.Power))+dodge, f.y.at(e.Value), e.Full)
			if e.Low > 0 {
				p.Title += when(e.ratio.Value > 0, ", "+e.Compared())
				p.Low, p.High = f.y.at(e.Low), f.y.at(e.High)
			}
			return p
		})
		l.Label = label{f.Right + 16, l.Points[len(l.Points)-1].Y, figureLabel(r.Labels[v])}
		f.Description += when(k > 0, " ") + r.Labels[v] + ": " + strings.Join(told, ", ") + "."
	}
	f.placeLabels()
	return f
}

// markVCPU draws the line at one vCPU.
func (f *figure) markVCPU() {
	if f.x.covers(platform.MemoryPerVCPU) {
		f.Reference = f.x.at(platform.MemoryPerVCPU)
	}
}

// setY sets the vertical scale. The plot begins to the right of its texts.
func (f *figure) setY(y scale) {
	f.y, f.YTicks, f.Left = y, y.ticks(), plotLeft
	for _, t := range f.YTicks {
		f.Left = max(f.Left, textWidth(t.Text, textSize)+10)
	}
}

// atSizes plots against memory sizes, or other whole numbers, and gives each of these its tick.
func (f *figure) atSizes(sizes []int, y scale) {
	f.setY(y)
	f.x = newScale(sizes, f.Left, f.Right)
	f.XTicks, f.XTitleAt = f.x.ticksAt(sizes), 33
	if slices.ContainsFunc(f.XTicks, func(t tick) bool { return t.Row > 0 }) {
		f.XTitleAt += lineHeight
	}
	f.Height = plotBottom + f.XTitleAt + 6
}

// addLine draws a variant's cells as points, joined by ascending memory. No line leads to a cell that this
// machine held up: it is faster on Lambda than the line would say.
func (f *figure) addLine(r *Report, variant int, at func(*cell) point) *line {
	l := &line{Variant: variant, Dash: slices.Index(r.Strategies, r.Variants[variant].Strategy) % 4}
	f.Lines = append(f.Lines, l)
	joined := false
	for _, row := range r.Rows {
		c := row.Cells[variant]
		if c.OK {
			p := at(c)
			if c == r.Best {
				f.Ring = &p
			}
			p.Joined = joined && !p.Hollow
			if l.Points = append(l.Points, p); p.High > 0 {
				l.Whiskers = append(l.Whiskers, p)
			}
		}
		joined = c.OK && !c.out()
	}
	return l
}

func newPoint(c *cell, x, y float64, text string) point {
	return point{X: x, Y: y, Hollow: c.out(), Title: fmt.Sprintf("%s, %s MB: %s", c.Label, megabytes(c.Power), text)}
}

// placeLabels puts each label as near to its line's end as the plot and the other labels allow.
func (f *figure) placeLabels() {
	order := slices.SortedStableFunc(slices.Values(f.Lines), func(a, b *line) int { return cmp.Compare(a.Label.Y, b.Label.Y) })
	least, most := plotTop+lineHeight/2, plotBottom-lineHeight/2
	for _, l := range order {
		l.Label.Y = max(l.Label.Y, least)
		least = l.Label.Y + lineHeight
	}
	for _, l := range slices.Backward(order) {
		l.Label.Y = min(l.Label.Y, most)
		most = l.Label.Y - lineHeight
		l.Leader = &l.Points[len(l.Points)-1]
	}
}
