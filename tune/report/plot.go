package report

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lambda-parallel-io/handler/prose"
)

// chart is a picture that stands alone: an answer, figures side by side, and below them how they were measured.
type chart struct {
	Title                     string
	Answer, Below             []string // lines
	Figures                   []*figure
	Top, Bottom, Wide, Height float64 // Top and Bottom are of the figures
}

func drawChart(w io.Writer, answer string, figures []*figure, below string) error {
	const margin = 20
	d := chart{Title: answer, Figures: figures, Wide: 2*figureWidth + 3*margin}
	lines := func(text string, size float64) []string {
		return breakText(text, d.Wide-2*margin, func(s string) float64 { return textWidth(s, size) })
	}
	d.Answer = lines(answer, 17*1.08) // bold is wider
	d.Top = 26 + 23*float64(len(d.Answer))
	d.Bottom = d.Top
	if len(figures) > 0 {
		d.Top += 28
		d.Bottom = d.Top + figures[0].Height
	}
	if below != "" {
		d.Below = lines(below, textSize)
	}
	d.Height = d.Bottom + 17*float64(len(d.Below)) + 16
	return templates.ExecuteTemplate(w, "chart", d)
}

// Chart writes chart.svg for a README: the map of time and of cost or, of a measured comparison, time and cost
// against memory. It follows the reader's light or dark theme, and needs no other file.
func (r *Report) Chart(w io.Writer) error {
	figures := append(r.Heat(), r.Figures()...)
	answer, err := r.Words("caption")
	measured, err2 := r.Words("measured")
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	return drawChart(w, answer, figures[:min(2, len(figures))], measured)
}

// Curve is how long a job takes and what it costs, by the number of children at once.
type Curve struct {
	Children         []int // ascending
	Seconds, Dollars []float64
	Planned          int // of the Children
}

// WriteCurve writes plan.svg, seconds and dollars against children, into dir, which it makes. It returns the file's path.
func WriteCurve(dir string, of func() (title string, c Curve)) (string, error) {
	title, c := of()
	figures := []*figure{c.figure("time", "Seconds", c.Seconds), c.figure("cost", "Dollars", c.Dollars)}
	err := write(dir, "plan.svg", func(w io.Writer) error { return drawChart(w, title, figures, "") })
	return filepath.Join(dir, "plan.svg"), err
}

func (c Curve) figure(id, unit string, values []float64) *figure {
	l := &line{Variant: 1}
	f := &figure{ID: id, Title: unit + " against children at once", XTitle: "Children at once", YTitle: unit,
		Right: figureWidth - 20, Lines: []*line{l}}
	f.atSizes(c.Children, newScale(values, plotBottom, plotTop))
	for i, v := range values {
		n := c.Children[i]
		p := point{X: f.x.at(float64(n)), Y: f.y.at(v), Joined: i > 0, Title: fmt.Sprintf("%s: %.4g with %d", unit, v, n)}
		if n == c.Planned {
			f.Ring = &p
		}
		l.Points = append(l.Points, p)
		f.Description += p.Title + ". "
	}
	return f
}

func px(f float64) string { return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64) }

// markers are the shapes of points.
var markers = []string{
	"m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",    // disc
	"m-3.5-3.5h7v7h-7z",                     // square
	"m0-4.8l4.4 8h-8.8z",                    // triangle
	"m0-5l5 5l-5 5l-5-5z",                   // diamond
	"m0 4.8l4.4-8h-8.8z",                    // triangle, point down
	"m-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z", // plus
	"m-5-2h10v4h-10z",                       // flat bar
	"m-2-5h4v10h-4z",                        // upright bar
}

// marker returns the path of a variant's marker. There are eight, and together with as many colours they tell 64 apart.
func marker(variant int, x, y float64) string {
	return "M" + px(x) + " " + px(y) + markers[(variant+variant/8)%8]
}

// scale maps positive values to pixels, logarithmically.
type scale struct {
	least, most float64 // values
	from, to    float64 // pixels
}

// newScale covers the values and some space beside them, and at least a factor of two, so that noise looks like noise.
func newScale[N int | float64](values []N, from, to float64) scale {
	least, most := 1.0, 10.0
	if len(values) > 0 {
		least, most = float64(slices.Min(values)), float64(slices.Max(values))
	}
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

// ticks returns round values, at most eight and with room for their texts: 1, 2 and 5 of each decade, or 1
// alone, or 1 of every second or third decade.
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

// textWidth estimates how wide a text is in the widest font that a browser may use.
func textWidth(s string, size float64) float64 {
	em := 0.0
	for _, r := range s {
		switch {
		case r > 0x2e80:
			em += 1.05
		case strings.ContainsRune("mwMW…@", r):
			em += 1
		case 'A' <= r && r <= 'Z':
			em += 0.75
		case strings.ContainsRune(" ,.()iltr", r):
			em += 0.42
		default:
			em += 0.64
		}
	}
	return em * size
}

// figureLabel cuts a label to the width that a figure has for it.
func figureLabel(s string) string {
	runes := []rune(s)
	for n := len(runes) - 1; n >= 0 && textWidth(s, textSize) > 112; n-- {
		s = string(runes[:n]) + "…"
	}
	return s
}
