package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Curve is what a job takes and costs with a number of children at once.
type Curve struct {
	Children []int // ascending
	Seconds  []float64
	Dollars  []float64
	Planned  int // of the Children
}

// WriteCurve writes a picture of the curve into dir, which it makes: a figure
// of seconds and one of dollars, both against children.
func WriteCurve(dir, name, title string, c Curve) error {
	return write(dir, name, func(w io.Writer) error {
		d := chart{Width: 2*figureWidth + 3*chartMargin, Answer: title, Figures: []*figure{
			c.figure("time", "Seconds against children", "Seconds", "", " s", c.Seconds),
			c.figure("cost", "Dollars against children", "Dollars", "$", "", c.Dollars),
		}}
		y := 14.0
		for _, text := range breakText(title, d.Width-2*chartMargin, func(s string) float64 { return textWidth(s, 17*1.08) }) {
			y += 23
			d.Lines = append(d.Lines, textLine{label{chartMargin, y, text}, "answer"})
		}
		y += 32
		for i, f := range d.Figures {
			d.Lines = append(d.Lines, textLine{label{chartMargin + float64(i)*(figureWidth+chartMargin), y, f.YTitle}, "heading"})
		}
		d.Top = y + 8
		d.Height = d.Top + d.Figures[0].Height + 12
		return execute(w, "chart", d)
	})
}

func (c Curve) figure(id, title, unit, before, after string, values []float64) *figure {
	f := &figure{ID: id, Title: title, Width: figureWidth, Right: figureWidth - 20, Top: plotTop, Bottom: plotBottom,
		XTitle: "Children at once", YTitle: unit, XTitleAt: 33, Height: plotBottom + 40}
	y := newScale(values, f.Bottom, f.Top)
	f.setYTicks(y)
	var children []float64
	for _, n := range c.Children {
		children = append(children, float64(n))
	}
	x := newScale(children, f.Left, f.Right)
	f.XTicks = x.memoryTicks(c.Children, textSize)
	if slices.ContainsFunc(f.XTicks, func(t tick) bool { return t.Row > 0 }) {
		f.XTitleAt, f.Height = f.XTitleAt+lineHeight, f.Height+lineHeight
	}
	l := &line{Variant: 1}
	var described []string
	for i, v := range values {
		at := point{X: x.at(children[i]), Y: y.at(v)}
		at.Marker = marker(0, at.X, at.Y)
		at.Title = fmt.Sprintf("%s%s%s with %d at once", before, strconv.FormatFloat(v, 'g', 4, 64), after, c.Children[i])
		if c.Children[i] == c.Planned {
			f.Ring = &at
		}
		l.Points = append(l.Points, at)
		l.Path += step(at, i > 0)
		described = append(described, at.Title)
	}
	f.Lines, f.Description = []*line{l}, strings.Join(described, ", ")+"."
	return f
}
