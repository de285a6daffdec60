package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/prose"
)

// Part is how much of a comparison that was cut short there is to choose from;
// "" of a whole one. Of a variant that has failed as a whole nothing more will
// come.
func (r *Report) Part() string {
	begun, all := r.Measured()
	failed := r.Any(func(v *comparison.Result) bool { return v.Error != "" })
	return when(begun < all && (r.Run.Interrupted || !failed), fmt.Sprintf("%d of %d", begun, all))
}

// Reason says what the recommended cell takes and costs, and how sure that is;
// "" where there is none.
func (r *Report) Reason() string {
	b := r.Best
	if b == nil {
		return ""
	}
	s := b.figures()
	if base := r.baseline(); base != nil {
		if ratio := base.Duration.Value / b.Duration.Value; ratio >= 1.05 {
			s += fmt.Sprintf(": %sx faster than %s at the same size", prose.Thousands(ratio, 1), base.Label)
			if saved := 1 - b.Cost.Value/base.Cost.Value; saved >= 0.01 {
				s += fmt.Sprintf(", for %s less", percent(saved))
			}
		}
	}
	if a := b.Answer; a != nil && a.ObjectsRead > 0 && a.BytesRead/int64(a.ObjectsRead) > 100_000 { // chosen: bytes matter beside objects
		s += fmt.Sprintf(". It reads %s MB/s", prose.Thousands(float64(a.BytesRead)/1e3/b.Duration.Value, 1))
	}
	s += r.certainty()
	if b.busy() {
		s += fmt.Sprintf(". The machine was busy: its duration may be up to %s too long (%s)", percent(b.effect()), markBusy)
	}
	var better []string
	for _, c := range r.measured {
		// Without that share both the duration and its cost would be less.
		if share := 1 - c.effect(); c.busy() && !c.Capped && c != b && c.product()*share*share < b.product() {
			better = append(better, c.Name())
		}
	}
	if len(better) > 0 {
		s += fmt.Sprintf(". Without what the machine may have added to it (%s), %s would be better", markBusy, firstOf(better))
	}
	return s + "."
}

func (c *cell) product() float64 { return c.Duration.Value * c.Cost.Value }

// baseline is the cell of sequential, if it was compared, at the recommended
// size.
func (r *Report) baseline() *cell {
	for _, c := range r.measured {
		if r.Variants[c.Variant].Sequential() && c.Power == r.Best.Power && c != r.Best {
			return c
		}
	}
	return nil
}

// certainty says how much better the recommended cell is than the next one, of
// any size, by that in which it is the best.
func (r *Report) certainty() string {
	var next *cell
	var least comparison.Ratio
	alike := 0
	for _, c := range r.measured {
		if c == r.Best || c.Capped || len(c.DurationsMS) == 0 {
			continue
		}
		q := comparison.Compare(r.Products(c.Cell), r.Products(r.Best.Cell), len(r.Run.Looks()))
		if next == nil || q.Value < least.Value {
			next, least = c, q
		}
		if q.Verdict == comparison.Open || q.Verdict == comparison.Equal {
			alike++
		}
	}
	if next == nil {
		return ""
	}
	share, unit := func(ratio float64) string { return fmt.Sprintf("%.0f", 100*(ratio-1)) }, " % more"
	if least.Value >= 2 {
		share, unit = decimals, " times as much"
	}
	s := fmt.Sprintf(". By cost x duration the next is %s: %s%s", next.Name(), share(least.Value), unit)
	if least.Low > 0 {
		s += fmt.Sprintf(" [%s, %s]", share(least.Low), share(least.High))
	}
	s += when(least.Verdict == comparison.Open, ", which leaves open which is better")
	s += when(least.Verdict == comparison.Equal, ", which is as good")
	if others := alike - 1; others > 0 {
		s += fmt.Sprintf("; so %s %s", plural(others, "is", "are"), count(others, "other"))
	}
	return s
}

// Missing is how many cells were not begun.
func (r *Report) Missing() int {
	begun, all := r.Measured()
	return all - begun
}

// CappedSizes are the memory sizes with capped cells.
func (r *Report) CappedSizes() string {
	var sizes []string
	for _, row := range r.Rows {
		if slices.ContainsFunc(row.Cells, func(c *cell) bool { return c.Cell != nil && c.Capped }) {
			sizes = append(sizes, megabytes(row.Power))
		}
	}
	return prose.List(sizes)
}

// HeldUp are the cells that the machine may have, and its greatest share.
func (r *Report) HeldUp() *cells { return r.above(busy, (*cell).effect) }

// Unread are the cells in which objects failed, and how many at most.
func (r *Report) Unread() *cells {
	return r.above(0, func(c *cell) float64 { return float64(cmp.Or(c.Answer, &event.Answer{}).Failed) })
}

// Retried are the cells in which reads were tried again, and how often at most.
func (r *Report) Retried() *cells {
	return r.above(0, func(c *cell) float64 { return float64(cmp.Or(c.Answer, &event.Answer{}).Retries) })
}

// cells are those of which a figure is above a limit.
type cells struct {
	Names string
	Most  float64 // of the figure
}

func (r *Report) above(limit float64, figure func(*cell) float64) *cells {
	var names []string
	most := limit
	for _, c := range r.measured {
		if f := figure(c); f > limit {
			names, most = append(names, c.Name()), max(most, f)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return &cells{firstOf(names), most}
}

// firstOf names the first of the cells, and counts the others.
func firstOf(names []string) string {
	if n := len(names) - 2; n > 1 {
		return strings.Join(names[:2], ", ") + fmt.Sprintf(" and %d more", n)
	}
	return prose.List(names)
}
