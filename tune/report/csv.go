package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"regexp"
	"strings"

	"lambda-parallel-io/handler/prose"
)

// maxField is the longest text in a field, in characters. All that a results.json may hold fits.
const maxField = 16 << 10

// CSV writes results.csv: a row a run, in the order in which they were measured. kind is run, warm-up,
// mean (all that AWS returns), computed (a point of the map), check (a point that was measured) or error.
// Costs are in dollars an invocation: compute and request at list price. objects, bytes and failed are of
// the cell's last invocation, and empty for a warm-up. low_ms and high_ms are a computed point's interval.
func (r *Report) CSV(w io.Writer) error { return texts.ExecuteTemplate(w, "results.csv", r) }

// Billed returns two fields of results.csv: the billed ms of an invocation, and its price.
func (r *Report) Billed(power int, ms float64) string {
	return fmt.Sprintf("%v,%v", ms, r.CostPerMillion(power, ms)/1e6)
}

// field is untrusted text as a field of results.csv, without control characters. It puts a quote before what
// a spreadsheet would take for a formula, as OWASP recommends.
func field(s string) string {
	if s = prose.OneLine(s, maxField); strings.IndexAny(s, "=+-@|%") == 0 {
		s = "'" + s
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Write([]string{s})
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// Bench writes results.txt: Go's benchmark format, a line a run. To read it:
//
//	benchstat -col /strategy -row /memory results.txt
func (r *Report) Bench(w io.Writer) error { return texts.ExecuteTemplate(w, "results.txt", r) }

// notInWord matches what a part of a benchmark's name may not hold.
var notInWord = regexp.MustCompile(`[^A-Za-z0-9_.]`)

func benchWord(s string) string { return notInWord.ReplaceAllString(prose.OneLine(s, maxName), "_") }
