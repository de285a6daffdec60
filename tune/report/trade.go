package report

import (
	"cmp"
	"fmt"
	"image"
	"slices"

	"lambda-parallel-io/handler/prose"
)

// costAgainstTime shows which cells no other cell beats in both.
func (r *Report) costAgainstTime(variants []int, cells []*cell) *figure {
	f := &figure{ID: "trade", Title: "Cost against time", XTitleAt: 34, Right: figureWidth - 20,
		XTitle: capital(r.Statistic()) + " duration, ms", YTitle: "$ per million invocations",
		Hint:        "Lower left is better. The band joins the cells, with their MB, that no other beats in both.",
		Description: "Of each variant, cost and duration at each size. "}
	var times, costs []float64
	for _, c := range cells {
		times, costs = append(times, c.Duration.Value), append(costs, c.Cost.Value)
	}
	f.setY(newScale(costs, plotBottom-18, plotTop))
	f.x = newScale(times, f.Left+24, f.Right)
	f.XTicks = f.x.ticks()
	at := func(c *cell) point {
		return newPoint(c, f.x.at(c.Duration.Value), f.y.at(c.Cost.Value), c.Duration.Full+", "+c.Cost.Full)
	}
	x, y := plotLeft-6, plotBottom+56.0 // of the labels, in lines below the plot
	for _, v := range variants {
		l := f.addLine(r, v, at)
		text := figureLabel(r.Labels[v])
		wide := 16 + textWidth(text, textSize)
		if x > plotLeft && x+wide > figureWidth {
			x, y = plotLeft-6, y+lineHeight+1
		}
		l.Label, l.Key = label{x + 16, y, text}, true
		x += wide + 8
	}
	f.Height = y + lineHeight/2 + 4
	front := frontier(cells)
	var unbeaten []string
	for i, c := range front {
		p := at(c)
		p.Joined = i > 0
		f.Frontier = append(f.Frontier, p)
		unbeaten = append(unbeaten, fmt.Sprintf("%s (%s, $%s)", c.Name(), c.Duration.Full, c.Cost.Text))
	}
	if len(front) > 0 {
		f.Description += "No other is both faster and cheaper than " + prose.List(unbeaten) + "."
	}
	// The recommended cell's size is placed first.
	if i := slices.Index(front, r.Best); i >= 0 {
		front = slices.Insert(slices.Delete(front, i, i+1), 0, r.Best)
	}
	f.labelFrontier(front, cells, at)
	return f
}

// frontier returns the cells than which no other is both faster and cheaper, by ascending duration.
func frontier(cells []*cell) (front []*cell) {
	sorted := slices.DeleteFunc(slices.Clone(cells), (*cell).out)
	slices.SortStableFunc(sorted, func(a, b *cell) int {
		return cmp.Or(cmp.Compare(a.Duration.Value, b.Duration.Value), cmp.Compare(a.Cost.Value, b.Cost.Value))
	})
	for _, c := range sorted {
		if len(front) == 0 || c.Cost.Value < front[len(front)-1].Cost.Value {
			front = append(front, c)
		}
	}
	return front
}

// labelFrontier writes the memory size beside each point of the frontier, where it covers neither a marker
// nor another label. A point without such a place has none. Lower left comes first: no cell is below the
// frontier.
func (f *figure) labelFrontier(front, cells []*cell, at func(*cell) point) {
	var taken []image.Rectangle
	around := func(x, y, wide, high float64) image.Rectangle {
		return image.Rect(int(x-wide/2), int(y-high/2), int(x+wide/2), int(y+high/2))
	}
	plot := image.Rect(int(f.Left)+2, plotTop, int(f.Right), plotBottom-1)
	for _, c := range cells {
		p := at(c)
		taken = append(taken, around(p.X, p.Y, 10, 10))
	}
	if p := f.Ring; p != nil {
		taken = append(taken, around(p.X, p.Y, 20, 20))
	}
	for _, c := range front {
		p, text := at(c), megabytes(c.Power)
		w := textWidth(text, textSize)
		for _, corner := range []struct{ x, y float64 }{{-w - 8, 13}, {-w / 2, 20}, {8, 13}, {-w - 12, 0}, {12, -8}, {-w / 2, -16}} {
			x, y := p.X+corner.x, p.Y+corner.y
			if b := around(x+w/2, y, w, 14); b.In(plot) && !slices.ContainsFunc(taken, b.Overlaps) {
				taken = append(taken, b)
				f.Sizes = append(f.Sizes, label{x, y, text})
				break
			}
		}
	}
}
