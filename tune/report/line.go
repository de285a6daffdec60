package report

import (
	"cmp"
	"slices"
)

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

// dash is the pattern of a variant's lines: one for each strategy, so that of
// two strategies with the same figures both are seen.
func (g *grid) dash(variant int) int {
	var seen []string
	for _, v := range g.Variants[:variant+1] {
		if !slices.Contains(seen, v.Strategy) {
			seen = append(seen, v.Strategy)
		}
	}
	return slices.Index(seen, g.Variants[variant].Strategy) % 4
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

func figureLabel(s string) string { return fit(s, textSize, 112) }
