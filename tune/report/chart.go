package report

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

const (
	chartMargin = 20.0
	chartWidth  = 2*figureWidth + 3*chartMargin
)

// column returns where the left edge of a chart's figure is. The figures stand side by side.
func column(i int) float64 { return chartMargin + float64(i)*(figureWidth+chartMargin) }

// chart is a picture that stands alone: an answer, two figures, and below them how they were measured.
type chart struct {
	Width, Height, Top float64 // Top is where the figures begin
	Answer             string
	Lines              map[string][]label // by class
	Figures            []*figure
}

func drawChart(w io.Writer, answer string, figures []*figure, below string) error {
	d := chart{Width: chartWidth, Answer: answer, Lines: map[string][]label{}, Figures: figures}
	y := 14.0
	add := func(class, text string, size, height float64) {
		for _, line := range breakText(text, chartWidth-2*chartMargin, func(s string) float64 { return textWidth(s, size) }) {
			y += height
			d.Lines[class] = append(d.Lines[class], label{chartMargin, y, line})
		}
	}
	add("answer", answer, 17*1.08, 23) // bold is wider
	y += 12
	for i, f := range figures {
		d.Lines["heading"] = append(d.Lines["heading"], label{column(i), y + 20, f.YTitle})
	}
	if len(figures) > 0 {
		d.Top = y + 28
		y = d.Top + figures[0].Height
	}
	if below != "" {
		add("tick", below, textSize, 17)
	}
	d.Height = y + 16
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

// WriteCurve writes plan.svg into dir, which it makes: seconds and dollars against children. It returns the
// file's name.
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
