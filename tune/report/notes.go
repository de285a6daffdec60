package report

import (
	"encoding/json"
	"fmt"
	"strings"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
)

// notes are the footnotes: what makes figures doubtful or absent, each with
// its remedy.
func (g *grid) notes() (notes []string) {
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	var few, missing int
	var capped, starved, retried []string
	worst, retries := 0.0, int64(0)
	for _, r := range g.rows {
		cappedHere := false
		for _, c := range r.cells {
			name := fmt.Sprintf("%s at %s MB", c.label, megabytes(c.power))
			switch {
			case c.Cell == nil:
				missing++
				continue
			case c.Capped:
				cappedHere = true
			}
			if !c.ok {
				continue
			}
			if g.Mode == comparison.Local && c.duration.interval == "" {
				few++
			}
			if s := c.CPUShare; s != nil && s.Starved > busy {
				starved, worst = append(starved, name), max(worst, s.Starved)
			}
			if a := g.response(c.Cell); a != nil && a.Retries > 0 {
				retried, retries = append(retried, name), max(retries, a.Retries)
			}
		}
		if cappedHere {
			capped = append(capped, megabytes(r.power))
		}
	}
	if few > 0 {
		add("No interval and no %s where a cell has fewer than %d runs: -num %d or more.", markNoise, minRuns, minRuns)
	}
	if len(capped) > 0 {
		add("%s Lambda gives %s MB more CPUs than this machine had (%d): there it is faster than shown. Measure these sizes on a machine with more, or on AWS (-stack).",
			markCapped, list(capped), g.Run.CPUs)
	}
	if len(starved) > 0 {
		add("%s The machine was busy, with S3 on it too: threads of %s waited for a processor, together for up to %s of the duration. Measure again with other programs closed, or on a machine with more than %d cores.",
			markBusy, some(starved), percent(worst), g.Run.CPUs)
	}
	if len(retried) > 0 {
		add("Reads were tried again, up to %s an invocation: %s. S3 gives about 5,500 GETs a second: lower the concurrency.",
			count(int(retries), "attempt"), some(retried))
	}
	if missing > 0 {
		why := "the run was stopped before them"
		if !g.Run.Interrupted {
			why = "the run has no answer for them"
		}
		add("– %s not measured: %s.", count(missing, "cell"), why)
	}
	return notes
}

// failures are the causes of the cells and variants that failed.
func (g *grid) failures() (causes []string) {
	for i, v := range g.Variants {
		if v.Error != "" {
			causes = append(causes, g.labels[i]+": "+clean(v.Error, maxMessage))
		}
	}
	for _, r := range g.rows {
		for _, c := range r.cells {
			if c.Cell != nil && c.Error != "" {
				causes = append(causes, fmt.Sprintf("%s at %s MB: %s", c.label, megabytes(c.power), clean(c.Error, maxMessage)))
			}
		}
	}
	const most = 12
	if n := len(causes) - most; n > 0 {
		causes = append(causes[:most], fmt.Sprintf("and %d more", n))
	}
	return causes
}

// some names the first of the cells, and counts the others.
func some(names []string) string {
	if n := len(names) - 2; n > 1 {
		return strings.Join(names[:2], ", ") + fmt.Sprintf(" and %d more", n)
	}
	return list(names)
}

// response returns the answer of a cell's last invocation where it is that of
// this project's function: other functions answer what they like.
func (g *grid) response(c *comparison.Cell) *event.Answer {
	var a event.Answer
	if g.Run.Repeat == 0 || c == nil || c.Error != "" || json.Unmarshal(c.Response, &a) != nil {
		return nil
	}
	if a.ObjectsRead != g.Run.Repeat || !(a.TimeSec > 0) {
		return nil
	}
	for _, f := range []float64{1000 * a.TimeSec, 1000 * a.CPUSec, a.Latency.P50, a.Latency.P95, a.Latency.P99} {
		if !(f >= 0 && f <= maxMS) {
			return nil // a file may hold anything
		}
	}
	return &a
}
