// Package comparison is the one model of a comparison: what was run, what each
// cell measured, and which cell to use. A local run and a run on AWS fill it
// in; every view is drawn from it; its JSON is results.json.
package comparison

import (
	"encoding/json"
	"fmt"
	"time"

	"lambda-parallel-io/tune/powertuning"
)

// Schema is the version of the JSON. It changes when a field changes meaning
// or goes; a new field leaves it.
const Schema = 1

// The modes of a comparison.
const (
	Local = "local" // measured on this machine, under the model of Lambda and S3
	AWS   = "aws"   // measured on AWS, by the Power Tuning state machine
)

// Comparison is variants x memory sizes.
type Comparison struct {
	Schema         int             `json:"schema"`
	Mode           string          `json:"mode"`
	Run            Run             `json:"run"`
	Variants       []Variant       `json:"variants"`
	Recommendation *Recommendation `json:"recommendation"` // null when no cell qualifies
	Predictions    []Prediction    `json:"predictions,omitempty"`
}

// Run says how the figures were obtained, so that they can be obtained again.
type Run struct {
	Time        time.Time         `json:"time"`
	Versions    map[string]string `json:"versions"` // go, and the modules that the figures depend on
	OS          string            `json:"os"`       // linux/amd64
	CPUs        int               `json:"cpus"`     // that the tuner may use
	Arch        string            `json:"arch"`     // arm64 or x86_64: it picks prices
	Region      string            `json:"region"`
	PowerValues []int             `json:"power_values"` // MB, in ascending order
	Num         int               `json:"num"`          // invocations a cell, the warm-up apart
	Repeat      int               `json:"repeat"`       // GETs an invocation; 0 where the function is not ours
	ObjectKey   string            `json:"object_key,omitempty"`
	ObjectBytes int               `json:"object_bytes,omitempty"`
	Records     int               `json:"records,omitempty"` // elements of the object's top-level array
	Function    string            `json:"function"`          // a package, an executable or an ARN
	TimeoutSec  float64           `json:"timeout_sec,omitempty"`

	// What Power Tuning was told, or would have been.
	TuningStrategy     string  `json:"tuning_strategy"` // cost, speed or balanced
	BalancedWeight     float64 `json:"balanced_weight"`
	DiscardTopBottom   float64 `json:"discard_top_bottom"`
	SleepBetweenRunsMS int     `json:"sleep_between_runs_ms,omitempty"`

	// Of a local run alone.
	Seed          uint64  `json:"seed,omitempty"`
	Latency       string  `json:"latency,omitempty"`         // the profile of S3's latency, or a duration
	LatencyMeanMS float64 `json:"latency_mean_ms,omitempty"` // of the profile

	// Of a run on AWS alone.
	StateMachine       string `json:"state_machine,omitempty"`       // ARN
	ParallelInvocation bool   `json:"parallel_invocation,omitempty"` // all invocations of a size at once

	// The execution input that was given, for the fields that are not above.
	TuningInput *powertuning.Input `json:"tuning_input,omitempty"`

	Interrupted bool `json:"interrupted,omitempty"` // cells are missing because someone stopped it
}

// Variant is one way to call the function: a strategy and its concurrency.
type Variant struct {
	Strategy    string              `json:"strategy"`    // "none": the payload was sent as it is
	Concurrency *int                `json:"concurrency"` // 1 for sequential; null for unbounded, and for none
	Payload     json.RawMessage     `json:"payload"`
	Execution   string              `json:"execution,omitempty"` // on AWS: the execution's ARN
	Cells       []Cell              `json:"cells"`               // one a power value that was begun, in ascending order
	Tuning      *powertuning.Output `json:"tuning"`              // null when no cell succeeded
	Error       string              `json:"error,omitempty"`     // of the variant as a whole
}

// Cell is one variant at one memory size. Of a cell that failed only Power,
// Capped, MaxMemoryMB and Error have a meaning.
type Cell struct {
	Power       int             `json:"power"`                  // MB
	DurationsMS []float64       `json:"durations_ms,omitempty"` // in the order they were measured; local alone
	BilledMS    []int           `json:"billed_ms,omitempty"`    // one a duration; local alone
	AverageMS   float64         `json:"average_ms,omitempty"`   // Power Tuning's trimmed mean
	AverageCost float64         `json:"average_cost,omitempty"` // dollars, at Power Tuning's prices
	WarmUp      *WarmUp         `json:"warm_up,omitempty"`      // the invocation that took the cold start
	InitMS      float64         `json:"init_ms,omitempty"`      // the cold start's INIT
	MaxMemoryMB int             `json:"max_memory_mb,omitempty"`
	Response    json.RawMessage `json:"response,omitempty"` // the last invocation's
	CPUShare    *CPUShare       `json:"cpu_share,omitempty"`
	Capped      bool            `json:"capped"` // Lambda gives this size more CPUs than the tuner had
	Error       string          `json:"error,omitempty"`
}

// WarmUp is the first invocation of a cell, which no statistic includes.
type WarmUp struct {
	DurationMS float64 `json:"duration_ms"`
	BilledMS   int     `json:"billed_ms"` // INIT included, as Lambda bills it
}

// CPUShare is the processor time of a cell's invocations in processors: 1 is
// one vCPU in full.
type CPUShare struct {
	Target  float64 `json:"target"`  // what the memory size buys
	Used    float64 `json:"used"`    // CPU time over duration: less than the target when the function waits
	Starved float64 `json:"starved"` // time runnable, not stopped and without a processor, summed over threads, over duration
}

// Recommendation names the cell to use, and by which rule.
type Recommendation struct {
	Strategy    string `json:"strategy"`
	Concurrency *int   `json:"concurrency"`
	Power       int    `json:"power"`
	Rule        string `json:"rule"`
}

// Label is how people are told of a variant: "pool (30)", "sequential".
func (v Variant) Label() string { return label(v.Strategy, v.Concurrency) }

// Label is how people are told of the recommended variant.
func (r Recommendation) Label() string { return label(r.Strategy, r.Concurrency) }

func label(strategy string, concurrency *int) string {
	if concurrency == nil || *concurrency == 1 && strategy == "sequential" {
		return strategy
	}
	return fmt.Sprintf("%s (%d)", strategy, *concurrency)
}

// Cell returns the variant's cell at power, or nil where it was not begun.
func (v *Variant) Cell(power int) *Cell {
	for i := range v.Cells {
		if v.Cells[i].Power == power {
			return &v.Cells[i]
		}
	}
	return nil
}

// Progress is what a tuner tells while it works.
type Progress struct {
	Done, Total int    // cells, or variants where the tuner runs these whole
	Now         string // what runs now, "pool (30) at 512 MB"; empty at the end
	Finished    string // what has just finished, and how, in a line; empty otherwise
	Changed     bool   // the comparison holds something new, worth saving
}
