package comparison

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/profile"
)

// The defaults of a comparison that is measured.
const (
	DefaultNum     = 6   // invocations of a cell on AWS
	DefaultRepeat  = 100 // reads; with half as many, pool (30) is as fast as unbounded
	DefaultMax     = 30  // invocations of a cell on this machine
	DefaultFor     = 45 * time.Second
	DefaultTimeout = 600 * time.Second
)

// DefaultPowers are the memory sizes measured by default, in MB.
var DefaultPowers = []int{128, 512, 1_024, platform.MemoryPerVCPU, 3_008}

// The defaults of a map: those of the sample that this project continues, plus 128 MB.
const DefaultMapRepeat = 2_000

var DefaultMapPowers = []int{128, 512, 1_024, 2_048, 3_072, 4_096, 10_240}

// Request is what flags, an execution input and a stack ask for, before it is checked. A nil or empty field was not given.
type Request struct {
	Spec     Spec               // where and how it runs; [Build] adds what to compare
	Input    *powertuning.Input // of a Power Tuning execution on AWS; the other fields override it
	Deployed []int              // MB: a stack's sizes, used if nothing else names any

	Strategies  []string // names, or None alone. Empty: all, or None for the payload of another function
	Concurrency []int    // for bounded strategies. Empty: the payload's, or event.DefaultConcurrency
	Num         *int     // exact number of invocations of a cell
	Max         *int     // most invocations of a cell
	For         *time.Duration
	Repeat      *int
	Payload     json.RawMessage

	Map          bool     // computed: a bounded strategy without a concurrency has the best one of each size
	Ours         bool     // this project's function reads the payload
	ObjectKey    string   // for a payload that names no object
	Prefix       *string  // reads the objects below it instead of ObjectKey
	PrefixWins   bool     // over an object or a prefix in the payload
	MaxObjects   int      // for a payload with a prefix alone
	Stored       []Stored // what S3 holds; nil if not known
	BodyOfObject []byte   // of ObjectKey; nil if not known
}

// Stored is an object that S3 holds.
type Stored struct {
	Key  string
	Size int // bytes
}

// Build returns the validated spec of a request, with a variant for each strategy and, if it is bounded, for each
// concurrency. The error of a field is a [*FieldError].
func Build(r Request) (Spec, error) {
	s := r.Spec
	in := cmp.Or(r.Input, &powertuning.Input{})
	if r.Input != nil {
		s.TuningStrategy, s.BalancedWeight, s.DiscardTopBottom = in.Goal()
		s.SleepBetweenRunsMS = in.SleepBetweenMS
		if !reflect.ValueOf(*in).IsZero() {
			s.TuningInput = in
		}
		s.ParallelInvocation = s.ParallelInvocation || in.ParallelInvocation
		if len(in.Payload) > 0 {
			r.Payload = in.Event()
		}
		if in.Num > 0 && r.Num == nil {
			r.Num = &in.Num
		}
	}
	byDefault := DefaultPowers
	if r.Map {
		byDefault = DefaultMapPowers
	}
	for _, powers := range [][]int{in.PowerValues, r.Deployed, byDefault} {
		if len(s.PowerValues) == 0 {
			s.PowerValues = powers
		}
	}
	s.PowerValues = slices.Sorted(slices.Values(s.PowerValues))
	s.Arch = cmp.Or(s.Arch, platform.ARM64)
	s.TimeoutSec = cmp.Or(s.TimeoutSec, DefaultTimeout.Seconds())
	if n := cmp.Or(r.Repeat, new(1)); *n < 1 || *n > event.MaxRepeat {
		return s, &FieldError{"repeat", fmt.Sprintf("%d: it must be from 1 to %d", *n, event.MaxRepeat)}
	}
	if err := r.rounds(&s); err != nil {
		return s, err
	}
	var err error
	if s.Variants, err = r.variants(); err != nil {
		return s, err
	}
	if len(r.Concurrency) > 0 && !slices.ContainsFunc(s.Variants, Variant.Bounded) {
		return s, fmt.Errorf("--concurrency has no effect on %s: it bounds %s",
			strings.Join(r.Strategies, ", "), strings.Join(BoundedStrategies(), ", "))
	}
	if err := r.decode(&s); err != nil {
		return s, err
	}
	return s, s.Validate()
}

// rounds sets how often a cell is measured. On this machine that is until the fastest variant is known, unless a number
// of invocations was given.
func (r Request) rounds(s *Spec) error {
	if r.Map {
		s.Num, s.ForSec = 1, 0
		return nil
	}
	if s.AWS() || r.Num != nil && r.Max == nil && r.For == nil {
		s.Num = *cmp.Or(r.Num, new(DefaultNum))
		return nil
	}
	d := *cmp.Or(r.For, new(DefaultFor))
	if d <= 0 {
		return &FieldError{"for", fmt.Sprintf("%s: it must be above 0s\nor give the number of invocations by --num", d)}
	}
	s.Num, s.ForSec = *cmp.Or(r.Max, new(DefaultMax)), d.Seconds()
	return nil
}

// fillDefaults reports whether missing fields may be added to the payload: not to that of a user's own function.
func (r Request) fillDefaults() bool { return r.Ours || len(r.Payload) == 0 }

func (r Request) variants() (out []Variant, err error) {
	names := r.Strategies
	if len(names) == 0 && !r.Ours {
		names = []string{None}
		if len(r.Payload) == 0 {
			r.Payload = json.RawMessage("{}")
		}
	} else if len(names) == 0 {
		names = strategies.Names()
	}
	if slices.Contains(names, None) {
		if len(names) > 1 || len(r.Payload) == 0 || r.Repeat != nil {
			return nil, errors.New("--strategies none sends the payload as it is: give one by --payload, and neither other strategies nor --repeat")
		}
		return []Variant{{Strategy: None, Payload: r.Payload}}, nil
	}
	for _, name := range names {
		s, err := strategies.ByName(name)
		if err != nil {
			return nil, fmt.Errorf("--strategies: %w, or %s", err, None)
		}
		for _, n := range r.concurrencies(s) {
			v := Variant{Strategy: name, Concurrency: n}
			if v.Payload, err = r.payload(s, n); err != nil {
				return nil, err
			}
			out = append(out, v)
		}
	}
	return out, nil
}

// concurrencies returns the concurrencies at which to compare a strategy: the request's, the payload's, or the default of this project's
// function. nil leaves it to the payload of another function.
func (r Request) concurrencies(s strategies.Strategy) (out []*int) {
	switch {
	case s.Sequential:
		return []*int{new(1)}
	case !s.Bounded:
		return []*int{nil}
	case len(r.Concurrency) > 0:
		for _, n := range r.Concurrency {
			out = append(out, &n)
		}
		return out
	}
	var given struct{ Concurrency *int }
	_ = json.Unmarshal(r.Payload, &given) // the rest is checked with the payload
	if given.Concurrency == nil && r.fillDefaults() && !r.Map {
		given.Concurrency = new(event.DefaultConcurrency)
	}
	return []*int{given.Concurrency}
}

// payload returns the payload of a strategy and a concurrency. In the payload of a user's own function it changes only
// what was asked for.
func (r Request) payload(s strategies.Strategy, concurrency *int) (json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	if len(r.Payload) > 0 && (json.Unmarshal(r.Payload, &fields) != nil || fields == nil) {
		return nil, fmt.Errorf("the payload must be a JSON object, in which strategy can be set, got %.60s\nor send it as it is with --strategies none", r.Payload)
	}
	set := func(name string, value any, always bool) {
		if _, there := fields[name]; always || !there {
			fields[name], _ = json.Marshal(value) // strings and whole numbers
		}
	}
	set("strategy", s.Name, true)
	if s.Bounded && concurrency != nil {
		set("concurrency", *concurrency, true)
	}
	if r.Repeat != nil {
		set("repeat", *r.Repeat, true)
	}
	switch {
	case !r.fillDefaults() || fields["keys"] != nil || fields["Items"] != nil:
	case r.Prefix != nil && (r.PrefixWins || fields["objectKey"] == nil):
		set("prefix", r.Prefix, r.PrefixWins)
		set("maxObjects", r.MaxObjects, false)
	case fields["prefix"] != nil:
	default:
		repeat := DefaultRepeat
		if r.Map {
			repeat = DefaultMapRepeat
		}
		set("repeat", repeat, false)
		set("objectKey", r.ObjectKey, false)
	}
	return json.Marshal(fields)
}

// decode checks the payloads of this project's function with its decoder, and notes what they read. What another function
// reads is not known.
func (r Request) decode(s *Spec) error {
	s.ObjectKey = r.ObjectKey
	if r.Ours && r.BodyOfObject != nil {
		var records []json.RawMessage
		_ = json.Unmarshal(r.BodyOfObject, &records) // anything but an array has none
		s.ObjectBytes, s.Records = len(r.BodyOfObject), len(records)
	}
	for _, v := range s.Variants {
		decoded, err := event.Decode(v.Payload, event.DefaultConcurrency)
		if err == nil {
			s.ObjectKey = decoded.ObjectKey
		}
		switch {
		case !r.Ours || s.AWS() && v.Strategy == None && err != nil:
		case err != nil:
			return fmt.Errorf("%s: %w", v.Label(), err)
		default:
			if s.Repeat, s.Objects, err = r.reads(decoded); err != nil {
				return err
			}
		}
	}
	return nil
}

// BoundedStrategies returns the names of the strategies that a concurrency bounds.
func BoundedStrategies() (names []string) {
	for _, s := range strategies.All() {
		if s.Bounded {
			names = append(names, s.Name)
		}
	}
	return names
}

// reads returns how many reads a payload asks for, and the objects unless it is a single one.
func (r Request) reads(p event.Payload) (n int, o *Objects, err error) {
	if p.ObjectKey != "" {
		return p.Repeat, nil, nil
	}
	o = &Objects{Prefix: p.Prefix}
	if p.Prefix == nil || r.Stored == nil {
		return cmp.Or(len(p.Rest()), p.MaxObjects), o, nil
	}
	for _, object := range r.Stored {
		if strings.HasPrefix(object.Key, *p.Prefix) && strings.HasSuffix(object.Key, p.Suffix) && object.Key > p.StartAfter {
			n, o.Bytes = n+1, o.Bytes+object.Size
		}
	}
	if n == 0 {
		err = fmt.Errorf("prefix %q, suffix %q: none of the %d objects that S3 holds matches", *p.Prefix, p.Suffix, len(r.Stored))
	}
	return n, o, err
}

// NeedCalibration returns an error unless c, which was read from a file, has a calibration.
func (c *Comparison) NeedCalibration(file string) error {
	command := "go run ./tune"
	if c.Mode == AWS {
		command += " map " + file
	}
	if c.Calibration == nil {
		return fmt.Errorf("%s has no calibration to compute from\nmake one: %s", file, command)
	}
	return nil
}

// Another returns the comparison that asks another question of c's calibration. What the request leaves open is as in c.
func (c *Comparison) Another(r Request) (*Comparison, error) {
	arch, sizes, latency := r.Spec.Arch, r.Spec.PowerValues, r.Spec.Latency
	r.Spec, r.Map, r.Ours, r.ObjectKey = c.Run.Spec, true, true, c.Run.ObjectKey
	if latency != "" {
		s3, err := profile.Parse(latency)
		if err != nil {
			return nil, fmt.Errorf("--%w", err)
		}
		r.Spec.Latency, r.Spec.LatencyMeanMS = s3.String(), float64(s3.Mean().Microseconds())/1e3
	}
	r.Spec.Arch = cmp.Or(arch, c.Run.Arch)
	if len(sizes) > 0 {
		r.Spec.PowerValues = sizes
	}
	r.Repeat = cmp.Or(r.Repeat, &c.Run.Repeat)
	if len(r.Strategies) == 0 {
		for _, v := range c.Variants {
			r.Strategies = append(r.Strategies, v.Strategy)
		}
		r.Strategies = slices.Compact(r.Strategies)
	}
	spec, err := Build(r)
	if err != nil {
		return nil, err
	}
	if spec.Arch != c.Run.Arch {
		return nil, &FieldError{"arch", fmt.Sprintf("%s: this was calibrated for %s, and their CPUs differ\nmake a calibration for it: go run ./tune --arch %s", arch, c.Run.Arch, arch)}
	}
	other := *c
	other.Run.Spec, other.Variants, other.Map, other.Recommendation, other.Warnings = spec, nil, nil, nil, nil
	other.Run.Variants, other.Run.Interrupted = nil, false
	other.Add(spec.Variants...)
	if c.Map != nil { // the checks are of that map
		other.Checks = nil
	}
	return &other, nil
}
