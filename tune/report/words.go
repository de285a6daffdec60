package report

import (
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"

	"al.essio.dev/pkg/shellescape"

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
	"row":          func(first, height float64, i int) float64 { return first + height*float64(i) },
	"color":        func(variant int) int { return variant % 8 },
	"marker":       marker,
	"figureWidth":  func() float64 { return figureWidth },
	"plotTop":      func() float64 { return plotTop },
	"plotBottom":   func() float64 { return plotBottom },
	"levels":       func() []float64 { return levels },
	"int":          prose.Thousands[int],
	"int64":        prose.Thousands[int64],
	"bytes":        prose.Bytes,
	"decimals":     decimals,
	"dollars":      func(d float64) string { return strings.TrimSuffix(prose.Thousands(d, 2), ".00") },
	"megabytes":    megabytes,
	"vcpus":        func(mb int) float64 { return float64(mb) / platform.MemoryPerVCPU },
	"vcpuMB":       func() string { return megabytes(platform.MemoryPerVCPU) },
	"milliseconds": twoDigits,
	"seconds":      func(s float64) string { return twoDigits(1000 * s) },
	"accountMB":    func() string { return megabytes(platform.NewAccountMemory) },
	"prices":       func() string { return "of " + platform.PricesDate + " in " + platform.PricesRegion },
	"requestPrice": func() float64 { return platform.PricePerMillionRequests },
	"percent":      percent,
	"default":      func() string { return event.DefaultStrategy },
	"zone":         func() float64 { return comparison.Zone },
	"count":        count,
	"chartLines": func(text string, size float64) []string { // two figures stand 20 beside each other
		return breakText(text, 2*figureWidth+20, func(s string) float64 { return textWidth(s, size) })
	},
	"list":       prose.List[int],
	"names":      prose.List[string],
	"lines":      lines,
	"firstLines": firstLines,
	"capital":    capital,
	"short":      func(s string) string { return prose.OneLine(s, maxName) },
	"long":       func(s string) string { return prose.OneLine(s, maxMessage) },
	// A number and its unit stay on one line, and a mark and its meaning.
	"keepTogether": strings.NewReplacer(" MB", "\u00a0MB", " ms", "\u00a0ms", " %", "\u00a0%",
		"★ ", "★\u00a0", "▲ ", "▲\u00a0", "▼ ", "▼\u00a0").Replace,
	"escape": escape,
	// A label's parentheses would end the link.
	"escapeLink": strings.NewReplacer("(", "%28", ")", "%29", "*", "%2A", "'", "%27", "!", "%21", "~", "%7E").Replace,
	"strong":     func(really bool, s string) string { return when(really, "**") + s + when(really, "**") },
	"wrap":       func(text string) string { return hang("  ", text) },
	"step":       step,
	"change":     change,
	"ratio":      func(a, b float64) float64 { return a / b },
	"dataBeside": func(page string) string { return filepath.Join(filepath.Dir(page), DataFile) },
	"quote":      shellescape.Quote,
	"dear":       func() float64 { return comparison.DearWakeUpMS },
	"benchWord":  func(s string) string { return notInWord.ReplaceAllString(prose.OneLine(s, maxName), "_") },
	"unit":       func(figure string) string { return units[figure] },
	// Where a ratio stands on a strip from 0.5 to 2, in percent of its width.
	"place":       func(ratio float64) float64 { return math.Round(50 + 50*min(max(math.Log2(ratio), -1), 1)) },
	"trimRight":   func(s string) string { return strings.TrimRight(s, " ") },
	"nanoseconds": func(ms float64) string { return fmt.Sprintf("%.0f", 1e6*ms) },
}

// notInWord matches what a benchmark's name cannot have.
var notInWord = regexp.MustCompile(`[^A-Za-z0-9_.]`)

var templates = template.Must(template.New("").Funcs(functions).ParseFS(templateFiles, "templates/*.tmpl"))

var texts = texttemplate.Must(texttemplate.New("").Option("missingkey=zero").Funcs(functions).
	ParseFS(templateFiles, "templates/*.txt", "templates/table.md"))

// Words executes a template of words.txt.
func (r *Report) Words(name string) (string, error) { return words(name, r) }

func words(name string, of any) (string, error) {
	var b strings.Builder
	err := texts.ExecuteTemplate(&b, name, of)
	return b.String(), err
}

func megabytes(power int) string { return prose.Thousands(power, 0) }

// twoDigits writes at least two significant digits: 921, 45, 4.2, 0.42.
func twoDigits(f float64) string {
	switch {
	case f < 0.995:
		return prose.Thousands(f, 2)
	case f < 9.95:
		return prose.Thousands(f, 1)
	}
	return prose.Thousands(f, 0)
}

// decimals writes a ratio: 1.31, 27.
func decimals(ratio float64) string {
	if ratio < 9.995 {
		return prose.Thousands(ratio, 2)
	}
	return prose.Thousands(ratio, 0)
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", math.Round(100*share)) }

// when returns text if the condition holds, and "" if not.
func when(holds bool, text string) string {
	if holds {
		return text
	}
	return ""
}

// count writes 1 cell, 2 cells.
func count(n int, noun string) string { return prose.Count(n, noun, noun+"s") }

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func lines(s string) []string { return strings.FieldsFunc(s, func(c rune) bool { return c == '\n' }) }

// firstLines returns the first twelve lines, and then how many more there are.
func firstLines(s string) []string {
	all := lines(s)
	if more := len(all) - 12; more > 0 {
		return append(all[:12], fmt.Sprintf("and %d more", more))
	}
	return all
}

// change compares two figures: "14 % less time", "2.5 times the time".
func change(figure, from float64, what string) string {
	switch ratio := figure / from; {
	case ratio >= 2:
		return twoDigits(ratio) + " times the " + what
	case math.Abs(ratio-1) < 0.005:
		return "the same " + what
	default:
		return percent(math.Abs(ratio-1)) + when(ratio < 1, " less ") + when(ratio > 1, " more ") + what
	}
}

// Latency is the profile's name and, where the name does not tell it, its mean.
func (r *Report) Latency() string {
	name := prose.OneLine(r.Run.Latency, maxName)
	if _, err := time.ParseDuration(name); err != nil && r.Run.LatencyMeanMS > 0 {
		name += fmt.Sprintf(" (mean %s ms)", prose.Thousands(r.Run.LatencyMeanMS, 1))
	}
	return name
}

// Part is how many of all cells an incomplete comparison has, such as "14 of 24". It is "" of a complete one and of
// one in which a variant failed as a whole: its cells will never come.
func (r *Report) Part() string {
	begun, all := r.Measured()
	failed := slices.ContainsFunc(r.Variants, func(v comparison.Result) bool { return v.Error != "" })
	return when(begun < all && r.Map == nil && (r.Run.Interrupted || !failed), fmt.Sprintf("%d of %d", begun, all))
}

// Than says how much faster and cheaper than a base something is, or "" where it is less than 5 % faster.
func (r *Report) Than(baseMS, base, ms, cost float64, than string) string {
	if baseMS < 1.05*ms {
		return ""
	}
	s := fmt.Sprintf("%s times faster than %s", twoDigits(baseMS/ms), than)
	if saved := 1 - cost/base; saved >= 0.01 {
		s += fmt.Sprintf(", with %s less compute cost", percent(saved))
		if gets := r.GETCostPerMillion(); gets > 0 {
			s += fmt.Sprintf(" (%s less with S3's requests)", percent((base-cost)/(base+gets)))
		}
	}
	return s
}

// MBPerSec is a cell's throughput where objects are so large that it matters: above 100 KB, our choice.
func (c *cell) MBPerSec() string {
	if a := c.Answer; a != nil && a.BytesRead > 100_000*int64(a.ObjectsRead) {
		return prose.Thousands(float64(a.BytesRead)/1e3/c.Duration.Value, 1)
	}
	return ""
}

// Made returns the checks that were measured while the machine kept up.
func (r *Report) Made() []comparison.Check {
	return slices.DeleteFunc(slices.Clone(r.Checks), func(k comparison.Check) bool { return !k.Made() })
}

// Unchecked returns the checks that were not measured while the machine kept up: their names by the reason.
func (r *Report) Unchecked() map[string][]string {
	by := map[string][]string{}
	for _, k := range r.Checks {
		if why := cmp.Or(k.Unchecked, "the run was stopped"); !k.Made() {
			by[why] = append(by[why], prose.OneLine(k.Name(), maxName))
		}
	}
	return by
}

// Agreement is the largest difference between measured and computed among the checks that agree: "within 4 %", or "2
// within 4 %" where other checks do not agree. It is "" if none agrees.
func (r *Report) Agreement() string {
	agreeing, most := slices.DeleteFunc(r.Made(), comparison.Check.Far), 0.0
	for _, k := range agreeing {
		most = max(most, math.Ceil(100*math.Abs(k.MeasuredMS/k.ComputedMS-1)))
	}
	n := len(agreeing)
	return when(n > 0, when(n < len(r.Checks), fmt.Sprintf("%d ", n))+"within "+percent(most/100))
}
