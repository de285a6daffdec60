package report

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
)

// Curve is what a job takes and costs with a number of children at once.
type Curve struct {
	Children         []int // ascending
	Seconds, Dollars []float64
	Planned          int // of the Children
}

// WriteCurve writes plan.svg into dir, which it makes: a figure of seconds and
// one of dollars, both against children. It returns the file's name.
func WriteCurve(dir string, of func() (title string, c Curve)) (string, error) {
	const name = "plan.svg"
	title, c := of()
	d := chart{Width: 2*figureWidth + 3*chartMargin, Height: 44, Answer: title,
		Figures: []*figure{c.figure("time", "Seconds", c.Seconds), c.figure("cost", "Dollars", c.Dollars)}}
	for i, text := range breakText(title, d.Width-2*chartMargin, func(s string) float64 { return textWidth(s, 17*1.08) }) {
		d.Lines = append(d.Lines, textLine{label{chartMargin, 37 + 23*float64(i), text}, "answer"})
		d.Height += 23
	}
	for i, f := range d.Figures {
		d.Lines = append(d.Lines, textLine{label{chartMargin + float64(i)*(figureWidth+chartMargin), d.Height, f.YTitle}, "heading"})
	}
	d.Top = d.Height + 8
	d.Height = d.Top + d.Figures[0].Height + 12
	return filepath.Join(dir, name), write(dir, name, func(w io.Writer) error { return execute(w, templates.Lookup("chart"), d) })
}

func (c Curve) figure(id, unit string, values []float64) *figure {
	f := &figure{ID: id, Title: unit + " against children at once", Width: figureWidth, Height: plotBottom + 55, Right: figureWidth - 20,
		Top: plotTop, Bottom: plotBottom, XTitle: "Children at once", YTitle: unit, XTitleAt: 33 + lineHeight}
	y := newScale(values, f.Bottom, f.Top)
	f.setYTicks(y)
	var children []float64
	for _, n := range c.Children {
		children = append(children, float64(n))
	}
	x := newScale(children, f.Left, f.Right)
	f.XTicks = x.memoryTicks(c.Children, textSize)
	l := &line{Variant: 1}
	for i, v := range values {
		at := point{X: x.at(children[i]), Y: y.at(v), Title: fmt.Sprintf("%s: %s with %d", unit, strconv.FormatFloat(v, 'g', 4, 64), c.Children[i])}
		at.Marker = marker(0, at.X, at.Y)
		if c.Children[i] == c.Planned {
			f.Ring = &at
		}
		l.Points = append(l.Points, at)
		l.Path += step(at, i > 0)
		f.Description += at.Title + ". "
	}
	f.Lines = []*line{l}
	return f
}
