// Package builds decides whether one build of a function is slower than another. It measures both in pairs of
// environments with the same latencies, until every figure is decided or the time is up.
package builds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"lambda-parallel-io/handler/build"
	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
)

// Figures are compared at each memory size. Only this project's function has the last two.
var Figures = []string{"duration", "cpu", "memory", "init", "cost", "cpu_per_read", "retries"}

// does must be the same for both builds: S3's answered requests, and fields of this project's answer.
var does = []string{"requests", "objects_read", "bytes_read", "records_read", "failed"}

// Result compares two builds.
type Result struct {
	Verdict     Verdict        `json:"verdict"` // of the figures in FailOn: slower if one is, else open, else faster, else same
	Old         string         `json:"old"`     // a package, an executable, or REVISION:PACKAGE
	New         string         `json:"new"`
	FailOn      []string       `json:"fail_on"`
	Tolerance   float64        `json:"tolerance"`             // a share: 0.1 is 10 %
	Differences []string       `json:"differences,omitempty"` // in what they do, and failures
	Cells       []Cell         `json:"cells"`                 // by size, then by figure
	Busy        bool           `json:"busy,omitempty"`        // this machine could not keep up
	Seconds     float64        `json:"seconds"`               // of measuring
	Run         comparison.Run `json:"run"`                   // how it was measured: at most Num pairs in ForSec seconds

	pairs    map[int][]pair // by size
	answers  map[int]*answers
	failures []string
}

// pair holds the figures of the old and the new build, and what they did, by the names in Figures and does; 0 is unknown.
type pair [2]map[string]float64

// Cell is a figure at a memory size. Old and New are medians: ms, for cpu ms of a vCPU, MB, or dollars per
// million invocations.
type Cell struct {
	Power   int       `json:"power"` // MB
	Figure  string    `json:"figure"`
	Old     float64   `json:"old"`
	New     float64   `json:"new"`
	Ratio   float64   `json:"ratio"` // of new to old, by pairs; for retries one is added to each, as most builds have none
	Low     float64   `json:"low"`   // of the interval, 0 where the pairs are too few for one
	High    float64   `json:"high"`
	Verdict Verdict   `json:"verdict"`
	Pairs   []float64 `json:"pairs"`           // the single ratios
	Needs   int       `json:"needs,omitempty"` // about how many pairs decide an open figure; 0 if none do
}

// New returns the result of two builds with nothing measured. tolerance is in percent, above 0 to 100. The error names a flag.
func New(old, new string, failOn []string, tolerance float64) (*Result, error) {
	unknown := func(figure string) bool { return !slices.Contains(Figures, figure) }
	switch {
	case old == "" || new == "":
		return nil, errors.New("OLD and NEW must not be empty: each is a Go package, an executable or REVISION:PACKAGE")
	case !(tolerance > 0 && tolerance <= 100):
		return nil, fmt.Errorf("--tolerance %g: it must be above 0 and at most 100", tolerance)
	case len(failOn) == 0 || slices.ContainsFunc(failOn, unknown):
		return nil, fmt.Errorf("--fail-on %s: it must be of %s", strings.Join(failOn, ","), prose.List(Figures))
	}
	return &Result{Old: old, New: new, FailOn: failOn, Tolerance: tolerance / 100}, nil
}

// Request returns the request of the one variant by which the builds are compared: the payload or, if it is empty, this
// project's default by pool. Missing fields are added to the payload only if both functions are this project's.
func (r *Result) Request(payload string) comparison.Request {
	q := comparison.Request{Strategies: []string{"pool"}, Payload: json.RawMessage(payload), Ours: true}
	if q.Spec.Function = "./handler"; payload != "" {
		q.Strategies = []string{comparison.None}
		for _, function := range []string{r.Old, r.New} {
			q.Ours = q.Ours && build.Ours(function[strings.Index(function, ":")+1:])
		}
	}
	return q
}

// Measure compares the functions Old and New by the one variant of how. Time counts from when they are
// built. If ctx ends, Measure judges what it has and returns the cause.
func (r *Result) Measure(ctx context.Context, how comparison.Run, tune comparison.Tuner, observe func(comparison.Progress) error) error {
	r.Run, r.pairs, r.answers = how, map[int][]pair{}, map[int]*answers{}
	for _, power := range how.PowerValues {
		r.answers[power] = &answers{}
	}
	old, new := how.Variants[0], how.Variants[0]
	old.Name, old.Function, new.Name, new.Function = "old", r.Old, "new", r.New
	sizes, looks := slices.Clone(how.PowerValues), how.Looks()
	const invocations = 3 // per environment; their median is its figure
	var begin time.Time
	for n := 1; ; n++ {
		c := &comparison.Comparison{Run: r.Run}
		c.Run.Variants, c.Run.PowerValues, c.Run.Num, c.Run.ForSec, c.Run.Seed = nil, sizes, invocations, 0, how.Seed+uint64(n-1)
		c.Add(old, new)
		err := tune(ctx, c, func(p comparison.Progress) error {
			if p.Step == comparison.Building {
				return observe(p)
			}
			if begin.IsZero() {
				begin = time.Now()
			}
			return observe(comparison.Progress{Step: "comparing", Now: fmt.Sprintf("pair %d of at most %d, %s", n, how.Num, p.Now)})
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

// add adds a pair of environments, and reports whether both succeeded.
func (r *Result) add(c *comparison.Comparison, power int) bool {
	var p pair
	for i, v := range c.Variants {
		cell := v.Cell(power)
		if cell.Error != "" {
			r.failures = append(r.failures, fmt.Sprintf("%s fails at %s MB: %s", v.Name, prose.Thousands(power, 0), cell.Error))
			continue
		}
		r.Busy = r.Busy || cell.Busy()
		// Both are taken at one speed: measured before each turn, it is noise here.
		cpu, billed := cell.CoreMS*c.Run.CPU.Factor, comparison.Median(cell.BilledMS)
		p[i] = map[string]float64{"duration": billed, "cpu": cpu, "memory": float64(cell.MaxMemoryMB), "init": cell.InitMS,
			"cost": c.CostPerMillion(power, billed), "requests": float64(cell.Requests)}
		var a event.Answer
		if json.Unmarshal(cell.Response, &a) == nil && a.ObjectsRead > 0 {
			p[i]["objects_read"], p[i]["bytes_read"] = float64(a.ObjectsRead), float64(a.BytesRead)
			p[i]["records_read"], p[i]["failed"] = float64(a.RecordsRead), float64(a.Failed)
			p[i]["cpu_per_read"], p[i]["retries"] = cpu/float64(a.ObjectsRead), float64(1+a.Retries)
		}
	}
	if p[0] == nil || p[1] == nil {
		return false
	}
	r.pairs[power] = append(r.pairs[power], p)
	for i, v := range c.Variants {
		if _, ours := p[i]["objects_read"]; !ours { // of ours the counts are compared
			r.answers[power][i] = append(r.answers[power][i], string(v.Cell(power).Response))
		}
	}
	return true
}

// judge draws every conclusion from the pairs so far. All comparisons share the error.
func (r *Result) judge(comparisons int) {
	r.Cells, r.Differences, r.Verdict = []Cell{}, slices.Clone(r.failures), Open // if nothing was measured
	found := map[Verdict]bool{}
	for _, power := range r.Run.PowerValues {
		values := func(side int, name string) (all []float64) {
			for _, p := range r.pairs[power] {
				all = append(all, p[side][name])
			}
			return all
		}
		for _, what := range does {
			old, new := comparison.Median(values(0, what)), comparison.Median(values(1, what))
			if len(r.pairs[power]) > 0 && old != new {
				r.Differences = append(r.Differences, fmt.Sprintf("%s at %s MB: %.0f by old, %.0f by new", what, prose.Thousands(power, 0), old, new))
			}
		}
		if d := r.answers[power].differ(); d != "" {
			r.Differences = append(r.Differences, fmt.Sprintf("the answer at %s MB: %s", prose.Thousands(power, 0), d))
		}
		for _, figure := range Figures {
			old, new := values(0, figure), values(1, figure)
			if len(old) == 0 || slices.Contains(old, 0) || slices.Contains(new, 0) {
				found[Open] = found[Open] || slices.Contains(r.FailOn, figure) // it was to be compared
				continue
			}
			cell := judge(old, new, r.Tolerance, comparisons)
			if cell.Power, cell.Figure = power, figure; figure == "retries" { // add has added 1
				cell.Old, cell.New = cell.Old-1, cell.New-1
			}
			r.Cells = append(r.Cells, cell)
			found[cell.Verdict] = found[cell.Verdict] || slices.Contains(r.FailOn, figure)
		}
	}
	found[Differs] = len(r.Differences) > 0
	for _, v := range []Verdict{Same, Faster, Open, Slower, Differs} {
		if found[v] {
			r.Verdict = v
		}
	}
}
