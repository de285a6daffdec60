package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"regexp"
	"strings"

	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
)

// maxField is the longest text in a field, in characters: whatever a
// results.json holds fits.
const maxField = 16 << 10

// CSV has a row a run, in the order in which they were measured: results.csv.
// The column kind tells a run from the warm-up before it, from the mean that
// is all a run on AWS returns, and from the cell or variant that failed.
// Costs are in dollars an invocation, compute and request at list price. Objects,
// bytes and failed are of the cell's last invocation, and empty of a warm-up.
func (r *Report) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write(strings.Fields("strategy concurrency memory_mb kind run duration_ms billed_ms cost_usd " +
		"capped error objects bytes failed"))
	for i, v := range r.Variants {
		concurrency := any("")
		if v.Concurrency != nil {
			concurrency = *v.Concurrency
		}
		put := func(fields ...any) {
			row := []string{noFormula(v.Strategy), fmt.Sprint(concurrency)}
			for _, field := range fields {
				row = append(row, fmt.Sprint(field))
			}
			out.Write(row)
		}
		if v.Error != "" {
			put("", "error", "", "", "", "", "", noFormula(v.Error), "", "", "")
		}
		for _, row := range r.Rows {
			r.runs(row.Cells[i], put)
		}
	}
	out.Flush()
	return out.Error() // of any Write as well
}

// runs puts the rows of a cell, from the memory on.
func (r *Report) runs(c *cell, put func(...any)) {
	if c.Cell == nil {
		return
	}
	if c.Error != "" {
		put(c.Power, "error", "", "", "", "", c.Capped, noFormula(c.Error), "", "", "")
		return
	}
	read := []any{"", "", ""}
	add := func(kind string, run any, ms, billed float64) {
		cost := r.CostPerMillion(c.Power, billed) / 1e6
		put(append([]any{c.Power, kind, run, ms, billed, cost, c.Capped, ""}, read...)...)
	}
	if c.WarmUp != nil {
		add("warm-up", 0, c.WarmUp.DurationMS, float64(c.WarmUp.BilledMS))
	}
	if a := c.Answer; a != nil {
		read = []any{a.ObjectsRead, a.BytesRead, a.Failed}
	}
	if c.OK && r.Mode == comparison.AWS {
		add("mean", "", c.Duration.Value, c.billed)
	}
	for i, ms := range c.DurationsMS {
		add("run", i+1, ms, float64(c.BilledMS[i]))
	}
}

// noFormula keeps a spreadsheet from taking text for a formula, as OWASP
// recommends: by a quote before it. Control characters go too.
func noFormula(s string) string {
	s = prose.OneLine(s, maxField)
	if strings.IndexAny(s, "=+-@|%") == 0 {
		return "'" + s
	}
	return s
}

// Bench is results.txt in Go's benchmark format, a line a run, for
//
//	benchstat -col /strategy -row /memory results.txt
func (r *Report) Bench(w io.Writer) error { return texts.ExecuteTemplate(w, "results.txt", r) }

// notInWord is what a part of a benchmark's name cannot have.
var notInWord = regexp.MustCompile(`[^A-Za-z0-9_.]`)

func benchWord(s string) string { return notInWord.ReplaceAllString(prose.OneLine(s, maxName), "_") }
