// Package builds decides whether one build of a function is slower than another. It measures both in pairs of
// environments with the same latencies, until every figure is decided or the time is up.
package builds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
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

// Verdict is what is known of a figure, or of the builds as a whole.
type Verdict string

const (
	Same    Verdict = "same"    // the interval lies within the tolerance
	Slower  Verdict = "slower"  // or larger, or dearer: the interval lies above 1, and the estimate beyond the tolerance
	Faster  Verdict = "faster"  // likewise, below 1
	Open    Verdict = "open"    // none of these
	Differs Verdict = "differs" // of the whole: the builds do different things, so comparing times is pointless
)

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

	pairs    map[int][][2]map[string]float64 // by size: old's and new's figures, those in Figures and does; 0 is unknown
	answers  map[int][][2]string             // by size: the last ones of functions that are not this project's
	failures []string
}

// Cell is a figure at a memory size. Old and New are medians: ms, for cpu ms of a vCPU, MB, or dollars per million
// invocations.
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

// New returns a result with nothing measured. tolerance is in percent, above 0 to 100. The error names a flag.
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

// Request returns the request of the one variant by which the builds are compared: the payload or, if it is empty,
// this project's default by pool. Missing fields are added to the payload only if both functions are this project's.
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

// Measure compares the functions Old and New by the one variant of how. Time counts from when they are built. If ctx
// ends, Measure judges what it has and returns the cause.
func (r *Result) Measure(ctx context.Context, how comparison.Run, tune comparison.Tuner, observe func(comparison.Progress) error) error {
	r.Run, r.answers = how, map[int][][2]string{}
	r.pairs = map[int][][2]map[string]float64{}
	old, new := how.Variants[0], how.Variants[0]
	old.Name, old.Function, new.Name, new.Function = "old", r.Old, "new", r.New
	sizes := slices.Clone(how.PowerValues)
	const invocations = 3             // per environment; their median is its figure
	begin := sync.OnceValue(time.Now) // at the first turn
	for n := 1; ; n++ {
		c := &comparison.Comparison{Run: r.Run}
		c.Run.Variants, c.Run.PowerValues, c.Run.Num, c.Run.ForSec, c.Run.Seed = nil, sizes, invocations, 0, how.Seed+uint64(n-1)
		c.Add(old, new)
		err := tune(ctx, c, func(p comparison.Progress) error {
			if p.Step == comparison.Building {
				return observe(p)
			}
			begin()
			return observe(comparison.Progress{Step: "comparing", Now: fmt.Sprintf("pair %d of at most %d, %s", n, how.Num, p.Now)})
		})
		if err == nil {
			r.Run.CPU, r.Run.Versions, r.Seconds = c.Run.CPU, c.Run.Versions, time.Since(begin()).Seconds()
			r.add(c)
		}
		r.judge()
		sizes = slices.DeleteFunc(sizes, func(power int) bool {
			open := func(c Cell) bool { return c.Power == power && c.Verdict == Open }
			return len(r.pairs[power]) < n || slices.Contains(how.Looks(), n) && !slices.ContainsFunc(r.Cells, open)
		})
		late := how.ForSec > 0 && r.Seconds*float64(n+1)/float64(n) > how.ForSec
		if err != nil || len(sizes) == 0 || n >= how.Num || late {
			return err
		}
	}
}

// add adds a pair of environments for each size at which both succeeded.
func (r *Result) add(c *comparison.Comparison) {
	for _, power := range c.Run.PowerValues {
		var pair [2]map[string]float64
		var answers [2]string
		for i, v := range c.Variants {
			cell := v.Cell(power)
			if cell.Error != "" {
				r.failures = append(r.failures, at(v.Name+" fails", power)+": "+cell.Error)
				continue
			}
			r.Busy = r.Busy || cell.Busy()
			// Both are taken at one speed: measured before each turn, it is noise here.
			cpu, billed := cell.CoreMS*c.Run.CPU.Factor, comparison.Median(cell.BilledMS)
			pair[i] = map[string]float64{"duration": billed, "cpu": cpu, "memory": float64(cell.MaxMemoryMB), "init": cell.InitMS,
				"cost": c.CostPerMillion(power, billed), "requests": float64(cell.Requests)}
			var a event.Answer
			if json.Unmarshal(cell.Response, &a) != nil || a.ObjectsRead <= 0 {
				answers[i] = string(cell.Response)
				continue
			}
			maps.Copy(pair[i], map[string]float64{"objects_read": float64(a.ObjectsRead), "bytes_read": float64(a.BytesRead),
				"records_read": float64(a.RecordsRead), "failed": float64(a.Failed),
				"cpu_per_read": cpu / float64(a.ObjectsRead), "retries": float64(1 + a.Retries)})
		}
		if pair[0] != nil && pair[1] != nil {
			r.pairs[power], r.answers[power] = append(r.pairs[power], pair), append(r.answers[power], answers)
		}
	}
}

// judge draws every conclusion from the pairs so far. All comparisons share the error.
func (r *Result) judge() {
	r.Cells, r.Differences = []Cell{}, slices.Clone(r.failures)
	comparisons := len(r.Run.Looks()) * len(r.Run.PowerValues) * len(r.FailOn)
	for _, power := range r.Run.PowerValues {
		pairs := r.pairs[power]
		values := func(name string) (old, new []float64) {
			for _, p := range pairs {
				old, new = append(old, p[0][name]), append(new, p[1][name])
			}
			return old, new
		}
		for _, what := range does {
			old, new := values(what)
			if a, b := comparison.Median(old), comparison.Median(new); len(pairs) > 0 && a != b {
				r.Differences = append(r.Differences, fmt.Sprintf("%s: %.0f by old, %.0f by new", at(what, power), a, b))
			}
		}
		// Answers that change from environment to environment, such as those with a time, tell nothing.
		if one := slices.Compact(slices.Clone(r.answers[power])); len(one) == 1 && len(pairs) > 1 {
			if old, new := one[0][0], one[0][1]; old != "" && new != "" && old != new {
				old, new = prose.OneLine(old, 80), prose.OneLine(new, 80)
				r.Differences = append(r.Differences, fmt.Sprintf("%s: %s by old, %s by new", at("the answer", power), old, new))
			}
		}
		for _, figure := range Figures {
			old, new := values(figure)
			if len(old) == 0 || slices.Contains(old, 0) || slices.Contains(new, 0) {
				continue
			}
			cell := judge(old, new, r.Tolerance, comparisons)
			if cell.Power, cell.Figure = power, figure; figure == "retries" { // add has added 1
				cell.Old, cell.New = cell.Old-1, cell.New-1
			}
			r.Cells = append(r.Cells, cell)
		}
	}
	for _, v := range []Verdict{Same, Faster, Open, Slower} {
		if r.Of(v, true) != "" {
			r.Verdict = v
		}
	}
	if len(r.Differences) > 0 {
		r.Verdict = Differs
	}
}

// judge compares a figure of a new build with that of an old one, pair by pair.
func judge(old, new []float64, tolerance float64, comparisons int) Cell {
	r := comparison.Compare(new, old, comparisons)
	if r.Verdict == comparison.Out { // its interval is not one of 95 %
		r.Low, r.High = 0, 0
	}
	c := Cell{Old: comparison.Median(old), New: comparison.Median(new), Ratio: r.Value, Low: r.Low, High: r.High, Pairs: r.Pairs, Verdict: Open}
	switch most := 1 + tolerance; {
	case r.Low == 0: // n pairs that agree have a probability of 2^-n on each side
		c.Needs = int(math.Ceil(math.Log2(2 * float64(comparisons) / comparison.Alpha)))
	case r.Low >= 1/most && r.High <= most:
		c.Verdict = Same
	case r.Low > 1 && r.Value > most:
		c.Verdict = Slower
	case r.High < 1 && r.Value < 1/most:
		c.Verdict = Faster
	default: // the interval narrows with the square root of the number of pairs
		room, zone := math.Abs(math.Log(r.Value)), math.Log(most) // from the estimate to 1, or to the tolerance
		if room < zone {
			room = zone - room
		}
		if times := math.Pow(math.Log(r.High/r.Low)/2/room, 2); times < 20 {
			c.Needs = int(math.Ceil(max(1.1, times) * float64(len(old))))
		}
	}
	return c
}

// fails reports whether a figure makes the build fail if it is slower.
func (r *Result) fails(figure string) bool { return slices.Contains(r.FailOn, figure) }

// at names something at a memory size: "duration at 1,769 MB".
func at(what string, power int) string {
	return fmt.Sprintf("%s at %s MB", what, prose.Thousands(power, 0))
}

// list names the cells that match.
func (r *Result) list(match func(Cell) bool) (names []string) {
	for _, c := range r.Cells {
		if match(c) {
			names = append(names, at(c.Figure, c.Power))
		}
	}
	return names
}

// Of lists the cells with a verdict, of the figures in FailOn or of the others. One in FailOn without a cell is open.
func (r *Result) Of(v Verdict, failOn bool) string {
	names := r.list(func(c Cell) bool { return c.Verdict == v && r.fails(c.Figure) == failOn })
	for _, figure := range r.FailOn {
		cells := r.list(func(c Cell) bool { return c.Figure == figure })
		if v == Open && failOn && len(cells) < len(r.Run.PowerValues) {
			names = append(names, figure+" (not measured)")
		}
	}
	return prose.List(names)
}

// More returns the flags that would decide the open figures, or "" if none would: those in FailOn, else the others.
func (r *Result) More() string {
	failOn, pairs, times := r.Of(Open, true) != "", 0, 1.0
	for _, c := range r.Cells {
		if c.Verdict == Open && c.Needs > 0 && r.fails(c.Figure) == failOn {
			pairs, times = max(pairs, c.Needs), max(times, float64(c.Needs)/float64(len(c.Pairs)))
		}
	}
	if pairs == 0 {
		return ""
	}
	return fmt.Sprintf("--for %.0fm --max %d", math.Ceil(times*r.Seconds/time.Minute.Seconds()+0.2), max(pairs, r.Run.Num))
}

// Undecidable lists the open figures in FailOn that no run of a length worth it would decide.
func (r *Result) Undecidable() string {
	return prose.List(r.list(func(c Cell) bool { return c.Verdict == Open && c.Needs == 0 && r.fails(c.Figure) }))
}
