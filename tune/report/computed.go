package report

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"al.essio.dev/pkg/shellescape"

	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
)

// compute adds to a cell what its point of the map tells.
func (c *cell) compute(r *Report, p *comparison.Point) {
	c.place, c.Label = p.Place, prose.OneLine(p.Label(), maxLabel)
	if r.Variants[c.Variant].Concurrency == nil && p.Concurrency != nil {
		c.Duration.Text += fmt.Sprintf(" (%d)", *p.Concurrency)
		r.Occurs["searched"] = true
	}
	c.Duration.Low, c.Duration.High = p.LowMS, p.HighMS
	c.Cost.Low, c.Cost.High = r.CostPerMillion(p.Power, math.Ceil(p.LowMS)), r.CostPerMillion(p.Power, math.Ceil(p.HighMS))
	i := slices.IndexFunc(r.Checks, func(k comparison.Check) bool { return k.Made() && k.Name() == p.Name() })
	if i >= 0 {
		c.Check = &r.Checks[i]
	}
}

// Limited reports whether S3's limit holds a computed cell up.
func (c *cell) Limited() bool { return c.OK && c.Computed != nil && c.Computed.Limited() }

// step is a line of the terminal's header: what was done, to how many of what, how
// long that took, and a text in a column of its own.
func step(name string, n int, noun string, sec float64, text string) string {
	head := fmt.Sprintf("  %-10s%4s %-5s%7s   ", name, prose.Thousands(n, 0), plural(n, noun, noun+"s"), when(sec > 0, prose.Thousands(sec, 0)+" s"))
	indent := strings.Repeat(" ", utf8.RuneCountInString(head))
	return head + strings.Join(breakText(text, width-len(indent), utf8.RuneCountInString), "\n"+indent) + "\n"
}

// Made are the checks that tell something.
func (r *Report) Made() []comparison.Check {
	return slices.DeleteFunc(slices.Clone(r.Checks), func(k comparison.Check) bool { return !k.Made() })
}

// Agreement is by how much the checks that agree differ from what was computed, at
// most: "within 4 %", or "2 within 4 %" where others do not; "" of none.
func (r *Report) Agreement() string {
	agreeing, most := slices.DeleteFunc(r.Made(), comparison.Check.Far), 0.0
	for _, k := range agreeing {
		most = max(most, math.Ceil(100*math.Abs(k.MeasuredMS/k.ComputedMS-1)))
	}
	n := len(agreeing)
	return when(n > 0, when(n < len(r.Checks), fmt.Sprintf("%d ", n))+"within "+percent(most/100))
}

// setting says how to read: "pool with 160 reads at a time".
func setting(p comparison.Place) string {
	name := prose.OneLine(p.Strategy, maxLabel)
	if n := bounded(p); n > 0 {
		name += " with " + count(n, "read") + " at a time"
	}
	return name
}

// bounded is the concurrency that a point needs, or 0.
func bounded(p comparison.Place) int {
	if v := (comparison.Variant{Strategy: p.Strategy, Concurrency: p.Concurrency}); v.Bounded() {
		return *v.Concurrency
	}
	return 0
}

// change says by how much a figure differs from another: "14 % less time", "2.5
// times the time".
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

// again is the command that computes another question from the results beside a
// page.
func again(page string) string {
	data := filepath.Join(filepath.Dir(page), DataFile)
	return "go run ./tune map " + shellescape.Quote(prose.OneLine(data, maxMessage))
}
