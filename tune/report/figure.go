package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
)

// Units of a figure's viewBox. A page 360 px wide draws them at 0.85 of their size, so that text is 10 px high.
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
	Map                    *comparison.Map // nil of what was measured
	More                   int             // variants that have no room
	Height                 float64
	Left, Right            float64 // of the plot; its top and bottom are the same for all
	XTicks, YTicks         []tick
	XTitle, YTitle         string
	XTitleAt               float64 // below the plot
	Reference              float64 // the line at one vCPU; 0: none
	Frontier               []point // joined
	Lines                  []*line
	Sizes                  []point // memory sizes on the frontier
	Ring                   *point  // the recommended cell
	x, y                   scale

	// Of a heat map, whose Frontier joins the best concurrencies.
	Tiles  []tile
	Checks []point // what was measured
}

// line is a variant in a figure.
type line struct {
	Variant int
	Dash    int // the strategy's pattern, so that both of two equal lines are seen
	Points  []point
	Label   point
	Leader  *point // the last one, from which a path leads to the label; nil of one in a key, which has a marker
}

type point struct {
	X, Y, Low, High float64 // Low and High are those of the whisker, if any
	Joined          bool    // to the point before
	Hollow          bool    // no candidate
	Text            string  // its title, or what a label says
}

// Figures returns the three of a page, or none if no cell has figures.
func (r *Report) Figures() []*figure {
	if len(r.measured) == 0 {
		return nil
	}
	variants := r.drawn()
	cells := slices.DeleteFunc(slices.Clone(r.measured), func(c *cell) bool { return !slices.Contains(variants, c.Variant) })
	figures := []*figure{
		r.againstMemory("time", capital(r.Statistic())+" duration, ms", variants, cells),
		r.againstMemory("cost", "$ per million invocations", variants, cells),
		r.costAgainstTime(variants, cells),
	}
	for _, f := range figures {
		if f.Map = r.Map; len(variants) == maxLines {
			f.More = len(r.Variants) - maxLines
		}
	}
	return figures
}

// drawn returns the variants that the figures show. If there are too many, it keeps sequential, to which the others
// are compared, and those whose best cells have the least cost x duration.
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
func (r *Report) againstMemory(id, unit string, variants []int, cells []*cell) *figure {
	f := &figure{ID: id, Title: capital(id) + " against memory", XTitle: "Memory, MB", YTitle: unit, Right: figureWidth}
	for _, v := range variants {
		f.Right = min(f.Right, figureWidth-18-textWidth(figureLabel(r.Labels[v]), textSize))
	}
	var values []float64
	for _, c := range cells {
		e := measures[id](c)
		if values = append(values, e.Value); e.Low > 0 {
			values = append(values, e.Low, e.High)
		}
	}
	f.against(r.Run.PowerValues, platform.MemoryPerVCPU, newScale(values, plotBottom, plotTop))
	for k, v := range variants {
		dodge := (float64(k) - float64(len(variants)-1)/2) * min(3, 18/float64(len(variants)))
		var told []string // the values, for screen readers
		l := f.addLine(r, v, func(c *cell) point {
			e := measures[id](c)
			told = append(told, e.Full+" at "+megabytes(c.Power)+" MB")
			p := point{X: f.x.at(float64(c.Power)) + dodge, Y: f.y.at(e.Value), Text: e.Full}
			if e.Low > 0 {
				p.Text += when(e.ratio.Value > 0, ", "+e.Compared())
				p.Low, p.High = f.y.at(e.Low), f.y.at(e.High)
			}
			return p
		})
		l.Label = point{X: f.Right + 16, Y: l.Points[len(l.Points)-1].Y, Text: figureLabel(r.Labels[v])}
		f.Description += when(k > 0, " ") + r.Labels[v] + ": " + strings.Join(told, ", ") + "."
	}
	f.placeLabels()
	return f
}

// setY sets the vertical scale. The plot begins to the right of its texts.
func (f *figure) setY(y scale) {
	f.y, f.YTicks, f.Left = y, y.ticks(), plotLeft
	for _, t := range f.YTicks {
		f.Left = max(f.Left, textWidth(t.Text, textSize)+10)
	}
}

// against plots against whole numbers, gives each its tick, and draws a line at the reference if it is covered.
func (f *figure) against(numbers []int, reference float64, y scale) {
	f.setY(y)
	f.x = newScale(numbers, f.Left, f.Right)
	if f.x.covers(reference) {
		f.Reference = f.x.at(reference)
	}
	f.XTicks, f.XTitleAt = f.x.ticksAt(numbers), 33
	if slices.ContainsFunc(f.XTicks, func(t tick) bool { return t.Row > 0 }) {
		f.XTitleAt += lineHeight
	}
	f.Height = plotBottom + f.XTitleAt + 6
}

// addLine draws a variant's cells as points, joined by ascending memory. No line leads to a cell that this machine
// held up: it is faster on Lambda than the line would say.
func (f *figure) addLine(r *Report, variant int, at func(*cell) point) *line {
	l := &line{Variant: variant, Dash: slices.Index(r.Strategies, r.Variants[variant].Strategy) % 4}
	f.Lines = append(f.Lines, l)
	joined := false
	for _, row := range r.Rows {
		c := row.Cells[variant]
		if c.OK {
			p := at(c)
			p.Text = fmt.Sprintf("%s, %s MB: %s", c.Label, megabytes(c.Power), p.Text)
			p.Hollow, p.Joined = c.out, joined && !c.out
			if l.Points = append(l.Points, p); c == r.Best {
				f.Ring = &p
			}
		}
		joined = c.OK && !c.out
	}
	return l
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

// scale maps positive values to pixels, logarithmically.
type scale struct {
	least, most float64 // values
	from, to    float64 // pixels
}

// newScale covers the values with space beside them, and at least a factor of two, so that noise looks like noise.
func newScale[N int | float64](values []N, from, to float64) scale {
	least, most := float64(slices.Min(values)), float64(slices.Max(values))
	if most < 2*least {
		middle := math.Sqrt(least * most)
		least, most = middle/math.Sqrt2, middle*math.Sqrt2
	}
	air := math.Pow(most/least, 0.06)
	return scale{least / air, most * air, from, to}
}

func (s scale) at(v float64) float64 {
	return s.from + (s.to-s.from)*math.Log(v/s.least)/math.Log(s.most/s.least)
}

func (s scale) covers(v float64) bool { return s.least <= v && v <= s.most }

type tick struct {
	At   float64 // pixel
	Text string  // empty where there is no room for it
	Row  int     // of the text: 1 is one line down
}

// ticks returns at most eight round values whose texts have room: 1, 2 and 5 of each decade, or 1 of every nth.
func (s scale) ticks() []tick {
	first, last := math.Floor(math.Log10(s.least)), math.Floor(math.Log10(s.most))
	for stride, steps := 0.0, []float64{1, 2, 5}; ; stride, steps = stride+1, []float64{1} {
		var ticks []tick
		for e := first; e <= last; e += max(stride, 1) {
			for _, step := range steps {
				if v := step * math.Pow(10, e); s.covers(v) {
					ticks = append(ticks, tick{At: s.at(v), Text: prose.Thousands(v, -1)})
				}
			}
		}
		closest := (s.to - s.from) * max(stride, math.Log10(2)) / math.Log10(s.most/s.least) // negative: one above the other
		if len(ticks) <= 8 && (closest < 0 || closest > textWidth(prose.Thousands(math.Pow(10, last), -1), textSize)) {
			return ticks
		}
	}
}

// ticksAt returns a tick for each size. A text without room beside its neighbours goes one line down, or is left out.
func (s scale) ticksAt(sizes []int) []tick {
	ticks := make([]tick, len(sizes))
	free := []float64{math.Inf(-1), math.Inf(-1)} // where the free part of each line begins
	for i, size := range sizes {
		at, text := s.at(float64(size)), strconv.Itoa(size)
		half := textWidth(text, textSize)/2 + 1
		ticks[i].At = at
		if row := slices.IndexFunc(free, func(from float64) bool { return at-half >= from }); row >= 0 {
			ticks[i].Text, ticks[i].Row, free[row] = text, row, at+half
		}
	}
	return ticks
}
