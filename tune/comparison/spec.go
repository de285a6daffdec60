package comparison

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/slowmotion"
)

// None is the strategy of a variant whose payload is sent as it was given.
const None = "none"

// The limits of a comparison: more than anyone would wait for, and low enough to draw each view in seconds.
const (
	MaxNum         = 10_000 // invocations a cell
	maxSizes       = 64
	maxVariants    = 256
	maxCells       = 4_096
	maxInvocations = 1_000_000
	maxConcurrency = 1 << 20 // another function may have its own limit
	maxForSec      = 7 * 86_400
	MaxSlow        = 20
	maxPayloads    = 32 << 20 // bytes, of all variants together
	maxText        = 16 << 10 // bytes of a name or a message
)

// Spec says what is compared: variants x memory sizes. [Build] makes it from flags and an execution input.
// [Spec.Validate] checks it before anything runs or is paid for. It never changes after that.
type Spec struct {
	Variants []Variant `json:"-"` // results.json has each with its figures

	Arch        string  `json:"arch"` // arm64 or x86_64
	Region      string  `json:"region"`
	PowerValues []int   `json:"power_values"`      // MB, in ascending order
	Num         int     `json:"num"`               // invocations of a cell, warm-up excluded: the most if ForSec is set
	ForSec      float64 `json:"for_sec,omitempty"` // seconds in which open comparisons are measured again; 0: each cell Num times
	Repeat      int     `json:"repeat"`            // GETs of an invocation; 0 if the function is not ours
	ObjectKey   string  `json:"object_key,omitempty"`
	ObjectBytes int     `json:"object_bytes,omitempty"`
	Records     int     `json:"records,omitempty"` // elements of the object's top-level array
	Function    string  `json:"function"`          // a package, an executable or an ARN
	TimeoutSec  float64 `json:"timeout_sec,omitempty"`

	Objects *Objects `json:"objects,omitempty"` // that an invocation reads, each once; null: ObjectKey, Repeat times

	// Options of Power Tuning.
	TuningStrategy     string  `json:"tuning_strategy"` // cost, speed or balanced
	BalancedWeight     float64 `json:"balanced_weight"`
	DiscardTopBottom   float64 `json:"discard_top_bottom"`
	SleepBetweenRunsMS int     `json:"sleep_between_runs_ms,omitempty"`

	// For a local run only.
	Seed          uint64            `json:"seed,omitempty"`
	Latency       string            `json:"latency,omitempty"`         // the profile of S3's latency, or a duration
	LatencyMeanMS float64           `json:"latency_mean_ms,omitempty"` // of the profile
	Slow          slowmotion.Factor `json:"slow,omitempty"`            // multiplies modelled delays, divides reported figures

	// For a run on AWS only.
	StateMachine       string `json:"state_machine,omitempty"`       // ARN
	ParallelInvocation bool   `json:"parallel_invocation,omitempty"` // all invocations of a size at once

	TuningInput *powertuning.Input `json:"tuning_input,omitempty"` // as given, for the fields that are not above
}

// Objects describes the Repeat objects that an invocation reads. On AWS Repeat is the most, and their number unknown.
type Objects struct {
	Prefix *string `json:"prefix"`          // of their keys; null: the payload lists the keys
	Bytes  int     `json:"bytes,omitempty"` // of all objects together; 0 if not known
}

// Lists returns the least number of LIST requests of an invocation: one for each 1,000 keys.
func (s Spec) Lists() int {
	if s.Objects == nil || s.Objects.Prefix == nil {
		return 0
	}
	return (s.Repeat + platform.KeysPerPage - 1) / platform.KeysPerPage
}

// Variant is one way to call the function.
type Variant struct {
	Strategy    string          `json:"strategy"`    // or None
	Concurrency *int            `json:"concurrency"` // 1 for sequential; null if unbounded, and for None
	Payload     json.RawMessage `json:"payload"`
	Name        string          `json:"-"` // in a comparison of builds: in place of the strategy's
	Function    string          `json:"-"` // likewise: in place of the Spec's
}

// AWS reports whether the comparison runs on AWS.
func (s Spec) AWS() bool { return s.StateMachine != "" }

// Timeout is the longest time of an invocation.
func (s Spec) Timeout() time.Duration { return time.Duration(s.TimeoutSec * float64(time.Second)) }

// FieldError says which field of a Spec is wrong, its value and what is allowed. The flag for a field has its name.
type FieldError struct{ Field, Problem string }

func (e *FieldError) Error() string { return e.Field + " " + e.Problem }

// Validate returns the first thing that is wrong with the spec, nearly always as a [*FieldError]. What it accepts can
// be run, drawn, read again and resumed.
func (s Spec) Validate() error { return plausible("", reflect.ValueOf(s)) }

func (s Spec) check() (err error) {
	num, least := "num", 1
	if s.AWS() {
		least = powertuning.MinNum
	}
	if s.ForSec > 0 {
		num = "max"
	}
	for i, mb := range s.PowerValues {
		err = cmp.Or(err, within("power", mb, platform.MinMemory, platform.MaxMemory), unless(i == 0 || mb > s.PowerValues[i-1],
			"power", "%d: it must be in ascending order, each size once", s.PowerValues))
	}
	sizes, variants := len(s.PowerValues), len(s.Variants)
	invocations := s.Num * sizes * variants
	prefix := cmp.Or(cmp.Or(s.Objects, &Objects{}).Prefix, new(string))
	err = cmp.Or(err,
		unless(sizes >= 1 && sizes <= maxSizes, "power", "has %d sizes: there must be 1 to %d", sizes, maxSizes),
		within(num, s.Num, least, MaxNum),
		within("for_sec", s.ForSec, 0, maxForSec),
		within("repeat", s.Repeat, 0, event.MaxRepeat),
		unless(s.TimeoutSec >= 1 && s.TimeoutSec <= platform.MaxTimeout.Seconds(),
			"timeout", "%gs: it must be from 1s to %gs", s.TimeoutSec, platform.MaxTimeout.Seconds()),
		unless(s.Arch == platform.ARM64 || s.Arch == platform.X8664,
			"arch", "%.40q: it must be %s or %s", s.Arch, platform.ARM64, platform.X8664),
		within("length of the prefix", len(*prefix), 0, platform.MaxKeyBytes),
		within("slow", int(s.Slow), 0, MaxSlow),
		within("sleepBetweenRunsMs", s.SleepBetweenRunsMS, 0, maxMS),
		within("balancedWeight", s.BalancedWeight, 0, 1),
		within("discardTopBottom", s.DiscardTopBottom, 0, powertuning.MaxDiscardTopBottom))
	if err == nil && (variants > maxVariants || variants*sizes > maxCells) {
		err = fmt.Errorf("%d variants x %d sizes: there can be %d variants and %d cells", variants, sizes, maxVariants, maxCells)
	}
	return cmp.Or(err, s.checkVariants(), unless(invocations <= maxInvocations, num,
		"%d: with %d sizes and %d variants these are %d invocations, and there can be %d", s.Num, sizes, variants, invocations, maxInvocations))
}

func (s Spec) checkVariants() (err error) {
	most, where := platform.MaxRequest, "Lambda"
	if s.AWS() {
		most, where = platform.MaxStateBytes, "Step Functions"
	}
	all, seen := 0, map[string]bool{}
	for _, v := range s.Variants {
		label, name, size, n := v.Label(), len(v.Strategy), len(v.Payload), *cmp.Or(v.Concurrency, new(1))
		err = cmp.Or(err,
			unless(name >= 1 && name <= maxText, "strategies", "has a name of %d bytes: it must be 1 to %d long", name, maxText),
			unless(n >= 1 && n <= maxConcurrency, "concurrency", "%d: it must be a whole number from 1 to %d", n, event.MaxConcurrency),
			unless(size <= most, "payload", "of %s has %d bytes: %s takes %d at most", label, size, where, most),
			unless(size == 0 || json.Valid(v.Payload), "payload", "%.60q: it must be JSON", v.Payload),
			unless(!seen[label], "strategies", "%s stands twice", label))
		seen[label] = true
		all += size
	}
	return cmp.Or(err, unless(all <= maxPayloads, "payload",
		"has %d bytes over all variants: there can be %d, so compare fewer variants at once", all, maxPayloads))
}

// InFlight returns how many reads an invocation of v makes at once; 1 if that is not known.
func (s Spec) InFlight(v Variant) int {
	p, err := event.Decode(v.Payload, event.DefaultConcurrency)
	strategy, _ := strategies.ByName(p.Strategy)
	switch {
	case err != nil || strategy.Sequential:
		return 1
	case strategy.Bounded:
		return p.Concurrency
	}
	return min(s.Repeat, event.MaxConcurrency)
}

// WarmUp returns the payload of a call that opens the connections of v, and its reads: of a single object as many as
// run at once; 0 if not known.
func (s Spec) WarmUp(v Variant) (payload json.RawMessage, reads int) {
	var fields map[string]any
	reads = *cmp.Or(v.Concurrency, &s.Repeat)
	if s.Objects != nil || reads >= s.Repeat || json.Unmarshal(v.Payload, &fields) != nil {
		return v.Payload, s.Repeat
	}
	fields["repeat"] = reads
	payload, _ = json.Marshal(fields) // which came from JSON
	return payload, reads
}

// Label names a variant: "pool (30)", "sequential".
func (v Variant) Label() string {
	if v.Name != "" || !v.Bounded() {
		return cmp.Or(v.Name, v.Strategy)
	}
	return fmt.Sprintf("%s (%d)", v.Strategy, *v.Concurrency)
}

// Place names the variant's cell at power.
func (v Variant) Place(power int) Place { return Place{v.Strategy, v.Concurrency, power} }

// Bounded reports whether concurrency bounds the variant.
func (v Variant) Bounded() bool { return v.Concurrency != nil && !v.Sequential() }

// Sequential reports whether the variant reads one object after the other.
func (v Variant) Sequential() bool {
	s, _ := strategies.ByName(v.Strategy) // zero for a strategy of another function
	return s.Sequential
}
