package report

import (
	"bytes"
	"embed"
	"html/template"
	"io"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/prose"
)

//go:embed templates
var templateFiles embed.FS

// functions are what a template may call.
var functions = template.FuncMap{
	"px":            px,
	"add":           func(a, b float64) float64 { return a + b },
	"below":         func(row int) float64 { return 17 + 15*float64(row) },
	"color":         func(variant int) int { return variant % 8 },
	"column":        func(i int) float64 { return chartMargin + float64(i)*(figureWidth+chartMargin) },
	"int":           prose.Thousands[int],
	"int64":         prose.Thousands[int64],
	"dollars":       func(d float64) string { return prose.Thousands(d, 2) },
	"megabytes":     megabytes,
	"memoryPerVCPU": func() int { return comparison.MemoryPerVCPU },
	"milliseconds":  milliseconds,
	"seconds":       func(s float64) string { return milliseconds(1000 * s) },
	"percent":       percent,
	"zone":          func() float64 { return comparison.Zone },
	"count":         count,
	"list":          prose.List[int],
	"capital":       capital,
	"short":         func(s string) string { return prose.OneLine(s, maxName) },
	"long":          func(s string) string { return prose.OneLine(s, maxMessage) },
	"keepTogether":  keepTogether,
}

var templates = template.Must(template.New("").Funcs(functions).ParseFS(templateFiles, "templates/*.tmpl"))

const chartMargin = 20.0

// chart is what chart.svg draws: the answer, and time and cost against memory
// side by side.
type chart struct {
	Width, Height, Top float64 // Top is where the figures begin
	Answer             string
	Lines              []textLine
	Figures            []*figure
}

type textLine struct {
	label
	Class string
}

// Chart is chart.svg, for a README: it follows the reader's light or dark
// theme, and needs no font and no other file.
func (r *Report) Chart(w io.Writer) error {
	d := chart{Width: 2*figureWidth + 3*chartMargin, Answer: r.Answer()}
	y := 14.0
	add := func(class, text string, size, height float64) {
		widthOf := func(s string) float64 { return textWidth(s, size) }
		for _, line := range breakText(text, d.Width-2*chartMargin, widthOf) {
			y += height
			d.Lines = append(d.Lines, textLine{label{chartMargin, y, line}, class})
		}
	}
	add("answer", d.Answer, 17*1.08, 23) // bold is wider
	y += 12
	if all := r.Figures(); all != nil {
		d.Figures = all[:2]
		y += 20
		for i, f := range d.Figures {
			x := chartMargin + float64(i)*(figureWidth+chartMargin)
			d.Lines = append(d.Lines, textLine{label{x, y, f.YTitle}, "heading"})
		}
		d.Top = y + 8
		y = d.Top + d.Figures[0].Height
	}
	add("tick", r.What()+"; "+r.Where(), textSize, 17)
	d.Height = y + 16
	return execute(w, templates.Lookup("chart"), d)
}

// execute draws a template whole before it writes.
func execute(w io.Writer, view interface{ Execute(io.Writer, any) error }, data any) error {
	var b bytes.Buffer
	if err := view.Execute(&b, data); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}
