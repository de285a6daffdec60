// Package builds says whether a build of a function is slower than another one:
// both are measured in pairs of environments with the same latencies, until each
// figure is decided or the time is over.
package builds

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
)

// Figures are what is compared, of each memory size. The last two are those of
// this project's function.
var Figures = []string{"duration", "cpu", "memory", "init", "cost", "cpu_per_read", "retries"}

// does are what must be the same: the requests that S3 answered, and what an answer
// that has these fields says.
var does = []string{"requests", "objects_read", "bytes_read", "records_read", "failed"}

// Result is two builds side by side.
type Result struct {
	Verdict     Verdict        `json:"verdict"` // of the figures in FailOn: slower if one is, else open, else faster, else same
	Old         string         `json:"old"`     // a package, an executable, or REVISION:PACKAGE
	New         string         `json:"new"`
	FailOn      []string       `json:"fail_on"`
	Tolerance   float64        `json:"tolerance"`             // a share: 0.1 is 10 %
	Differences []string       `json:"differences,omitempty"` // in what they do, and what failed
	Cells       []Cell         `json:"cells"`                 // by size, and figure by figure
	Busy        bool           `json:"busy,omitempty"`        // this machine could not keep up
	Seconds     float64        `json:"seconds"`               // that it took
	Run         comparison.Run `json:"run"`                   // how it was measured: at most Num pairs in ForSec seconds

	pairs    map[int][][2]map[string]float64 // by size: what old and new measured by Figures' names, and did; 0 is not known
	failures []string
}

// Cell is a figure at a memory size. Old and New are medians: ms, of cpu ms of a
// vCPU, MB, or dollars per million invocations.
type Cell struct {
	Power   int       `json:"power"` // MB
	Figure  string    `json:"figure"`
	Old     float64   `json:"old"`
	New     float64   `json:"new"`
	Ratio   float64   `json:"ratio"` // new beside old, by pairs; of retries with one more on each side, as most builds have none
	Low     float64   `json:"low"`   // of the interval, 0 where the pairs are too few for one
	High    float64   `json:"high"`
	Verdict Verdict   `json:"verdict"`
	Pairs   []float64 `json:"pairs"`           // the single ratios
	Needs   int       `json:"needs,omitempty"` // about how many pairs decide what is open; 0 where none do
}

// invocations is how many count of an environment, whose figure is their median.
const invocations = 3

// Tune measures the cells of a comparison, as local.Tuner does.
type Tune func(context.Context, *comparison.Comparison, func(comparison.Progress) error) error

// Measure compares. how has one variant, which the functions Old and New measure.
// The time begins when they are built. Where ctx ends, what there is then is
// judged, and the error is its cause.
func (r *Result) Measure(ctx context.Context, how comparison.Run, tune Tune, observe func(comparison.Progress) error) error {
	r.Run, r.pairs = how, map[int][][2]map[string]float64{}
	old, new := how.Variants[0], how.Variants[0]
	old.Name, old.Function, new.Name, new.Function = "old", r.Old, "new", r.New
	sizes, looks := slices.Clone(how.PowerValues), how.Looks()
	var begin time.Time
	for n := 1; ; n++ {
		c := &comparison.Comparison{Run: r.Run}
		c.Run.Variants, c.Run.PowerValues, c.Run.Num, c.Run.ForSec, c.Run.Seed = nil, sizes, invocations, 0, how.Seed+uint64(n-1)
		c.Add(old, new)
		err := tune(ctx, c, func(p comparison.Progress) error {
			if begin.IsZero() {
				begin = time.Now()
			}
			return observe(comparison.Progress{Now: fmt.Sprintf("pair %d of at most %d, %s", n, how.Num, p.Now)})
		})
		if err == nil {
			r.Run.CPU, r.Run.Versions, r.Seconds = c.Run.CPU, c.Run.Versions, time.Since(begin).Seconds()
			sizes = slices.DeleteFunc(sizes, func(power int) bool { return !r.add(c, power) })
		}
		over := err != nil || len(sizes) == 0 || n >= how.Num || how.ForSec > 0 && r.Seconds*float64(n+1)/float64(n) > how.ForSec
		if over || slices.Contains(looks, n) {
			r.judge(len(looks) * len(how.PowerValues) * len(r.FailOn))
			sizes = slices.DeleteFunc(sizes, func(power int) bool {
				return !slices.ContainsFunc(r.Cells, func(c Cell) bool { return c.Power == power && c.Verdict == Open })
			})
		}
		if over || len(sizes) == 0 {
			return err
		}
	}
}

// add adds a pair of environments, and reports whether neither has failed.
func (r *Result) add(c *comparison.Comparison, power int) bool {
	var pair [2]map[string]float64
	for i, v := range c.Variants {
		cell := v.Cell(power)
		if cell.Error != "" {
			r.failures = append(r.failures, fmt.Sprintf("%s fails at %d MB: %s", v.Name, power, cell.Error))
			continue
		}
		r.Busy = r.Busy || cell.Busy()
		// Of both at the same speed: what is measured of it before each turn is noise here.
		cpu, billed := cell.CoreMS*c.Run.CPU.Factor, comparison.Median(cell.BilledMS)
		pair[i] = map[string]float64{"duration": billed, "cpu": cpu, "memory": float64(cell.MaxMemoryMB), "init": cell.InitMS,
			"cost": c.CostPerMillion(power, billed), "requests": float64(cell.Requests)}
		var a event.Answer
		if json.Unmarshal(cell.Response, &a) == nil && a.ObjectsRead > 0 {
			pair[i]["objects_read"], pair[i]["bytes_read"] = float64(a.ObjectsRead), float64(a.BytesRead)
			pair[i]["records_read"], pair[i]["failed"] = float64(a.RecordsRead), float64(a.Failed)
			pair[i]["cpu_per_read"], pair[i]["retries"] = cpu/float64(a.ObjectsRead), float64(1+a.Retries)
		}
	}
	if pair[0] == nil || pair[1] == nil {
		return false
	}
	r.pairs[power] = append(r.pairs[power], pair)
	return true
}

// judge draws every conclusion from the pairs that there are. Each is one of so
// many comparisons that share the error.
func (r *Result) judge(comparisons int) {
	r.Cells, r.Differences = []Cell{}, slices.Clone(r.failures)
	found := map[Verdict]bool{}
	for _, power := range r.Run.PowerValues {
		values := func(side int, name string) (all []float64) {
			for _, pair := range r.pairs[power] {
				all = append(all, pair[side][name])
			}
			return all
		}
		for _, what := range does {
			old, new := comparison.Median(values(0, what)), comparison.Median(values(1, what))
			if len(r.pairs[power]) > 0 && old != new {
				r.Differences = append(r.Differences, fmt.Sprintf("%s at %d MB: %.0f by old, %.0f by new", what, power, old, new))
			}
		}
		for _, figure := range Figures {
			old, new := values(0, figure), values(1, figure)
			if len(old) == 0 || slices.Contains(old, 0) || slices.Contains(new, 0) {
				continue
			}
			cell := judge(old, new, r.Tolerance, comparisons)
			if cell.Power, cell.Figure = power, figure; figure == "retries" {
				cell.Old, cell.New = cell.Old-1, cell.New-1
			}
			r.Cells = append(r.Cells, cell)
			found[cell.Verdict] = found[cell.Verdict] || slices.Contains(r.FailOn, figure)
		}
	}
	found[Differs] = len(r.Differences) > 0
	r.Verdict = Open // where nothing was measured
	for _, v := range []Verdict{Same, Faster, Open, Slower, Differs} {
		if found[v] {
			r.Verdict = v
		}
	}
}
