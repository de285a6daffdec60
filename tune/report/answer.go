package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/prose"
	"lambda-parallel-io/tune/comparison"
)

// Part is how much of a comparison that was cut short there is to choose from;
// "" of a whole one. Of a variant that has failed as a whole nothing more will
// come.
func (r *Report) Part() string {
	begun, all := r.Measured()
	failed := r.Any(func(v *comparison.Result) bool { return v.Error != "" })
	return when(begun < all && (r.Run.Interrupted || !failed), fmt.Sprintf("%d of %d", begun, all))
}

// Gain is how much better than sequential the recommended cell is, or "".
func (r *Report) Gain() string {
	i := slices.IndexFunc(r.measured, func(c *cell) bool {
		return r.Variants[c.Variant].Sequential() && c.Power == r.Best.Power
	})
	if i < 0 {
		return ""
	}
	base := r.measured[i]
	if base.Duration.Value < 1.05*r.Best.Duration.Value {
		return ""
	}
	s := fmt.Sprintf("%sx faster than %s at the same size",
		prose.Thousands(base.Duration.Value/r.Best.Duration.Value, 1), base.Label)
	if saved := 1 - r.Best.Cost.Value/base.Cost.Value; saved >= 0.01 {
		s += fmt.Sprintf(", for %s less", percent(saved))
	}
	return s
}

// MBPerSec is what a cell reads where bytes matter beside objects: above 100 KB
// each, which is chosen. Else it is "".
func (c *cell) MBPerSec() string {
	a := c.Answer
	if a == nil || a.ObjectsRead == 0 || a.BytesRead/int64(a.ObjectsRead) <= 100_000 {
		return ""
	}
	return prose.Thousands(float64(a.BytesRead)/1e3/c.Duration.Value, 1)
}

// rival is another cell beside the recommended one, by their products of cost and
// duration.
type rival struct {
	*cell
	comparison.Ratio
	Others int // that may be as good as the recommended one, too
}

// Next is the cell, of any size, that follows the recommended one; nil where
// there is none to compare.
func (r *Report) Next() (next *rival) {
	alike := 0
	for _, c := range r.measured {
		if c == r.Best || c.Capped || len(c.DurationsMS) == 0 {
			continue
		}
		q := comparison.Compare(r.Products(c.Cell), r.Products(r.Best.Cell), len(r.Run.Looks()))
		if next == nil || q.Value < next.Value {
			next = &rival{cell: c, Ratio: q}
		}
		if q.Verdict == comparison.Open || q.Verdict == comparison.Equal {
			alike++
		}
	}
	if next != nil {
		next.Others = max(alike-1, 0)
	}
	return next
}

// Better names the cells that would be, without what the machine may have added
// to both a duration and its cost; "" where there are none.
func (r *Report) Better() string {
	var names []string
	for _, c := range r.measured {
		if share := 1 - c.Effect(); c.Busy() && !c.Capped && c != r.Best && c.product()*share*share < r.Best.product() {
			names = append(names, c.Name())
		}
	}
	return firstOf(names)
}

func (c *cell) product() float64 { return c.Duration.Value * c.Cost.Value }

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
func (r *Report) HeldUp() *cells { return r.above(busy, (*cell).Effect) }

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
