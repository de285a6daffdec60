package report

import (
	"cmp"
	"fmt"
	"image"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
)

// costAgainstTime shows which cells no other cell beats in both.
func (r *Report) costAgainstTime(variants []int, cells []*cell) *figure {
	f := &figure{ID: "trade", Title: "Cost against time", XTitleAt: 34, Right: figureWidth - 20,
		XTitle: capital(r.Statistic()) + " duration, ms", YTitle: "$ per million invocations",
		Description: "Of each variant, cost and duration at each size. "}
	var times, costs []float64
	for _, c := range cells {
		times, costs = append(times, c.Duration.Value), append(costs, c.Cost.Value)
	}
	f.setY(newScale(costs, plotBottom-18, plotTop))
	f.x = newScale(times, f.Left+24, f.Right)
	f.XTicks = f.x.ticks()
	at := func(c *cell) point {
		return point{X: f.x.at(c.Duration.Value), Y: f.y.at(c.Cost.Value), Text: c.Duration.Full + ", " + c.Cost.Full}
	}
	x, y := plotLeft-6, plotBottom+56.0 // of the labels, in lines below the plot
	for _, v := range variants {
		l := f.addLine(r, v, at)
		text := figureLabel(r.Labels[v])
		wide := 16 + textWidth(text, textSize)
		if x > plotLeft && x+wide > figureWidth {
			x, y = plotLeft-6, y+lineHeight+1
		}
		l.Label = point{X: x + 16, Y: y, Text: text}
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
	sorted := candidates(cells)
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

// labelFrontier writes the memory size beside each point of the frontier where it covers no marker and no other
// label, or not at all. Lower left comes first: no cell is below the frontier.
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
				f.Sizes = append(f.Sizes, point{X: x, Y: y, Text: text})
				break
			}
		}
	}
}

// tile is a point of a map in a heat map, as a rectangle.
type tile struct {
	comparison.Point
	Level                     int // of the colour; len(levels) if it is killed
	Left, Right, Above, Below float64
}

// levels are the upper bounds of the colours, as multiples of the map's least value.
var levels = []float64{1.05, 1.25, 1.5, 2, 3, 5, 10, math.Inf(1)}

// Heat returns the map as two figures, of time and of cost, with memory against concurrency. The strategy is the
// answer's if it is bounded, or the first bounded one. Without two sizes and two concurrencies of it there are none,
// nor with more than 1,000 points: such a picture would be large and hard to read.
func (r *Report) Heat() []*figure {
	if r.Map == nil {
		return nil
	}
	strategy := ""
	for _, name := range r.Strategies {
		better := strategy == "" || r.Map.Answer != nil && r.Map.Answer.Strategy == name
		if better && slices.Contains(comparison.BoundedStrategies(), name) {
			strategy = name
		}
	}
	var points []comparison.Point
	at, by := map[int]bool{}, map[int]bool{} // sizes and concurrencies
	for _, p := range r.Map.Points {
		if p.Strategy == strategy && p.Concurrency != nil {
			points, at[p.Power], by[*p.Concurrency] = append(points, p), true, true
		}
	}
	sizes, ns := slices.Sorted(maps.Keys(at)), slices.Sorted(maps.Keys(by))
	if len(sizes) < 2 || len(ns) < 2 || len(points) > 1_000 {
		return nil
	}
	time := r.heat("Time", points, sizes, ns, func(p comparison.Point) float64 { return p.DurationMS })
	cost := r.heat("Cost", points, sizes, ns, func(p comparison.Point) float64 { return p.CostPerMillion })
	for _, k := range r.Made() { // where the measured values have room
		if k.Concurrency != nil && (k.Strategy == strategy || !k.Bounded()) {
			p := time.setting(k.Place)
			p.Text = twoDigits(k.MeasuredMS)
			time.Checks = append(time.Checks, p)
		}
	}
	return []*figure{time, cost}
}

func (r *Report) heat(what string, points []comparison.Point, sizes, ns []int, of func(comparison.Point) float64) *figure {
	strategy, id := points[0].Strategy, strings.ToLower(what)
	name := prose.OneLine(strategy, maxLabel)
	f := &figure{ID: "map-" + id, Map: r.Map, Title: "The map: " + id + " by " + name, XTitle: "Memory, MB",
		YTitle: what + ": reads at a time against memory", Right: figureWidth - 4}
	f.against(sizes, platform.MemoryPerVCPU, newScale(ns, plotBottom, plotTop))
	f.YTicks = nil
	for _, n := range ns {
		t := tick{At: f.y.at(float64(n)), Text: strconv.Itoa(n)}
		if last := len(f.YTicks) - 1; last < 0 || f.YTicks[last].At-t.At >= lineHeight {
			f.YTicks = append(f.YTicks, t)
		}
	}
	f.Height += 34 // for the levels
	least := math.Inf(1)
	for _, p := range points {
		if p.Usable() {
			least = min(least, of(p))
		}
	}
	xs, ys := edges(sizes, f.x), edges(ns, f.y)
	for _, p := range points {
		i, k := slices.Index(sizes, p.Power), slices.Index(ns, *p.Concurrency)
		t := tile{Point: p, Left: xs[i], Right: xs[i+1], Below: ys[k], Above: ys[k+1]}
		if t.Level, _ = slices.BinarySearch(levels, of(p)/least); p.Killed() {
			t.Level = len(levels)
		}
		f.Tiles = append(f.Tiles, t)
	}
	var path []string
	for _, size := range sizes {
		best := r.Map.At(comparison.Place{Strategy: strategy, Power: size})
		if best != nil && best.Concurrency != nil && !best.Killed() {
			p := f.setting(best.Place)
			p.Joined = len(path) > 0
			f.Frontier = append(f.Frontier, p)
			path = append(path, fmt.Sprintf("%d at %s MB", *best.Concurrency, megabytes(size)))
		}
	}
	f.Description = fmt.Sprintf("The best concurrency of %s is %s.", name, prose.List(path))
	if a := r.Map.Answer; a != nil && a.Strategy == strategy && a.Concurrency != nil {
		f.Ring = new(f.setting(a.Place))
		f.Description += fmt.Sprintf(" The setting to use is %s.", a.Name())
	}
	return f
}

// setting returns where a concurrency and a memory size are in a heat map.
func (f *figure) setting(p comparison.Place) point {
	return point{X: f.x.at(float64(p.Power)), Y: f.y.at(float64(*p.Concurrency))}
}

// edges returns between which pixels each value of a sorted list is drawn: half way, on the scale, to the next.
func edges(sorted []int, s scale) []float64 {
	at := []float64{s.from}
	for i, v := range sorted[1:] {
		at = append(at, s.at(math.Sqrt(float64(sorted[i])*float64(v))))
	}
	return append(at, s.to)
}
