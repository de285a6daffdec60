package report

import (
	"fmt"
	"slices"

	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
)

// Part is how much of a comparison that was cut short there is to choose from;
// "" of a whole one. Of a variant that has failed as a whole nothing more will
// come.
func (r *Report) Part() string {
	begun, all := r.Measured()
	failed := r.Any(func(v *comparison.Result) bool { return v.Error != "" })
	return when(begun < all && r.Map == nil && (r.Run.Interrupted || !failed), fmt.Sprintf("%d of %d", begun, all))
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
	return r.Than(base.Duration.Value, base.Cost.Value, r.Best.Duration.Value, r.Best.Cost.Value, base.Label+" at the same size")
}

// Than says how much faster and cheaper something is than a base, or "" where it
// is not much faster.
func (r *Report) Than(baseMS, base, ms, cost float64, than string) string {
	if baseMS < 1.05*ms {
		return ""
	}
	s := fmt.Sprintf("%s times faster than %s", twoDigits(baseMS/ms), than)
	if saved := 1 - cost/base; saved >= 0.01 {
		s += fmt.Sprintf(", for %s less compute", percent(saved))
		if gets := r.GETCostPerMillion(); gets > 0 {
			s += fmt.Sprintf(" (%s less with S3's requests)", percent((base-cost)/(base+gets)))
		}
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

func (c *cell) product() float64 { return c.Duration.Value * c.Cost.Value }
