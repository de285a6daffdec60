package report

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"

	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
)

// maxField is the longest text in a field, in characters. All that a results.json may hold fits.
const maxField = 16 << 10

// CSV writes results.csv: a row a run, in the order in which they were measured. kind is run, warm-up,
// mean (all that AWS returns), computed (a point of the map), check (a point that was measured) or error.
// Costs are in dollars an invocation: compute and request at list price. objects, bytes and failed are of
// the cell's last invocation, and empty for a warm-up. low_ms and high_ms are a computed point's interval.
func (r *Report) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write(strings.Fields("strategy concurrency memory_mb kind run duration_ms billed_ms cost_usd error objects bytes failed low_ms high_ms"))
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
	failed := func(p comparison.Place, text string) {
		if text != "" {
			add(p, "error", "", "", "", "", noFormula(text))
		}
	}
	for _, p := range cmp.Or(r.Map, &comparison.Map{}).Points {
		ran(p.Place, "computed", "", p.DurationMS, math.Ceil(p.DurationMS), r.Run.Repeat, "", "", p.LowMS, p.HighMS)
	}
	for _, k := range r.Made() {
		ran(k.Place, "check", "", k.MeasuredMS, math.Ceil(k.MeasuredMS), k.Repeat)
	}
	for i, v := range r.Variants {
		failed(v.Place(0), v.Error)
		for _, row := range r.Rows {
			c := row.Cells[i]
			if c.Cell == nil {
				continue
			}
			if failed(c.place, c.Error); c.Error != "" {
				continue
			}
			if c.WarmUp != nil {
				ran(c.place, "warm-up", 0, c.WarmUp.DurationMS, float64(c.WarmUp.BilledMS))
			}
			var read []any
			if a := c.Answer; a != nil {
				read = []any{a.ObjectsRead, a.BytesRead, a.Failed}
			}
			if c.OK && r.Mode == comparison.AWS {
				ran(c.place, "mean", "", c.Duration.Value, c.billed, read...)
			}
			for i, ms := range c.DurationsMS {
				ran(c.place, "run", i+1, ms, float64(c.BilledMS[i]), read...)
			}
		}
	}
	out.Flush()
	return out.Error() // of any Write as well
}

// noFormula puts a quote before text that a spreadsheet would take for a formula, as OWASP recommends, and
// replaces control characters.
func noFormula(s string) string {
	s = prose.OneLine(s, maxField)
	if strings.IndexAny(s, "=+-@|%") == 0 {
		return "'" + s
	}
	return s
}

// Bench writes results.txt: Go's benchmark format, a line a run. To read it:
//
//	benchstat -col /strategy -row /memory results.txt
func (r *Report) Bench(w io.Writer) error { return texts.ExecuteTemplate(w, "results.txt", r) }

// notInWord matches what a part of a benchmark's name may not hold.
var notInWord = regexp.MustCompile(`[^A-Za-z0-9_.]`)

func benchWord(s string) string { return notInWord.ReplaceAllString(prose.OneLine(s, maxName), "_") }
