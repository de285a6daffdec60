package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"lambda-parallel-io/tune/comparison"
)

// CSV has a row a run, in the order in which they were measured: results.csv.
// The column kind tells a run from the warm-up before it, from the mean that
// is all a run on AWS returns, and from the cell or variant that failed.
// Costs are in dollars an invocation, compute and request at list price.
func CSV(c *comparison.Comparison) View {
	return func(w io.Writer) error {
		out := csv.NewWriter(w)
		out.Write([]string{"strategy", "concurrency", "memory_mb", "kind", "run", "duration_ms", "billed_ms", "cost_usd", "capped", "error"})
		for i := range c.Variants {
			v := &c.Variants[i]
			if v.Error != "" {
				out.Write(append(named(v), "", "error", "", "", "", "", "", inert(v.Error)))
			}
			for j := range v.Cells {
				for _, row := range runs(c, &v.Cells[j]) {
					out.Write(append(named(v), row...))
				}
			}
		}
		out.Flush()
		return out.Error() // of any Write as well
	}
}

func named(v *comparison.Result) []string {
	concurrency := ""
	if v.Concurrency != nil {
		concurrency = strconv.Itoa(*v.Concurrency)
	}
	return []string{inert(v.Strategy), concurrency}
}

// runs are the rows of a cell, from the memory on.
func runs(c *comparison.Comparison, cell *comparison.Cell) (rows [][]string) {
	add := func(kind, run string, ms, billed float64, failure string) {
		row := []string{strconv.Itoa(cell.Power), kind, run, "", "", "", strconv.FormatBool(cell.Capped), inert(failure)}
		if failure == "" {
			row[3], row[4], row[5] = number(ms), number(billed), number(c.CostPerMillion(cell.Power, billed)/1e6)
		}
		rows = append(rows, row)
	}
	summary, ok := c.Summarize(cell)
	switch {
	case cell.Error != "":
		add("error", "", 0, 0, cell.Error)
		return rows
	case ok && c.Mode == comparison.AWS:
		add("mean", "", summary.DurationMS, summary.BilledMS, "")
		return rows
	}
	if cell.WarmUp != nil {
		add("warm-up", "0", cell.WarmUp.DurationMS, float64(cell.WarmUp.BilledMS), "")
	}
	for i, ms := range cell.DurationsMS {
		add("run", strconv.Itoa(i+1), ms, float64(cell.BilledMS[i]), "")
	}
	return rows
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// inert keeps a spreadsheet from taking text for a formula, as OWASP
// recommends: by a quote before it. Control characters go too.
func inert(s string) string {
	s = clean(s, maxText)
	if strings.IndexAny(s, "=+-@|%") == 0 {
		return "'" + s
	}
	return s
}
