package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
)

// maxTiles is how many points of a map are drawn at most. A picture of more would be large and hard to read.
const maxTiles = 1_000

// tile is a point of a map in a heat map.
type tile struct {
	Level int    // of the colour; len(levels)+1 if it is killed
	Path  string // its rectangle
	Title string
}

// levels are the upper bounds of the colours, as multiples of the map's least value. One more colour is for
// what is beyond the last.
var levels = []float64{1.05, 1.25, 1.5, 2, 3, 5, 10}

// Heat returns the map as two figures, of time and of cost, with memory against concurrency. The strategy
// is the answer's if it is bounded, or the first bounded one. Without at least two sizes and two
// concurrencies of it there are no figures.
func (r *Report) Heat() []*figure {
	if r.Map == nil {
		return nil
	}
	strategy := ""
	for _, v := range r.Variants {
		ours, err := strategies.ByName(v.Strategy)
		if a := r.Map.Answer; err == nil && ours.Bounded && (strategy == "" || a != nil && a.Strategy == v.Strategy) {
			strategy = v.Strategy
		}
	}
	var points []comparison.Point
	var sizes, ns []int
	for _, p := range r.Map.Points {
		if p.Strategy == strategy && p.Concurrency != nil {
			points, sizes, ns = append(points, p), append(sizes, p.Power), append(ns, *p.Concurrency)
		}
	}
	slices.Sort(sizes)
	slices.Sort(ns)
	sizes, ns = slices.Compact(sizes), slices.Compact(ns)
	if len(sizes) < 2 || len(ns) < 2 || len(points) > maxTiles {
		return nil
	}
	time := r.heat("map-time", "Time", points, sizes, ns, func(p comparison.Point) float64 { return p.DurationMS })
	cost := r.heat("map-cost", "Cost", points, sizes, ns, func(p comparison.Point) float64 { return p.CostPerMillion })
	for _, k := range r.Made() { // where the measured values have room
		if k.Concurrency != nil && (k.Strategy == strategy || bounded(k.Place) == 0) {
			time.Checks = append(time.Checks, label{time.x.at(float64(k.Power)), time.y.at(float64(*k.Concurrency)), twoDigits(k.MeasuredMS)})
		}
	}
	late := slices.ContainsFunc(r.Map.Points, func(p comparison.Point) bool { return p.Binds == comparison.Timeout })
	time.Hint = "Computed. Colour: how many times the least of the map. The line joins the smallest concurrency of each size that is within 5 % of the fastest. The large ring is the setting to use. Struck through: S3’s limit. Grey: out of memory" + when(late, " or time") + "." +
		when(time.Checks != nil, " A small ring with a number: checked, and the measured ms.")
	cost.Hint = "Compute and requests. S3’s requests cost the same everywhere."
	return []*figure{time, cost}
}

func (r *Report) heat(id, what string, points []comparison.Point, sizes, ns []int, of func(comparison.Point) float64) *figure {
	name := prose.OneLine(points[0].Strategy, maxLabel)
	f := &figure{ID: id, Title: "The map: " + strings.ToLower(what) + " by " + name, XTitle: "Memory, MB", YTitle: what + ": reads at a time against memory", Right: figureWidth - 4}
	var ys []float64
	for _, n := range ns {
		ys = append(ys, float64(n))
	}
	f.atSizes(sizes, ys)
	f.YTicks = nil
	for _, n := range ns {
		t := tick{At: f.y.at(float64(n)), Text: strconv.Itoa(n)}
		if last := len(f.YTicks) - 1; last < 0 || f.YTicks[last].At-t.At >= lineHeight {
			f.YTicks = append(f.YTicks, t)
		}
	}
	for i, most := range append(slices.Clone(levels), math.Inf(1)) {
		text := strings.Replace(fmt.Sprintf("%gx", most), "+Infx", "more", 1)
		f.Swatches = append(f.Swatches, label{plotLeft + float64(i)*44, f.Height + 4, text})
	}
	f.Height += 34
	least := math.Inf(1)
	for _, p := range points {
		if p.Usable() {
			least = min(least, of(p))
		}
	}
	xs, nys := edges(sizes, f.x), edges(ns, f.y)
	for _, p := range points {
		i, k := slices.Index(sizes, p.Power), slices.Index(ns, *p.Concurrency)
		left, right, below, above := xs[i], xs[i+1], nys[k], nys[k+1]
		figures := fmt.Sprintf("%s ms (%s to %s), $%.2f", twoDigits(p.DurationMS), twoDigits(p.LowMS), twoDigits(p.HighMS), p.CostPerMillion)
		t := tile{Path: "M" + xy(left, above) + "H" + px(right) + "V" + px(below) + "H" + px(left) + "z", Title: fmt.Sprintf("%s, %s MB: %s", p.Label(), megabytes(p.Power), figures)}
		t.Level, _ = slices.BinarySearch(levels, of(p)/least)
		switch {
		case p.Limited():
			f.Struck += "M" + xy(left, below) + "L" + xy(right, above)
			t.Title += ", S3’s limit"
		case !p.Usable():
			t.Level, t.Title = len(levels)+1, p.Name()+": "+when(p.Binds == comparison.Timeout, "timeout")+when(p.Binds != comparison.Timeout, "out of memory")
		}
		f.Tiles = append(f.Tiles, t)
	}
	var path []string
	for _, size := range sizes {
		best := r.Map.At(comparison.Place{Strategy: points[0].Strategy, Power: size})
		if best == nil || best.Concurrency == nil || best.Killed() {
			continue
		}
		f.Frontier = append(f.Frontier, point{X: f.x.at(float64(size)), Y: f.y.at(float64(*best.Concurrency)), Joined: len(f.Frontier) > 0})
		path = append(path, fmt.Sprintf("%d at %s MB", *best.Concurrency, megabytes(size)))
	}
	f.Description = fmt.Sprintf("The best concurrency of %s is %s.", name, prose.List(path))
	if a := r.Map.Answer; a != nil && a.Strategy == points[0].Strategy && a.Concurrency != nil {
		f.Ring = &point{X: f.x.at(float64(a.Power)), Y: f.y.at(float64(*a.Concurrency))}
		f.Description += fmt.Sprintf(" The setting to use is %s.", a.Name())
	}
	f.markVCPU()
	return f
}

// edges returns the pixels between which the values of a sorted list are drawn: half way between two of
// them on the logarithmic scale.
func edges(sorted []int, s scale) []float64 {
	at := []float64{s.from}
	for i, v := range sorted[1:] {
		at = append(at, s.at(math.Sqrt(float64(sorted[i])*float64(v))))
	}
	return append(at, s.to)
}
