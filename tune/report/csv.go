package report

import (
	"encoding/csv"
	"io"
	"regexp"
	"strconv"
	"strings"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/prose"
)

// maxField is the longest text in a field, in characters: whatever a
// results.json holds fits.
const maxField = 16 << 10

// CSV has a row a run, in the order in which they were measured: results.csv.
// The column kind tells a run from the warm-up before it, from the mean that
// is all a run on AWS returns, and from the cell or variant that failed.
// Costs are in dollars an invocation, compute and request at list price. What
// was read, objects, their bytes and those that failed, is of the cell's last
// invocation, and empty where its answer does not tell.
func (r *Report) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write(strings.Fields("strategy concurrency memory_mb kind run duration_ms billed_ms cost_usd " +
		"capped error objects bytes failed"))
	for i := range r.Variants {
		v := &r.Variants[i]
		concurrency := ""
		if v.Concurrency != nil {
			concurrency = strconv.Itoa(*v.Concurrency)
		}
		variant := []string{noFormula(v.Strategy), concurrency}
		if v.Error != "" {
			out.Write(append(variant, "", "error", "", "", "", "", "", noFormula(v.Error), "", "", ""))
		}
		for _, row := range r.Rows {
			for _, run := range r.runs(row.Cells[i]) {
				out.Write(append(variant, run...))
			}
		}
	}
	out.Flush()
	return out.Error() // of any Write as well
}

// runs are the rows of a cell, from the memory on.
func (r *Report) runs(c *cell) (rows [][]string) {
	if c.Cell == nil {
		return nil
	}
	power, capped := strconv.Itoa(c.Power), strconv.FormatBool(c.Capped)
	if c.Error != "" {
		return [][]string{{power, "error", "", "", "", "", capped, noFormula(c.Error), "", "", ""}}
	}
	read := []string{"", "", ""}
	if a := c.Answer; a != nil {
		read = []string{strconv.Itoa(a.ObjectsRead), strconv.FormatInt(a.BytesRead, 10), strconv.Itoa(a.Failed)}
	}
	add := func(kind, run string, ms, billed float64) {
		cost := r.CostPerMillion(c.Power, billed) / 1e6
		rows = append(rows, append([]string{power, kind, run, number(ms), number(billed), number(cost), capped, ""}, read...))
	}
	if c.OK && r.Mode == comparison.AWS {
		add("mean", "", c.Duration.Value, c.billed)
	}
	if c.WarmUp != nil {
		add("warm-up", "0", c.WarmUp.DurationMS, float64(c.WarmUp.BilledMS))
	}
	for i, ms := range c.DurationsMS {
		add("run", strconv.Itoa(i+1), ms, float64(c.BilledMS[i]))
	}
	return rows
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

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
func (r *Report) Bench(w io.Writer) error { return execute(w, texts.Lookup("results.txt"), r) }

// notInWord is what a part of a benchmark's name cannot have.
var notInWord = regexp.MustCompile(`[^A-Za-z0-9_.]`)

func benchWord(s string) string { return notInWord.ReplaceAllString(prose.OneLine(s, maxName), "_") }
