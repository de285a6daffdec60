package report

import (
	"encoding/json"
	"html/template"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// HTML is report.html: one file that needs no script and asks for no other.
func (r *Report) HTML(w io.Writer) error { return templates.ExecuteTemplate(w, "page", r) }

// maxEmbedded is how much of a page, in bytes, its data may take: a page is to
// stay below 200 KB.
const maxEmbedded = 96 << 10

// Data are the comparison for the page's element of data, or "".
func (r *Report) Data() (template.JS, error) {
	// json.Marshal escapes <, > and &, so that no string ends the element.
	data, err := json.Marshal(r.Comparison)
	if err != nil || len(data) > maxEmbedded {
		return "", err
	}
	return template.JS(data), nil
}

// keepTogether keeps a number and its unit on one line, and a mark and its
// meaning.
func keepTogether(s string) string {
	return strings.NewReplacer(" MB", "\u00a0MB", " ms", "\u00a0ms", " %", "\u00a0%",
		"★ ", "★\u00a0", "▲ ", "▲\u00a0", "▼ ", "▼\u00a0").Replace(s)
}

// Reach is how far the strips of dots go from the typical ratio, as a share of
// it: as far as any pair did, but not so far that one outlier hides the others.
// It is 0 where there are no pairs.
func (r *Report) Reach() float64 {
	most := 0.0
	for _, c := range r.measured {
		for _, pair := range c.Duration.ratio.Pairs {
			most = max(most, math.Abs(pair/c.Duration.ratio.Value-1))
		}
	}
	for _, reach := range []float64{0, 0.02, 0.05, 0.1, 0.2} {
		if most <= reach {
			return reach
		}
	}
	return 0.5
}

// Dots are the pairs of a cell on its strip, in percent of its width, those at
// the same place once: a hundred pairs are drawn by fifty dots at most.
func (c *cell) Dots(reach float64) (at []int) {
	if reach == 0 {
		return nil
	}
	for _, pair := range c.Duration.ratio.Pairs {
		off := min(max((pair/c.Duration.ratio.Value-1)/reach, -1), 1)
		at = append(at, 50+2*int(math.Round(25*off)))
	}
	slices.Sort(at)
	return slices.Compact(at)
}

// Timing returns the cells whose last invocation told what it did, of one
// size: the recommended one, or the largest that has any. There are none
// without an answer of this project's function, as on AWS.
func (r *Report) Timing() []*cell {
	for _, row := range slices.Backward(r.Rows) {
		told := slices.DeleteFunc(slices.Clone(row.Cells), func(c *cell) bool { return c.Answer == nil })
		if len(told) > 0 && (r.Best == nil || r.Best.Power == row.Power) {
			return told
		}
	}
	return nil
}

// VCPUs returns how many the memory size buys.
func (c *cell) VCPUs() float64 { return float64(c.Power) / platform.MemoryPerVCPU }

// Share returns how much was used of the CPU that the size buys, in percent; 0
// where it is not known.
func (c *cell) Share() int {
	if s := c.CPUShare; s != nil && s.Target > 0 {
		return min(int(100*s.Used/s.Target+0.5), 100)
	}
	return 0
}

type pageLink struct{ URL, Text string }

// visualization is what may be linked: Power Tuning's page with data in the
// fragment, and nothing else that a file may have in that field.
var visualization = regexp.MustCompile(`^https://lambda-power-tuning\.show/(\?currency=CNY)?#[A-Za-z0-9+/=;%._~!*'()-]+$`)

// Links are to that page, for each variant and for two side by side. A map has
// none: each of its cells has a concurrency of its own.
func (r *Report) Links() (links []pageLink) {
	if r.Map != nil {
		return nil
	}
	for i := range r.Variants {
		link := ""
		if t := r.Variants[i].Tuning; t != nil {
			link = t.StateMachine.Visualization // as the tool gave it
		} else if stats := r.stats(i); stats != nil {
			link = powertuning.Link(r.Run.Region, stats)
		}
		links = append(links, pageLink{link, r.Labels[i]})
	}
	links = append(links, r.CompareLink())
	return slices.DeleteFunc(links, func(l pageLink) bool { return !visualization.MatchString(l.URL) })
}

// stats are the figures of a variant as Power Tuning's page takes them: nil of
// one that has none. Of a run on AWS they are the tool's own.
func (r *Report) stats(variant int) (stats []powertuning.Stat) {
	if t := r.Variants[variant].Tuning; t != nil && r.Mode == comparison.AWS {
		return t.Stats
	}
	base := powertuning.BaseCost(r.Run.Region, r.Run.Arch)
	for _, row := range r.Rows {
		if c := row.Cells[variant]; c.OK {
			stats = append(stats, powertuning.Stat{Value: c.Power, AverageDuration: c.Duration.Value, AveragePrice: powertuning.Price(base, c.Power, c.billed)})
		}
	}
	return stats
}

// CompareLink is Power Tuning's page with sequential against the recommended
// variant; empty where there are no two.
func (r *Report) CompareLink() pageLink {
	if r.Best == nil || r.Map != nil {
		return pageLink{}
	}
	best := r.Best.Variant
	for i := range r.Variants {
		a, b := r.stats(i), r.stats(best)
		if r.Variants[i].Sequential() && i != best && len(a) > 0 && len(b) > 0 {
			link := powertuning.CompareLink(r.Run.Region, r.Variants[i].Label(), a, r.Variants[best].Label(), b)
			return pageLink{link, r.Labels[i] + " against " + r.Labels[best]}
		}
	}
	return pageLink{}
}
