package comparison

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/prose"
)

// Conclude compares the cells of each size with the fastest, and sets the warnings and the recommended cell's Next.
func (c *Comparison) Conclude() {
	for _, v := range c.Variants {
		for i := range v.Cells {
			v.Cells[i].Against = nil
		}
	}
	sizes := map[int][]placed{}
	for _, k := range c.summarized() {
		sizes[k.Power] = append(sizes[k.Power], k)
	}
	for _, size := range sizes {
		fastest := Least(c, size, placed.of, Duration)
		for _, k := range size {
			if q := Compare(k.cell.DurationsMS, fastest.cell.DurationsMS, len(c.Run.Looks())); k != fastest && len(q.Pairs) > 0 {
				k.cell.Against = &q
			}
		}
	}
	c.warn()
	if c.Recommendation != nil {
		c.Recommendation.Next = c.next()
	}
}

// next returns the cell, of any size, after the recommended one.
func (c *Comparison) next() *Next {
	products := func(cell *Cell) (all []float64) {
		for k, ms := range cell.DurationsMS {
			all = append(all, ms*c.CostPerMillion(cell.Power, float64(cell.BilledMS[k])))
		}
		return all
	}
	best := c.Recommended()
	var others []Next
	for _, k := range c.candidates() {
		if best != nil && k.cell != best && len(k.cell.DurationsMS) > 0 {
			others = append(others, Next{Place: k.Place, Ratio: Compare(products(k.cell), products(best), len(c.Run.Looks()))})
		}
	}
	if others == nil {
		return nil
	}
	next := slices.MinFunc(others, func(a, b Next) int { return cmp.Compare(a.Value, b.Value) })
	for _, k := range others {
		if !k.same(next.Place) && k.Low > 0 && (k.Verdict == Open || k.Verdict == Equal) {
			next.Alike++
		}
	}
	return &next
}

// Recommend draws every conclusion. It sets Recommendation to the cell with the least (compute + request cost) x
// typical duration, the first of equals, or to nil if no cell has both. It excludes cells that failed, and those
// beyond this machine, since Lambda would have been faster.
//
// The product needs no scale. A rule that divides by the greatest cost and duration, as Power Tuning's balanced
// strategy does within one function, would let one slow variant move the choice between the others.
func (c *Comparison) Recommend() {
	best := Least(c, c.candidates(), placed.of, Product).Place
	if c.Map != nil {
		best = cmp.Or(c.Map.Answer, &Answer{}).Place
	}
	c.Recommendation = nil
	if best.Power > 0 {
		c.Recommendation = &Recommendation{Place: best, Rule: "least (compute + request cost) x " + c.Statistic() + " duration"}
	}
	c.Conclude()
}

// placed is a cell with figures and its place: of a computed one, its point's.
type placed struct {
	Place
	cell *Cell
}

func (k placed) of() *Cell { return k.cell }

// summarized returns the cells that have figures, variant by variant.
func (c *Comparison) summarized() (all []placed) {
	for _, v := range c.Variants {
		for i := range v.Cells {
			cell := &v.Cells[i]
			if _, ok := c.Summarize(cell); ok {
				all = append(all, placed{cmp.Or(cell.Computed, &Point{Place: v.Place(cell.Power)}).Place, cell})
			}
		}
	}
	return all
}

// candidates returns the cells that can be recommended.
func (c *Comparison) candidates() []placed {
	return slices.DeleteFunc(c.summarized(), func(k placed) bool { return c.Beyond(k.cell) })
}

// Recommended returns the cell that Recommendation names, or nil.
func (c *Comparison) Recommended() *Cell {
	for _, k := range c.summarized() {
		if c.Recommendation != nil && k.same(c.Recommendation.Place) {
			return k.cell
		}
	}
	return nil
}

// Warning says which figures are doubtful or missing, and ends in what to do.
type Warning struct {
	Kind  string  `json:"kind"` // one of kinds
	Cells []Place `json:"cells,omitempty"`
	Most  float64 `json:"most,omitempty"` // the greatest figure of the cells: cores, objects or attempts
	Text  string  `json:"text"`
}

// kinds are the kinds of warnings in their order. Each is a template of warnings.txt.
var kinds = []string{"few-pairs", "open", "busy", "unread", "retried", "missing", "check"}

//go:embed warnings.txt
var words string

var texts = template.Must(template.New("").Funcs(template.FuncMap{
	"count":   prose.Count[int],
	"int":     func(f float64) int { return int(f) },
	"percent": func(share float64) float64 { return 100 * share },
	"seconds": func(times, sec float64) time.Duration { return time.Duration(times * sec * float64(time.Second)) },
	"short":   func(s string) string { return prose.OneLine(s, maxLabel) },
	"some":    someOf,
	"twice":   func(n int) int { return 2 * n },
}).Parse(words))

const (
	BusyCores = 0.5 // cores that a function's threads may wait for: half a core makes it some 5 % longer
	maxLabel  = 24  // characters to which a warning cuts names
)

// warn sets Warnings.
func (c *Comparison) warn() {
	all := map[string]Warning{}
	warn := func(doubtful bool, kind string, figure float64, cells ...Place) {
		if w := all[kind]; doubtful {
			all[kind] = Warning{Kind: kind, Cells: append(w.Cells, cells...), Most: max(w.Most, figure)}
		}
	}
	cells := c.summarized()
	slices.SortStableFunc(cells, func(a, b placed) int { return a.Power - b.Power })
	for _, k := range cells {
		pairs, answer := cmp.Or(k.cell.Against, &Ratio{Low: 1}), cmp.Or(c.Answer(k.cell), &event.Answer{})
		warn(pairs.Low == 0 && c.Run.ForSec == 0, "few-pairs", 0, k.Place)
		warn(pairs.Verdict == Open && c.Run.ForSec > 0, "open", 0, k.Place)
		warn(k.cell.Busy(), "busy", cmp.Or(k.cell.CPUShare, &CPUShare{}).Starved, k.Place)
		warn(answer.Failed > 0, "unread", float64(answer.Failed), k.Place)
		warn(answer.Retries > 0, "retried", float64(answer.Retries), k.Place)
	}
	begun, of := c.Measured()
	warn(begun < of && c.Map == nil, "missing", float64(of-begun))
	var distrust []string
	for _, k := range c.Checks {
		warn(k.Far(), "check", k.off(), k.Place)
		if step := cmp.Or(steps[k.Why], "the calibration"); k.Far() && !slices.Contains(distrust, step) {
			distrust = append(distrust, step)
		}
	}
	c.Warnings = nil
	for _, kind := range kinds {
		if w, found := all[kind]; found {
			var text strings.Builder
			_ = texts.ExecuteTemplate(&text, kind, struct { // a Builder takes everything
				*Comparison
				Warning
				Distrust string
			}{c, w, prose.List(distrust)})
			w.Text = text.String()
			c.Warnings = append(c.Warnings, w)
		}
	}
}

// steps names what to distrust if a check disagrees, by its Why. Otherwise it is the calibration.
var steps = map[string]string{
	"processor":  "the CPU time of a read, which the calibration measured",
	"sequential": "S3's latency as this machine keeps it",
}

// Busy reports whether this machine may have made the cell slower.
func (c *Cell) Busy() bool { return cmp.Or(c.CPUShare, &CPUShare{}).Starved > BusyCores }

// Beyond reports whether this machine has less CPU than the cell's memory size buys, and could not keep up with it.
func (c *Comparison) Beyond(cell *Cell) bool {
	return cell.Busy() && cell.CPUShare.Target > c.Run.VCPUs(c.Run.CPUs)
}

// Answer returns the answer of a cell's last invocation, or nil if it is not that of this project's function.
func (c *Comparison) Answer(cell *Cell) *event.Answer {
	var a event.Answer
	if c.Run.Repeat == 0 || json.Unmarshal(cell.Response, &a) != nil || a.ObjectsRead+a.Failed != c.Run.Repeat || !(a.TimeSec > 0) {
		return nil
	}
	return &a
}

// someOf names the first of the cells, and counts the others.
func someOf(places []Place) string {
	var names []string
	for _, p := range places {
		names = append(names, p.Name())
	}
	if n := len(names) - 2; n > 1 {
		names = append(names[:2], fmt.Sprintf("%d more", n))
	}
	return prose.List(names)
}
