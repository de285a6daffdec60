package report

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
)

// width is that of the terminal's text, in characters. Only links are longer.
const width = 80

// Text writes the view for a terminal.
func (r *Report) Text(w io.Writer) error { return texts.ExecuteTemplate(w, "terminal.txt", r) }

// DryRun prints the comparison that would run. maps says that a map is computed.
func DryRun(w io.Writer, c *comparison.Comparison, maps bool) error {
	return texts.ExecuteTemplate(w, "dryrun.txt", map[string]any{"Comparison": c, "Maps": maps})
}

// Matrix returns lines with the time or the cost of every cell, in blocks that fit the width. If certain is set
// and one block is enough, ratios have their intervals; otherwise only = and ~ tell how sure they are, to save room.
func (r *Report) Matrix(figure string, certain bool) (blocks [][]string) {
	memory := []string{"   Memory"}
	for _, row := range r.Rows {
		memory = append(memory, fmt.Sprintf("%9s", megabytes(row.Power)))
	}
	var columns [][]string
	for i, text := range r.Labels {
		columns = append(columns, r.column(i, text, figure, certain))
	}
	if r.Map != nil && r.Best != nil { // a map's one matrix has costs too
		columns = append(columns, r.column(r.Best.Variant, r.Labels[r.Best.Variant]+", $", "cost", false))
	}
	used := width
	for _, column := range columns {
		if used += widest(column); used > width {
			blocks = append(blocks, slices.Clone(memory))
			used = widest(memory) + widest(column)
		}
		for k, text := range column {
			blocks[len(blocks)-1][k] += text
		}
	}
	if certain && len(blocks) > 1 {
		return r.Matrix(figure, false)
	}
	return blocks
}

// column returns lines of one width: a variant's label, and its right-aligned figures with their ratios to the best
// of the row, which have an interval if certain is set, and their marks.
func (r *Report) column(variant int, text, figure string, certain bool) []string {
	figures, ratios, marks := []string{text}, []string{""}, []string{""}
	for _, row := range r.Rows {
		c := row.Cells[variant]
		e := measures[figure](c)
		figures, ratios = append(figures, e.Text), append(ratios, e.short(certain))
		marks = append(marks, when(c.Marks != "" && (r.Map == nil || figure == "time"), when(r.Map == nil, " ")+c.Marks))
	}
	room := widest(ratios) // so that the figures are aligned
	for i, row := range r.Rows {
		if row.Cells[variant].OK && room > 0 {
			figures[i+1] += fmt.Sprintf("  %-*s", room, ratios[i+1])
		}
	}
	wide, marked := widest(figures), widest(marks)
	for i := range figures {
		figures[i] = fmt.Sprintf("  %*s%-*s", wide, figures[i], marked, marks[i])
	}
	return figures
}

// Compared is the ratio to the best of the same size and how sure it is: 1.31x [1.20, 1.42]; "" of the best.
func (e estimate) Compared() string {
	out := e.ratio.Verdict == comparison.Out
	format := when(out, " (%s to %s)") + when(!out, " [%s, %s]")
	return e.times(when(e.ratio.Low > 0, fmt.Sprintf(format, decimals(e.ratio.Low), decimals(e.ratio.High))))
}

// short is Compared for a narrow column: 1.31x ±8%, or without the latter.
func (e estimate) short(certain bool) string {
	half := 50 * (e.ratio.High - e.ratio.Low) / e.ratio.Value
	return e.times(when(certain && e.ratio.Verdict == comparison.Decided, fmt.Sprintf(" ±%.0f%%", half)))
}

// times is the ratio, with a text that says how sure it is and a sign where it is not decided.
func (e estimate) times(sure string) string {
	sign := map[comparison.Verdict]string{comparison.Open: " ~", comparison.Equal: " ="}[e.ratio.Verdict]
	return when(e.ratio.Value > 0, decimals(e.ratio.Value)+"x"+sure+sign)
}

func widest(texts []string) (most int) {
	for _, text := range texts {
		most = max(most, utf8.RuneCountInString(text))
	}
	return most
}

// step is a line of the terminal's header: what was done, to how many things, for how long, and a hanging text.
func step(name string, n int, noun string, sec float64, text string) string {
	number, things, _ := strings.Cut(count(n, noun), " ")
	return hang(fmt.Sprintf("  %-10s%4s %-5s%7s   ", name, number, things, when(sec > 0, prose.Thousands(sec, 0)+" s")), text)
}

// hang breaks text into lines of the width, behind head and below its end, and ends each.
func hang(head, text string) string {
	indent := strings.Repeat(" ", len(head))
	return head + strings.Join(breakText(text, width-len(head), utf8.RuneCountInString), "\n"+indent) + "\n"
}

// breakText breaks text at spaces into lines no wider than widest, unless a word is.
func breakText[N int | float64](text string, widest N, widthOf func(string) N) (lines []string) {
	line := ""
	for _, word := range strings.SplitAfter(text, " ") {
		if line != "" && widthOf(strings.TrimRight(line+word, " ")) > widest {
			lines, line = append(lines, strings.TrimRight(line, " ")), ""
		}
		line += word
	}
	return append(lines, strings.TrimRight(line, " "))
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

// escape makes Markdown show text as it is, at the beginning of a line too, by a backslash before what could begin
// markup or a link. That stops no mention, so @ becomes an entity, and so does < for renderers without backslashes.
func escape(s string) string {
	var b strings.Builder
	runes := []rune(" " + s + " ")
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	for i := 1; i < len(runes)-1; i++ {
		r, before, next := runes[i], runes[i-1], runes[i+1]
		if strings.ContainsRune("\\`*|", r) || r == '~' && next != ' ' || r == '_' && !(word(before) && word(next)) ||
			r == '&' && (next == '#' || word(next)) || r == ']' && strings.ContainsRune("([:", next) || r == ':' && next == '/' ||
			r == '.' && strings.HasSuffix(strings.ToLower(string(runes[:i])), "www") || i == 1 && strings.ContainsRune("#>+-=[", r) ||
			(r == '.' || r == ')') && next == ' ' && strings.Trim(string(runes[1:i]), "0123456789") == "" {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return strings.NewReplacer("@", "&#64;", "<", "&lt;").Replace(b.String())
}

// csv writes results.csv: a row a run, in the order in which they were measured. kind is run, warm-up, mean (all that
// AWS returns), computed (a point of the map), check (a point that was measured) or error. Costs are in dollars an
// invocation: compute and request at list price. objects, bytes and failed are of the cell's last invocation, and
// empty for a warm-up. low_ms and high_ms are a computed point's interval.
func (r *Report) csv(w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write(strings.Fields(`strategy concurrency memory_mb kind run duration_ms billed_ms cost_usd error
		objects bytes failed low_ms high_ms`))
	add := func(p comparison.Place, kind string, fields ...any) {
		row := append(make([]string, 0, 14), noFormula(p.Strategy), "", when(p.Power > 0, fmt.Sprint(p.Power)), kind)
		if p.Concurrency != nil {
			row[1] = fmt.Sprint(*p.Concurrency)
		}
		for _, field := range fields {
			row = append(row, fmt.Sprint(field))
		}
		out.Write(row[:cap(row)])
	}
	ran := func(p comparison.Place, kind string, run any, ms, billed float64, more ...any) {
		add(p, kind, append([]any{run, ms, billed, r.CostPerMillion(p.Power, billed) / 1e6, ""}, more...)...)
	}
	for _, p := range cmp.Or(r.Map, &comparison.Map{}).Points {
		ran(p.Place, "computed", "", p.DurationMS, math.Ceil(p.DurationMS), r.Run.Repeat, "", "", p.LowMS, p.HighMS)
	}
	for _, k := range r.Made() {
		ran(k.Place, "check", "", k.MeasuredMS, math.Ceil(k.MeasuredMS), k.Repeat)
	}
	for i, v := range r.Variants {
		if v.Error != "" {
			add(v.Place(0), "error", "", "", "", "", noFormula(v.Error))
		}
		for _, row := range r.Rows {
			switch c := row.Cells[i]; {
			case c.Cell == nil:
			case c.Error != "":
				add(c.Place, "error", "", "", "", "", noFormula(c.Error))
			default:
				if w := c.WarmUp; w != nil {
					ran(c.Place, "warm-up", 0, w.DurationMS, float64(w.BilledMS))
				}
				var read []any
				if a := c.Answer; a != nil {
					read = []any{a.ObjectsRead, a.BytesRead, a.Failed}
				}
				if c.OK && r.Mode == comparison.AWS {
					ran(c.Place, "mean", "", c.Duration.Value, c.Billed, read...)
				}
				for k, ms := range c.DurationsMS {
					ran(c.Place, "run", k+1, ms, float64(c.BilledMS[k]), read...)
				}
			}
		}
	}
	out.Flush()
	return out.Error() // of any Write as well
}

// noFormula is untrusted text on one line. As OWASP advises, a quote precedes what a spreadsheet takes for a formula.
func noFormula(s string) string {
	s = prose.OneLine(s, maxField)
	return when(strings.IndexAny(s, "=+-@|%") == 0, "'") + s
}
