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
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
)

// compute adds to a cell what its point of the map tells.
func (c *cell) compute(r *Report, p *comparison.Point) {
	c.Label = prose.OneLine(p.Label(), maxLabel)
	if r.Variants[c.Variant].Concurrency == nil && p.Concurrency != nil {
		c.Duration.Text += fmt.Sprintf(" (%d)", *p.Concurrency)
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

// Statistic names what a typical duration is: the median of what was measured,
// on AWS the mean, or computed.
func (r *Report) Statistic() string {
	if r.Map != nil {
		return "computed"
	}
	return r.Comparison.Statistic()
}

// Searched reports whether the map tells the best concurrency of a strategy.
func (r *Report) Searched() bool {
	return r.Map != nil && r.Any(func(v *comparison.Result) bool {
		s, err := strategies.ByName(v.Strategy)
		return err == nil && s.Bounded && v.Concurrency == nil
	})
}

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

// Agreeing is how many checks agree with what was computed.
func (r *Report) Agreeing() int {
	return len(slices.DeleteFunc(r.Made(), comparison.Check.Far))
}

// Agreement is by how much these differ from it, at most and rounded up: "4 %"; ""
// of none.
func (r *Report) Agreement() string {
	most := 0.0
	for _, k := range r.Made() {
		if !k.Far() {
			most = max(most, math.Ceil(100*math.Abs(k.MeasuredMS/k.ComputedMS-1)))
		}
	}
	return when(r.Agreeing() > 0, percent(most/100))
}

// CPUs are what a read costs the processor by each strategy but sequential, whose
// reads are those of the others: "pool 0.29 ms of a vCPU, semaphore 0.31".
func (r *Report) CPUs() string {
	var each []string
	for _, k := range r.Calibration.Reads {
		if v := (comparison.Variant{Strategy: k.Strategy}); !v.Sequential() {
			unit := when(len(each) == 0, " ms of a vCPU")
			each = append(each, prose.OneLine(k.Strategy, maxLabel)+" "+twoDigits(k.CPU.Value)+unit)
		}
	}
	return strings.Join(each, ", ")
}

// WakesDear reports whether a wake-up costs much more on this machine than it is
// taken to cost on Lambda.
func (r *Report) WakesDear() bool {
	return r.Calibration.WakeUp.Value > 2*r.Map.WakeUpMS
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

// Gains are what the answer of a map gains beside the naive way, and beside the
// concurrency that the function has by default.
func (r *Report) Gains() string {
	var clauses []string
	a := r.Map.Answer
	if s := a.Sequential; s != nil {
		if g := r.gain(s.DurationMS, s.CostPerMillion, a.DurationMS, a.CostPerMillion, "one by one"); g != "" {
			clauses = append(clauses, g)
		}
	}
	if d := a.Default; d != nil {
		by := fmt.Sprintf("the function's default of %d at a time", bounded(d.Place))
		switch ratio := d.DurationMS / a.DurationMS; {
		case d.Label() == a.Label():
			clauses = append(clauses, "this is the function's default concurrency")
		case ratio >= 1.05:
			clauses = append(clauses, twoDigits(ratio)+" times faster than "+by)
		case ratio <= 0.95:
			clauses = append(clauses, twoDigits(1/ratio)+" times slower than "+by)
		default:
			clauses = append(clauses, "as fast as "+by)
		}
	}
	return strings.Join(clauses, ", and ")
}

// Beside says what another point takes and costs beside the answer: "14 % less
// time, 14 % more money".
func (r *Report) Beside(p *comparison.Point) string {
	change := func(of, a float64, what string) string {
		switch share := of/a - 1; {
		case math.Abs(share) < 0.005:
			return "the same " + what
		case share < 0:
			return percent(-share) + " less " + what
		default:
			return percent(share) + " more " + what
		}
	}
	a := r.Map.Answer
	return change(p.DurationMS, a.DurationMS, "time") + ", " + change(p.CostPerMillion, a.CostPerMillion, "money")
}

// again is the command that computes another question from the results beside a
// page.
func again(page string) string {
	data := filepath.Join(filepath.Dir(page), DataFile)
	return "go run ./tune map " + shellescape.Quote(prose.OneLine(data, maxMessage))
}
