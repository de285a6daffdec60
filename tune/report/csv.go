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

// maxField is the longest text in a field, in characters: whatever a
// results.json holds fits.
const maxField = 16 << 10

// CSV has a row a run, in the order in which they were measured: results.csv.
// The column kind tells a run from the warm-up before it, from the mean that
// is all a run on AWS returns, and from the cell or variant that failed.
// Costs are in dollars an invocation, compute and request at list price. Objects,
// bytes and failed are of the cell's last invocation, and empty of a warm-up.
//
// Of a map every point has a row, of the kind computed, with what the calibration
// leaves open in low_ms and high_ms; then every check that tells something has
// one, of the kind check, whose duration was measured.
func (r *Report) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write(strings.Fields("strategy concurrency memory_mb kind run duration_ms billed_ms cost_usd " +
		"error objects bytes failed low_ms high_ms"))
	of := func(strategy string, n *int) func(...any) {
		concurrency := any("")
		if n != nil {
			concurrency = *n
		}
		return func(fields ...any) {
			row := make([]string, 14)
			for i, field := range append([]any{noFormula(strategy), concurrency}, fields...) {
				row[i] = fmt.Sprint(field)
			}
			out.Write(row)
		}
	}
	add := func(p comparison.Place, kind string, ms float64, reads int, interval ...any) {
		billed := math.Ceil(ms)
		of(p.Strategy, p.Concurrency)(append([]any{p.Power, kind, "", ms, billed, r.CostPerMillion(p.Power, billed) / 1e6, "", reads, "", ""}, interval...)...)
	}
	for _, p := range cmp.Or(r.Map, &comparison.Map{}).Points {
		add(p.Place, "computed", p.DurationMS, r.Run.Repeat, p.LowMS, p.HighMS)
	}
	for _, k := range r.Made() {
		add(k.Place, "check", k.MeasuredMS, k.Repeat)
	}
	for i, v := range r.Variants {
		put := of(v.Strategy, v.Concurrency)
		if v.Error != "" {
			put("", "error", "", "", "", "", noFormula(v.Error))
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
		put(c.Power, "error", "", "", "", "", noFormula(c.Error))
		return
	}
	read := []any{"", "", ""}
	add := func(kind string, run any, ms, billed float64) {
		cost := r.CostPerMillion(c.Power, billed) / 1e6
		put(append([]any{c.Power, kind, run, ms, billed, cost, ""}, read...)...)
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
