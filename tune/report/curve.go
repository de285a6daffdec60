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
		d := chart{Width: 2*figureWidth + 3*chartMargin, Answer: title, Top: 80, Figures: []*figure{
			c.figure("time", "Seconds against children", "Seconds", "", " s", c.Seconds),
			c.figure("cost", "Dollars against children", "Dollars", "$", "", c.Dollars),
		}}
		d.Lines = []textLine{{label{chartMargin, 37, title}, "answer"}}
		for i, f := range d.Figures {
			d.Lines = append(d.Lines, textLine{label{chartMargin + float64(i)*(figureWidth+chartMargin), 68, f.YTitle}, "heading"})
		}
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
		at.Title = fmt.Sprintf("%d children: %s%s%s", c.Children[i], before, strconv.FormatFloat(v, 'g', 4, 64), after)
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
