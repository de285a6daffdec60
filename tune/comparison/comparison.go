// Package comparison is the one model of a comparison: what is compared, what each cell measured, and which cell to
// use. A local run and a run on AWS fill it in; every view is drawn from it; its JSON is results.json.
package comparison

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/powertuning"
)

const (
	Schema = 1 // of the JSON; it changes when a field changes its meaning or goes, not for a new field

	Local = "local" // mode: measured on this machine, under the model of Lambda and S3
	AWS   = "aws"   // mode: measured on AWS, by the Power Tuning state machine

	MaxResponse = 16 << 10 // bytes of the longest response that a cell keeps
)

// Comparison is variants x memory sizes.
type Comparison struct {
	Schema         int             `json:"schema"`
	Mode           string          `json:"mode"` // Local or AWS
	Run            Run             `json:"run"`
	Variants       []Result        `json:"variants"`
	Recommendation *Recommendation `json:"recommendation"` // null when no cell qualifies
	Warnings       []Warning       `json:"warnings,omitempty"`

	// Of a computed run, whose cells are the map's points at the run's sizes, of a bounded strategy the best.
	Calibration *Calibration `json:"calibration,omitempty"`
	Map         *Map         `json:"map,omitempty"`
	Checks      []Check      `json:"checks,omitempty"`
}

// Run says how the figures were obtained, so that they can be obtained again.
type Run struct {
	Time     time.Time         `json:"time"`
	Versions map[string]string `json:"versions"`            // of Go, and of the modules that the figures depend on
	OS       string            `json:"os"`                  // linux/amd64
	CPUs     float64           `json:"cpus"`                // cores available to the tuner
	CPULimit string            `json:"cpu_limit,omitempty"` // why CPUs is less than the machine has
	CPU      *CPU              `json:"cpu,omitempty"`
	Spec
	Interrupted bool `json:"interrupted,omitempty"` // someone stopped the run, so cells are missing
}

// CPU is the speed of this machine relative to Lambda. Older results lack it: they counted a core as one vCPU.
type CPU struct {
	Factor float64 `json:"factor"`          // vCPUs (of 1,769 MB) per core: the median over turns
	Scale  float64 `json:"scale,omitempty"` // multiplier of each turn's measurement; 0: Factor is fixed
	Low    float64 `json:"low,omitempty"`   // 10th percentile over turns
	High   float64 `json:"high,omitempty"`  // 90th percentile
	Source string  `json:"source"`          // how Factor was obtained
}

// VCPUs returns how many vCPUs n cores of this machine were worth, slow motion included.
func (r Run) VCPUs(n float64) float64 {
	return n * cmp.Or(r.CPU, &CPU{Factor: 1}).Factor * float64(r.Slow.Times())
}

// Cores returns the cores available to the tuner, and why they are not more: "1.5 cores, a container's limit".
func (r Run) Cores() string {
	s := prose.Count(math.Round(100*r.CPUs)/100, "core", "cores")
	if r.CPULimit != "" {
		s += ", " + prose.OneLine(r.CPULimit, maxLabel)
	}
	return s
}

// Varied reports whether a core's speed changed in the run.
func (r Run) Varied() bool { return r.CPU != nil && r.CPU.High > max(1.1*r.CPU.Low, r.CPU.Low+0.1) }

// Core returns how many vCPUs a core was worth, slow motion included: "2.0", or "1.3 to 2.1" if that changed.
func (r Run) Core() string {
	one := r.VCPUs(1)
	if r.Varied() {
		return fmt.Sprintf("%.1f to %.1f", one*r.CPU.Low/r.CPU.Factor, one*r.CPU.High/r.CPU.Factor)
	}
	return fmt.Sprintf("%.1f", one)
}

// Result is a variant with its measurements.
type Result struct {
	Variant
	Execution string              `json:"execution,omitempty"` // on AWS: the execution's ARN
	Cells     []Cell              `json:"cells"`               // of the sizes that were begun, in ascending order
	Tuning    *powertuning.Output `json:"tuning"`              // null when no cell succeeded
	Error     string              `json:"error,omitempty"`     // of the whole variant
}

// Cell is one variant at one memory size. If it failed, only Power, MaxMemoryMB, Error and OutOfMemory count.
type Cell struct {
	Power       int             `json:"power"`                  // MB
	DurationsMS []float64       `json:"durations_ms,omitempty"` // in the order of measurement; local alone
	BilledMS    []int           `json:"billed_ms,omitempty"`    // one for each duration; local alone
	AverageMS   float64         `json:"average_ms,omitempty"`   // Power Tuning's trimmed mean
	AverageCost float64         `json:"average_cost,omitempty"` // dollars, at Power Tuning's prices
	WarmUp      *WarmUp         `json:"warm_up,omitempty"`      // the invocation that took the cold start
	InitMS      float64         `json:"init_ms,omitempty"`      // the cold start's INIT
	MaxMemoryMB int             `json:"max_memory_mb,omitempty"`
	Response    json.RawMessage `json:"response,omitempty"` // of the last invocation, unless longer than MaxResponse
	CPUShare    *CPUShare       `json:"cpu_share,omitempty"`
	Computed    *Point          `json:"computed,omitempty"`     // the map's point, in place of measurements
	Against     *Ratio          `json:"against_best,omitempty"` // to the fastest cell of its size; null for that one, and without pairs
	CoreMS      float64         `json:"-"`                      // mean CPU time of an invocation on a core of this machine; local alone
	Requests    int             `json:"-"`                      // that S3 answered in the last invocation, without SlowDown; local alone
	Error       string          `json:"error,omitempty"`
	OutOfMemory bool            `json:"out_of_memory,omitempty"` // why Error happened
}

// WarmUp is a cell's first invocation, in no statistic. It reads a single object only as often as reads run at once.
type WarmUp struct {
	DurationMS float64 `json:"duration_ms"`
	BilledMS   int     `json:"billed_ms"` // INIT included, as Lambda bills it
}

// CPUShare is the CPU use of a cell's invocations in vCPUs.
type CPUShare struct {
	Target  float64 `json:"target"`  // what the memory size buys
	Used    float64 `json:"used"`    // CPU time divided by duration: less than Target while the function waits
	Starved float64 `json:"starved"` // time its threads waited for a core, throttling excluded, divided by duration
}

// Recommendation is the cell to use, the rule that chose it, and the next one by that rule.
type Recommendation struct {
	Place
	Rule string `json:"rule"`
	Next *Next  `json:"next,omitempty"` // null if there is none to compare
}

// Place names a cell.
type Place struct {
	Strategy    string `json:"strategy"`
	Concurrency *int   `json:"concurrency"`
	Power       int    `json:"power"` // MB
}

// same reports whether p and q name one cell.
func (p Place) same(q Place) bool { return p.Power == q.Power && p.Label() == q.Label() }

// Label names a setting: "pool (30)", "sequential".
func (p Place) Label() string {
	return Variant{Strategy: p.Strategy, Concurrency: p.Concurrency}.Label()
}

// Bounded reports whether concurrency bounds the setting.
func (p Place) Bounded() bool {
	return Variant{Strategy: p.Strategy, Concurrency: p.Concurrency}.Bounded()
}

// Variant returns the variant by which this project's function makes so many reads of an object.
func (p Place) Variant(objectKey string, reads int) Variant {
	payload := event.Payload{Strategy: p.Strategy, Repeat: reads, ObjectKey: objectKey}
	if s, _ := strategies.ByName(p.Strategy); s.Bounded && p.Concurrency != nil {
		payload.Concurrency = *p.Concurrency
	}
	raw, _ := json.Marshal(payload) // strings and numbers always marshal
	return Variant{Strategy: p.Strategy, Concurrency: p.Concurrency, Payload: raw}
}

// Name names a cell: "pool (30) at 512 MB", or "512 MB" without a strategy.
func (p Place) Name() string {
	if p.Strategy == None {
		return prose.Thousands(p.Power, 0) + " MB"
	}
	return fmt.Sprintf("%s at %s MB", prose.OneLine(p.Label(), maxLabel), prose.Thousands(p.Power, 0))
}

// Next is the cell after the recommended one. Ratio is of their (compute + request cost) x duration.
type Next struct {
	Place
	Ratio
	Alike int `json:"alike"` // number of other cells that may be as good as the recommended one
}

// New returns the comparison that the spec describes, with nothing measured.
func New(spec Spec, now time.Time) *Comparison {
	c := &Comparison{Schema: Schema, Mode: Local, Run: Run{Time: now.UTC(), Spec: spec}}
	if spec.AWS() {
		c.Mode = AWS
	}
	c.Run.Variants = nil
	c.Add(spec.Variants...)
	return c
}

// Add adds variants without measurements.
func (c *Comparison) Add(variants ...Variant) {
	for _, v := range variants {
		c.Run.Variants = append(c.Run.Variants, v)
		c.Variants = append(c.Variants, Result{Variant: v, Cells: []Cell{}})
	}
}

// Cell returns the variant's cell at power, or nil if it was not begun.
func (r Result) Cell(power int) *Cell {
	if i := slices.IndexFunc(r.Cells, func(c Cell) bool { return c.Power == power }); i >= 0 {
		return &r.Cells[i]
	}
	return nil
}

// Begun reports whether the variant has a cell or an error to show.
func (r Result) Begun() bool { return len(r.Cells) > 0 || r.Error != "" }

// Failed reports whether the variant or one of its cells has failed.
func (r Result) Failed() bool {
	return r.Error != "" || slices.ContainsFunc(r.Cells, func(c Cell) bool { return c.Error != "" })
}

// Ended reports whether a variant on AWS needs nothing more.
func (r Result) Ended() bool { return r.Tuning != nil || r.Error != "" }

// Unfinished reports whether a comparison on AWS can be resumed: overwriting it would lose paid results.
func (c *Comparison) Unfinished() bool {
	open := slices.ContainsFunc(c.Variants, func(r Result) bool { return !r.Ended() })
	if len(c.Checks) > 0 { // then no variants are measured
		open = slices.ContainsFunc(c.Checks, func(k Check) bool { return k.MeasuredMS == 0 && k.Unchecked == "" })
	}
	return c.Mode == AWS && open
}

// Underway reports whether the comparison is unfinished and an execution was started.
func (c *Comparison) Underway() bool {
	return c.Unfinished() && (slices.ContainsFunc(c.Variants, func(r Result) bool { return r.Execution != "" }) ||
		slices.ContainsFunc(c.Checks, func(k Check) bool { return k.Execution != "" }))
}

// Measured returns how many cells were begun, and how many there are.
func (c *Comparison) Measured() (begun, all int) {
	for _, r := range c.Variants {
		begun += len(r.Cells)
	}
	return begun, len(c.Variants) * len(c.Run.PowerValues)
}

// Tuner measures the cells of c, here all of them, on AWS those that it lacks, and calls observe after every change. The
// error of a cell or a variant goes into c. It returns an error of the whole comparison, or the cause of ctx, with the
// results so far in c.
type Tuner func(ctx context.Context, c *Comparison, observe func(Progress) error) error

// Progress is what a tuner reports while it works.
type Progress struct {
	Step        string // what it does: Building, "calibrating"
	Done, Total int    // of the step: cells, or variants if the tuner runs whole variants
	Now         string // what runs now, "pool (30) at 512 MB"; empty at the end
	Finished    string // a line on what has just finished, or why the next waits; empty otherwise
	Changed     bool   // the comparison has something new to save
}

// Building is the step in which a function is built, before anything is measured.
const Building = "building"
