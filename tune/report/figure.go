package report

import (
	"cmp"
	"fmt"
	"math"
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
	Reference              *label // the line at one vCPU
	Frontier               string // path
	Lines                  []line
	Sizes                  []label // memory sizes on the frontier
	Ring                   *point  // the recommended cell
}

// line is a variant in a figure.
type line struct {
	Variant  int
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
	if g.fastest == nil && g.best == nil && len(g.measured()) == 0 {
		return nil
	}
	return []*figure{
		g.againstMemory("time", "Time against memory", title(g.Statistic())+" duration, ms",
			func(c *cell) estimate { return c.duration }, func(v float64) string { return milliseconds(v) + " ms" }),
		g.againstMemory("cost", "Cost against memory", "$ per million invocations",
			func(c *cell) estimate { return c.cost }, func(v float64) string { return dollars(v) + " per million" }),
		g.costAgainstTime(),
	}
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
	f := &figure{ID: id, Title: heading, Width: figureWidth, Height: plotBottom + 38,
		Left: plotLeft, Top: plotTop, Bottom: plotBottom, XTitle: "Memory, MB", YTitle: unit}
	variants := g.drawn()
	widest := 0.0
	for _, v := range variants {
		widest = max(widest, textWidth(figureLabel(g.labels[v]), textSize))
	}
	f.Right = figureWidth - widest - 16

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
	x, y := newScale(sizes, f.Left, f.Right), newScale(values, f.Bottom, f.Top)
	f.XTicks, f.YTicks = x.memoryTicks(g.Run.PowerValues, textSize), y.ticks(tickText)
	if const1vCPU := 1769.0; x.covers(const1vCPU) {
		f.Reference = &label{x.at(const1vCPU), f.Top, "1,769 MB = 1 vCPU"}
	}
	for _, v := range variants {
		l := line{Variant: v}
		var last point
		connected := false
		for i := range g.rows {
			c := &g.rows[i].cells[v]
			if !c.ok {
				connected = false
				continue
			}
			e := of(c)
			p := newPoint(v, x.at(float64(c.power)), y.at(e.value), c)
			p.Title = fmt.Sprintf("%s, %s MB: %s", c.label, megabytes(c.power), text(e.value))
			if e.interval != "" {
				p.Title += " " + e.interval
				l.Whiskers += whisker(p.X, y.at(e.lo), y.at(e.hi))
			}
			l.Points = append(l.Points, p)
			// A capped size would be faster on Lambda: a line to it would
			// say otherwise.
			l.Path += step(p, connected && !p.Hollow)
			connected, last = !p.Hollow, p
		}
		l.Label = label{f.Right + 14, last.Y, figureLabel(g.labels[v])}
		f.Lines = append(f.Lines, l)
	}
	f.placeLabels()
	f.Description = g.describe(variants, of, text)
	return f
}

func tickText(v float64) string {
	if v < 1 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return thousands(v, 0)
}

func newPoint(variant int, x, y float64, c *cell) point {
	return point{X: x, Y: y, Marker: marker(variant, x, y), Hollow: c.Capped}
}

func step(p point, connected bool) string {
	if connected {
		return "L" + xy(p.X, p.Y)
	}
	return "M" + xy(p.X, p.Y)
}

func whisker(x, lo, hi float64) string {
	return "M" + xy(x-3, lo) + "h6M" + xy(x, lo) + "V" + px(hi) + "M" + xy(x-3, hi) + "h6"
}

// placeLabels puts each label as near to its line's end as the others allow.
func (f *figure) placeLabels() {
	order := make([]*line, len(f.Lines))
	for i := range f.Lines {
		order[i] = &f.Lines[i]
	}
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

// costAgainstTime shows which cells no other beats in both.
func (g *grid) costAgainstTime() *figure {
	f := &figure{ID: "trade", Title: "Cost against time", Width: figureWidth, Left: plotLeft, Right: figureWidth - 8,
		Top: plotTop, Bottom: plotBottom, XTitle: title(g.Statistic()) + " duration, ms", YTitle: "$ per million invocations"}
	variants := g.drawn()
	var times, costs []float64
	var cells []*cell
	for _, c := range g.measured() {
		if slices.Contains(variants, c.variant) {
			cells, times, costs = append(cells, c), append(times, c.duration.value), append(costs, c.cost.value)
		}
	}
	x, y := newScale(times, f.Left, f.Right), newScale(costs, f.Bottom, f.Top)
	f.XTicks, f.YTicks = x.ticks(tickText), y.ticks(tickText)
	at := func(c *cell) point {
		p := newPoint(c.variant, x.at(c.duration.value), y.at(c.cost.value), c)
		p.Title = fmt.Sprintf("%s, %s MB: %s ms, %s per million", c.label, megabytes(c.power), milliseconds(c.duration.value), dollars(c.cost.value))
		return p
	}
	keys := newKeys(f.Bottom + 50)
	for _, v := range variants {
		l := line{Variant: v}
		connected := false
		for i := range g.rows {
			c := &g.rows[i].cells[v]
			if !c.ok {
				connected = false
				continue
			}
			p := at(c)
			l.Points = append(l.Points, p)
			l.Path += step(p, connected && !p.Hollow)
			connected = !p.Hollow
		}
		l.Label = keys.place(figureLabel(g.labels[v]))
		l.Key = &point{Marker: marker(v, l.Label.X-10, l.Label.Y)}
		f.Lines = append(f.Lines, l)
	}
	f.Height = keys.y + lineHeight/2 + 4
	if g.best != nil {
		p := at(g.best)
		f.Ring = &p
	}
	f.drawFrontier(frontier(cells), at)
	f.Description = "Of each variant, cost and duration at each size. " + g.frontierText(frontier(cells))
	return f
}

// frontier are the cells that no other is both faster and cheaper than, by
// ascending duration.
func frontier(cells []*cell) (front []*cell) {
	sorted := slices.DeleteFunc(slices.Clone(cells), func(c *cell) bool { return c.Capped })
	slices.SortStableFunc(sorted, func(a, b *cell) int {
		return cmp.Or(cmp.Compare(a.duration.value, b.duration.value), cmp.Compare(a.cost.value, b.cost.value))
	})
	least := math.Inf(1)
	for _, c := range sorted {
		if c.cost.value < least {
			least = c.cost.value
			front = append(front, c)
		}
	}
	return front
}

// drawFrontier labels its points with their sizes, left below them where the
// frontier leaves the plot empty, and the points where there is room.
func (f *figure) drawFrontier(front []*cell, at func(*cell) point) {
	var last *label
	for i, c := range front {
		p := at(c)
		f.Frontier += step(p, i > 0)
		text := megabytes(c.power)
		l := label{p.X - 7, p.Y + 11, text}
		if l.X-textWidth(text, textSize) < f.Left+2 || l.Y > f.Bottom-4 {
			continue
		}
		if last != nil && l.Y-last.Y < lineHeight-2 && l.X-textWidth(text, textSize) < last.X+2 {
			continue
		}
		f.Sizes = append(f.Sizes, l)
		last = &l
	}
}

// keys places labels in lines below a plot.
type keys struct{ x, y float64 }

func newKeys(y float64) *keys { return &keys{plotLeft, y} }

func (k *keys) place(text string) label {
	w := 20 + textWidth(text, textSize)
	if k.x > plotLeft && k.x+w > figureWidth {
		k.x, k.y = plotLeft, k.y+lineHeight+1
	}
	l := label{k.x + 16, k.y, text}
	k.x += w + 4
	return l
}

func figureLabel(s string) string { return fit(s, textSize, 112) }

// marker is the path of a variant's marker: together with one of eight colours
// it tells 64 variants apart, and eight of them without colour.
func marker(variant int, x, y float64) string {
	at := "M" + xy(x, y)
	switch (variant + variant/8) % 8 {
	case 0: // disc
		return at + "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z"
	case 1: // square
		return at + "m-3.5-3.5h7v7h-7z"
	case 2: // triangle
		return at + "m0-4.8l4.4 8h-8.8z"
	case 3: // diamond
		return at + "m0-5l5 5l-5 5l-5-5z"
	case 4: // triangle, point down
		return at + "m0 4.8l4.4-8h-8.8z"
	case 5: // plus
		return at + "m-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z"
	case 6: // flat bar
		return at + "m-5-2h10v4h-10z"
	default: // upright bar
		return at + "m-2-5h4v10h-4z"
	}
}

func xy(x, y float64) string { return px(x) + " " + px(y) }

func px(f float64) string {
	return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64)
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

func (g *grid) frontierText(front []*cell) string {
	var parts []string
	for _, c := range front {
		parts = append(parts, fmt.Sprintf("%s at %s MB (%s ms, %s)", c.label, megabytes(c.power), milliseconds(c.duration.value), dollars(c.cost.value)))
	}
	if len(parts) == 0 {
		return ""
	}
	return "No other is both faster and cheaper than " + list(parts) + "."
}
