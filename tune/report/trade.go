package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// costAgainstTime shows which cells no other beats in both.
func (g *grid) costAgainstTime() *figure {
	f := &figure{ID: "trade", Title: "Cost against time", Width: figureWidth, Right: figureWidth - 20,
		Top: plotTop, Bottom: plotBottom, XTitleAt: 34, XTitle: title(g.Statistic()) + " duration, ms", YTitle: "$ per million invocations"}
	variants := g.drawn()
	var times, costs []float64
	var cells []*cell
	for _, c := range g.measured() {
		if slices.Contains(variants, c.variant) {
			cells, times, costs = append(cells, c), append(times, c.duration.value), append(costs, c.cost.value)
		}
	}
	y := newScale(costs, f.Bottom-18, f.Top)
	f.YTicks = y.ticks(tickText)
	f.Left = leftOf(f.YTicks)
	x := newScale(times, f.Left+24, f.Right)
	f.XTicks = x.ticks(tickText)
	at := func(c *cell) point {
		p := newPoint(c.variant, x.at(c.duration.value), y.at(c.cost.value), c)
		p.Title = fmt.Sprintf("%s, %s MB: %s ms, %s per million", c.label, megabytes(c.power), milliseconds(c.duration.value), dollars(c.cost.value))
		return p
	}
	keys := keys{plotLeft - 6, f.Bottom + 56}
	for _, v := range variants {
		l := line{Variant: v, Dash: g.dash(v)}
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
	front := frontier(cells)
	for i, c := range front {
		f.Frontier += step(at(c), i > 0)
	}
	// The recommended cell's size is placed first.
	labelled := slices.Clone(front)
	slices.SortStableFunc(labelled, func(a, b *cell) int { return cmp.Compare(other(a, g.best), other(b, g.best)) })
	f.labelFrontier(labelled, cells, at)
	f.Hint = "Lower left is better. The band joins the cells, with their MB, that no other beats in both."
	f.Description = "Of each variant, cost and duration at each size. " + g.frontierText(front)
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

func other(c, best *cell) int {
	if c == best {
		return 0
	}
	return 1
}

// box is what a label or a marker covers.
type box struct{ left, top, right, bottom float64 }

func (a box) meets(b box) bool {
	return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}

// labelFrontier tells the sizes of the points on the frontier, each where it
// covers neither a marker nor another label, and nowhere if there is no such
// place. Lower left comes first: there the frontier leaves the plot empty.
func (f *figure) labelFrontier(front, cells []*cell, at func(*cell) point) {
	var taken []box
	for _, c := range cells {
		p := at(c)
		taken = append(taken, box{p.X - 5, p.Y - 5, p.X + 5, p.Y + 5})
	}
	if r := f.Ring; r != nil {
		taken = append(taken, box{r.X - 10, r.Y - 10, r.X + 10, r.Y + 10})
	}
	for _, c := range front {
		p, text := at(c), megabytes(c.power)
		w := textWidth(text, textSize)
		for _, corner := range []struct{ x, y float64 }{{-w - 8, 13}, {-w / 2, 20}, {8, 13}, {-w - 12, 0}, {12, -8}, {-w / 2, -16}} {
			b := box{p.X + corner.x, p.Y + corner.y - 7, p.X + corner.x + w, p.Y + corner.y + 7}
			if b.left < f.Left+2 || b.right > f.Right || b.top < f.Top || b.bottom > f.Bottom-1 ||
				slices.ContainsFunc(taken, b.meets) {
				continue
			}
			taken = append(taken, b)
			f.Sizes = append(f.Sizes, label{b.left, p.Y + corner.y, text})
			break
		}
	}
}

// keys places labels in lines below a plot.
type keys struct{ x, y float64 }

func (k *keys) place(text string) label {
	w := 16 + textWidth(text, textSize)
	if k.x > plotLeft && k.x+w > figureWidth {
		k.x, k.y = plotLeft-6, k.y+lineHeight+1
	}
	l := label{k.x + 16, k.y, text}
	k.x += w + 8
	return l
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
