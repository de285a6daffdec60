package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"lambda-parallel-io/tune/prose"
)

// costAgainstTime shows which cells no other beats in both.
func (r *Report) costAgainstTime(variants []int) *figure {
	f := &figure{ID: "trade", Title: "Cost against time", Width: figureWidth, Right: figureWidth - 20,
		Top: plotTop, Bottom: plotBottom, XTitleAt: 34, XTitle: capital(r.Statistic()) + " duration, ms", YTitle: "$ per million invocations"}
	var times, costs []float64
	var cells []*cell
	for _, c := range r.measured {
		if slices.Contains(variants, c.Variant) {
			cells, times, costs = append(cells, c), append(times, c.Duration.value), append(costs, c.Cost.value)
		}
	}
	y := newScale(costs, f.Bottom-18, f.Top)
	f.setYTicks(y)
	x := newScale(times, f.Left+24, f.Right)
	f.XTicks = x.ticks(tickText)
	at := func(c *cell) point { return newPoint(c, x.at(c.Duration.value), y.at(c.Cost.value), c.figures()) }
	keys := keys{plotLeft - 6, f.Bottom + 56}
	for _, v := range variants {
		l := f.addLine(r, v, at)
		l.Label = keys.place(figureLabel(r.Labels[v]))
		l.Key = &point{Marker: marker(v, l.Label.X-10, l.Label.Y)}
	}
	f.Height = keys.y + lineHeight/2 + 4
	front := frontier(cells)
	var unbeaten []string
	for i, c := range front {
		f.Frontier += step(at(c), i > 0)
		unbeaten = append(unbeaten, fmt.Sprintf("%s (%s ms, $%s)", c.name(), c.Duration.Text, c.Cost.Text))
	}
	// The recommended cell's size is placed first.
	labelled := slices.Clone(front)
	if i := slices.Index(front, r.best); i >= 0 {
		labelled = slices.Insert(slices.Delete(labelled, i, i+1), 0, r.best)
	}
	f.labelFrontier(labelled, cells, at)
	f.Hint = "Lower left is better. The band joins the cells, with their MB, that no other beats in both."
	f.Description = "Of each variant, cost and duration at each size. "
	if len(front) > 0 {
		f.Description += "No other is both faster and cheaper than " + prose.List(unbeaten) + "."
	}
	return f
}

// frontier are the cells that no other is both faster and cheaper than, by
// ascending duration.
func frontier(cells []*cell) (front []*cell) {
	sorted := slices.DeleteFunc(slices.Clone(cells), func(c *cell) bool { return c.Capped })
	slices.SortStableFunc(sorted, func(a, b *cell) int {
		return cmp.Or(cmp.Compare(a.Duration.value, b.Duration.value), cmp.Compare(a.Cost.value, b.Cost.value))
	})
	least := math.Inf(1)
	for _, c := range sorted {
		if c.Cost.value < least {
			least = c.Cost.value
			front = append(front, c)
		}
	}
	return front
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
		p, text := at(c), megabytes(c.Power)
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
