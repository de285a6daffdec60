package comparison

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/powertuning"
)

// None is the strategy of a variant whose payload is sent as it was given.
const None = "none"

// MemoryPerVCPU is the memory size, in MB, with which Lambda gives a function
// one vCPU in full; processor time is in proportion to memory.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
const MemoryPerVCPU = 1_769

// The limits of a comparison: far above what one can wait for, and low enough
// that each view of it is drawn in seconds.
const (
	MaxNum         = 10_000 // invocations a cell
	maxSizes       = 64
	maxVariants    = 256
	maxCells       = 4_096
	maxInvocations = 1_000_000
	maxTimeoutSec  = 900       // Lambda's
	maxPayload     = 6 << 20   // bytes: Lambda's limit of a synchronous invocation
	maxInput       = 256 << 10 // bytes: Step Functions' limit of an execution's input, which holds the payload
	maxPayloads    = 32 << 20  // bytes, of all variants together
	maxText        = 16 << 10  // bytes of a name or a message
)

// Spec says what is compared: variants x memory sizes. It is made once, from
// flags and an execution input, is checked by [Spec.Validate] before anything
// runs or is paid for, and never changes after that.
type Spec struct {
	Variants []Variant `json:"-"` // results.json has each beside its figures

	Arch        string   `json:"arch"` // arm64 or x86_64: it picks prices
	Region      string   `json:"region"`
	PowerValues []int    `json:"power_values"`      // MB, in ascending order
	Num         int      `json:"num"`               // invocations a cell, the warm-up apart
	Repeat      int      `json:"repeat"`            // GETs an invocation; 0 where the function is not ours
	Objects     *Objects `json:"objects,omitempty"` // that an invocation reads, once each; null: the object of ObjectKey
	ObjectKey   string   `json:"object_key,omitempty"`
	ObjectBytes int      `json:"object_bytes,omitempty"`
	Records     int      `json:"records,omitempty"` // elements of the object's top-level array
	Function    string   `json:"function"`          // a package, an executable or an ARN
	TimeoutSec  float64  `json:"timeout_sec,omitempty"`

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
}

// Objects are many that an invocation reads: Repeat of them, or on AWS, where
// nobody has counted, at most so many.
type Objects struct {
	Prefix *string `json:"prefix"`          // below which S3 lists them; null: the payload has their keys
	Bytes  int     `json:"bytes,omitempty"` // of all; 0 where it is not known
}

// Lists returns how many LIST requests an invocation needs at least: one for
// each 1,000 keys.
func (s Spec) Lists() int {
	if s.Objects == nil || s.Objects.Prefix == nil {
		return 0
	}
	return (s.Repeat + 999) / 1_000
}

// Variant is one way to call the function: a strategy and its concurrency.
type Variant struct {
	Strategy    string          `json:"strategy"`    // or None
	Concurrency *int            `json:"concurrency"` // 1 for sequential; null where nothing bounds it, and for None
	Payload     json.RawMessage `json:"payload"`
}

// AWS reports whether the comparison runs on AWS.
func (s Spec) AWS() bool { return s.StateMachine != "" }

// Goal is by which rule Power Tuning chooses a size.
func (s Spec) Goal() powertuning.Goal {
	return powertuning.Goal{Strategy: s.TuningStrategy, BalancedWeight: s.BalancedWeight, DiscardTopBottom: s.DiscardTopBottom}
}

// Timeout is the longest that an invocation may last.
func (s Spec) Timeout() time.Duration { return time.Duration(s.TimeoutSec * float64(time.Second)) }

// FieldError says which field of a Spec is wrong, with its value, and what is
// allowed. A flag has its field's name.
type FieldError struct{ Field, Problem string }

func (e *FieldError) Error() string { return e.Field + " " + e.Problem }

// Validate returns the first thing that is wrong with the spec, nearly always
// as a [*FieldError]. What it accepts can be run, drawn, read again and
// resumed.
func (s Spec) Validate() error {
	least := 1
	if s.AWS() {
		least = powertuning.MinNum // Power Tuning does not take less
	}
	goal := s.Goal()
	if err := cmp.Or(
		s.checkSizes(),
		within("num", s.Num, least, MaxNum),
		within("repeat", s.Repeat, 0, event.MaxRepeat),
		s.checkTimeout(),
		s.checkObjects(),
		within("object_bytes", s.ObjectBytes, 0, 1<<40),
		within("records", s.Records, 0, 1<<40),
		within("latency_mean_ms", s.LatencyMeanMS, 0, maxMS),
		within("sleepBetweenRunsMs", s.SleepBetweenRunsMS, 0, maxMS),
		within("balancedWeight", goal.BalancedWeight, 0, 1),
		within("discardTopBottom", goal.DiscardTopBottom, 0, powertuning.MaxDiscardTopBottom),
		within("length of the names", len(s.Region)+len(s.ObjectKey)+len(s.Function)+len(s.TuningStrategy)+len(s.Latency)+len(s.StateMachine), 0, maxText),
	); err != nil {
		return err
	}
	if s.Arch != powertuning.ARM64 && s.Arch != powertuning.X8664 {
		return &FieldError{"arch", fmt.Sprintf("%.40q: it must be %s or %s", s.Arch, powertuning.ARM64, powertuning.X8664)}
	}
	if n := len(s.Variants); n > maxVariants || n*len(s.PowerValues) > maxCells {
		return fmt.Errorf("%d variants x %d sizes: there can be %d variants and %d cells", n, len(s.PowerValues), maxVariants, maxCells)
	}
	if n := s.Num * len(s.PowerValues) * len(s.Variants); n > maxInvocations {
		return &FieldError{"num", fmt.Sprintf("%d: with %d sizes and %d variants these are %d invocations, and there can be %d",
			s.Num, len(s.PowerValues), len(s.Variants), n, maxInvocations)}
	}
	return s.checkVariants()
}

func (s Spec) checkObjects() error {
	o := s.Objects
	if o == nil {
		return nil
	}
	var prefix string
	if o.Prefix != nil {
		prefix = *o.Prefix
	}
	return cmp.Or(within("length of the prefix", len(prefix), 0, event.MaxKeyBytes), within("bytes of the objects", o.Bytes, 0, 1<<40))
}

func (s Spec) checkTimeout() error {
	if s.TimeoutSec >= 1 && s.TimeoutSec <= maxTimeoutSec {
		return nil
	}
	return &FieldError{"timeout", fmt.Sprintf("%gs: it must be from 1s to %ds", s.TimeoutSec, maxTimeoutSec)}
}

func (s Spec) checkSizes() error {
	if n := len(s.PowerValues); n == 0 || n > maxSizes {
		return &FieldError{"power", fmt.Sprintf("has %d sizes: there must be 1 to %d", n, maxSizes)}
	}
	for i, mb := range s.PowerValues {
		if err := within("power", mb, powertuning.MinPower, powertuning.MaxPower); err != nil {
			return err
		}
		if slices.Contains(s.PowerValues[:i], mb) {
			return &FieldError{"power", fmt.Sprintf("%d stands twice", mb)}
		}
	}
	if !slices.IsSorted(s.PowerValues) {
		return &FieldError{"power", fmt.Sprintf("%d: it must be in ascending order", s.PowerValues)}
	}
	return nil
}

func (s Spec) checkVariants() error {
	most, where := maxPayload, "Lambda"
	if s.AWS() {
		most, where = maxInput, "Step Functions"
	}
	all, seen := 0, map[string]bool{}
	for _, v := range s.Variants {
		if n := len(v.Strategy); n < 1 || n > maxText {
			return &FieldError{"strategies", fmt.Sprintf("has a name of %d bytes: it must be 1 to %d long", n, maxText)}
		}
		if v.Concurrency != nil && (*v.Concurrency < 1 || *v.Concurrency > 1<<20) {
			return &FieldError{"concurrency", fmt.Sprintf("%d: it must be a whole number from 1 to %d", *v.Concurrency, event.MaxConcurrency)}
		}
		if n := len(v.Payload); n > most {
			return &FieldError{"payload", fmt.Sprintf("of %s has %d bytes: %s takes %d at most", v.Label(), n, where, most)}
		}
		if seen[v.Label()] {
			return &FieldError{"strategies", v.Label() + " stands twice"}
		}
		seen[v.Label()] = true
		all += len(v.Payload)
	}
	if all > maxPayloads {
		return &FieldError{"payload", fmt.Sprintf("has %d bytes over all variants: there can be %d, so compare fewer variants at once", all, maxPayloads)}
	}
	return nil
}

func within[N int | float64](name string, got, least, most N) error {
	if got >= least && got <= most {
		return nil
	}
	kind := ""
	if _, whole := any(got).(int); whole {
		kind = "a whole number "
	}
	return &FieldError{name, fmt.Sprintf("%v: it must be %sfrom %v to %v", got, kind, least, most)}
}

// Label is how people are told of a variant: "pool (30)", "sequential".
func (v Variant) Label() string { return label(v.Strategy, v.Concurrency) }

func label(strategy string, concurrency *int) string {
	if s, _ := strategies.ByName(strategy); concurrency == nil || s.Sequential {
		return strategy
	}
	return fmt.Sprintf("%s (%d)", strategy, *concurrency)
}

// Bounded reports whether concurrency bounds the variant.
func (v Variant) Bounded() bool { return v.Concurrency != nil && !v.Sequential() }

// Sequential reports whether the variant reads one object after the other:
// the measure of what concurrency gains.
func (v Variant) Sequential() bool {
	s, err := strategies.ByName(v.Strategy)
	return err == nil && s.Sequential
}
