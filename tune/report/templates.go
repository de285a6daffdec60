package report

import (
	"embed"
	"fmt"
	"html/template"
	"math"
	"strings"
	texttemplate "text/template"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
)

//go:embed templates
var templateFiles embed.FS

// functions are what a template may call.
var functions = template.FuncMap{
	"px":           px,
	"add":          func(a, b float64) float64 { return a + b },
	"below":        func(row int) float64 { return 17 + 15*float64(row) },
	"color":        func(variant int) int { return variant % 8 },
	"column":       column,
	"marker":       marker,
	"figureWidth":  func() float64 { return figureWidth },
	"plotBottom":   func() float64 { return plotBottom },
	"int":          prose.Thousands[int],
	"int64":        prose.Thousands[int64],
	"bytes":        prose.Bytes,
	"decimals":     decimals,
	"more":         func(ratio float64) string { return fmt.Sprintf("%.0f", 100*(ratio-1)) },
	"dollars":      func(d float64) string { return strings.TrimSuffix(prose.Thousands(d, 2), ".00") },
	"megabytes":    megabytes,
	"vcpuMB":       func() string { return megabytes(platform.MemoryPerVCPU) },
	"milliseconds": twoDigits,
	"seconds":      func(s float64) string { return twoDigits(1000 * s) },
	"accountMB":    func() string { return megabytes(platform.NewAccountMemory) },
	"prices":       func() string { return "of " + platform.PricesDate + " in " + platform.PricesRegion },
	"requestPrice": func() float64 { return platform.PricePerMillionRequests },
	"percent":      percent,
	"bounded":      bounded,
	"default":      func() string { return event.DefaultStrategy },
	"zone":         func() float64 { return comparison.Zone },
	"count":        count,
	"list":         prose.List[int],
	"names":        prose.List[string],
	"lines":        lines,
	"firstLines":   firstLines,
	"capital":      capital,
	"label":        func(s string) string { return prose.OneLine(s, maxLabel) },
	"short":        func(s string) string { return prose.OneLine(s, maxName) },
	"long":         func(s string) string { return prose.OneLine(s, maxMessage) },
	"keepTogether": keepTogether,
}

var templates = template.Must(template.New("").Funcs(functions).ParseFS(templateFiles, "templates/*.tmpl"))

var texts = texttemplate.Must(texttemplate.New("").Option("missingkey=zero").Funcs(functions).Funcs(template.FuncMap{
	"escape": escape,
	// A label's parentheses would end the link.
	"escapeLink":  strings.NewReplacer("(", "%28", ")", "%29", "*", "%2A", "'", "%27", "!", "%21", "~", "%7E").Replace,
	"strong":      func(really bool, s string) string { return when(really, "**") + s + when(really, "**") },
	"wrap":        wrap,
	"step":        step,
	"change":      change,
	"ratio":       func(a, b float64) float64 { return a / b },
	"again":       again,
	"dear":        func() float64 { return comparison.DearWakeUpMS },
	"field":       field,
	"float":       func(n int) float64 { return float64(n) },
	"ceil":        math.Ceil,
	"benchWord":   benchWord,
	"nanoseconds": func(ms float64) string { return fmt.Sprintf("%.0f", 1e6*ms) },
}).ParseFS(templateFiles, "templates/*.txt", "templates/table.md", "templates/results.csv"))

// Words executes a template of words.txt.
func (r *Report) Words(name string) (string, error) { return words(name, r) }

func words(name string, of any) (string, error) {
	var b strings.Builder
	err := texts.ExecuteTemplate(&b, name, of)
	return b.String(), err
}

func lines(s string) []string { return strings.FieldsFunc(s, func(c rune) bool { return c == '\n' }) }

// firstLines returns the first twelve lines, and then how many more there are.
func firstLines(s string) []string {
	all := lines(s)
	if more := len(all) - 12; more > 0 {
		return append(all[:12], fmt.Sprintf("and %d more", more))
	}
	return all
}
