package comparison

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/profile"
)

// The defaults of a comparison.
const (
	DefaultNum       = 6     // invocations of a cell on AWS
	DefaultMax       = 30    // invocations of a cell on this machine
	DefaultRepeat    = 100   // reads; with half as many, pool (30) is as fast as unbounded
	DefaultMapRepeat = 2_000 // reads of a map
	maxObjects       = 2_000 // of a payload with a prefix, as in the deployment's inputs
	DefaultFor       = 45 * time.Second
	DefaultTimeout   = 600 * time.Second
)

// The default memory sizes in MB, of measured cells and of a map. A map's reads and sizes are those of the sample
// that this project continues, plus 128 MB.
var (
	DefaultPowers    = []int{128, 512, 1_024, platform.MemoryPerVCPU, 3_008}
	DefaultMapPowers = []int{128, 512, 1_024, 2_048, 3_072, 4_096, 10_240}
)

// Request is what flags, an execution input and a stack ask for, not yet checked. A nil or empty field was not given.
type Request struct {
	Spec   Spec               // where and how it runs, with the object of a payload that names none; [Build] adds what to compare
	Input  *powertuning.Input // of a Power Tuning execution on AWS; the other fields override it
	Powers []int              // MB: the sizes if neither Spec nor Input has any

	Strategies  []string // names, or None alone. Empty: all, or None for the payload of another function
	Concurrency []int    // for bounded strategies. Empty: the payload's, or event.DefaultConcurrency
	Num         *int     // exact number of invocations of a cell
	Max         *int     // most invocations of a cell
	For         *time.Duration
	Repeat      *int
	Payload     json.RawMessage

	Map        bool           // computed: a bounded strategy without a concurrency has the best one of each size
	Ours       bool           // this project's function reads the payload
	Prefix     *string        // reads the objects below it instead of Spec.ObjectKey
	PrefixWins bool           // over an object or a prefix in the payload
	Stored     map[string]int // bytes of each key that S3 holds; nil if not known
}

// Build returns the validated spec of a request, with a variant for each strategy and, if it is bounded, for each
// concurrency. The error of a field is a [*FieldError].
func Build(r Request) (Spec, error) {
	s := r.Spec
	in := cmp.Or(r.Input, &powertuning.Input{})
	if s.AWS() {
		s.TuningStrategy, s.BalancedWeight, s.DiscardTopBottom = in.Goal()
		s.SleepBetweenRunsMS, s.TuningInput = in.SleepBetweenMS, r.Input
		s.ParallelInvocation = s.ParallelInvocation || in.ParallelInvocation
	}
	if len(in.Payload) > 0 {
		r.Payload = in.Event()
	}
	powers, repeat := DefaultPowers, DefaultRepeat
	if r.Map {
		powers, repeat = DefaultMapPowers, DefaultMapRepeat
	}
	sizes := [][]int{s.PowerValues, in.PowerValues, r.Powers, powers}
	sizes = slices.DeleteFunc(sizes, func(mb []int) bool { return len(mb) == 0 })
	s.PowerValues = slices.Sorted(slices.Values(sizes[0]))
	s.Arch = cmp.Or(s.Arch, platform.ARM64)
	s.TimeoutSec = cmp.Or(s.TimeoutSec, DefaultTimeout.Seconds())
	most := *cmp.Or(r.For, new(DefaultFor))
	switch {
	case r.Map:
		s.Num, s.ForSec = 1, 0
	case s.AWS() || r.Num != nil:
		s.Num = *cmp.Or(r.Num, new(cmp.Or(in.Num, DefaultNum)))
	default: // until the fastest variant is known
		s.Num, s.ForSec = *cmp.Or(r.Max, new(DefaultMax)), most.Seconds()
	}
	n := *cmp.Or(r.Repeat, new(1))
	err := cmp.Or(unless(n >= 1 && n <= event.MaxRepeat, "repeat", "%d: it must be from 1 to %d", n, event.MaxRepeat),
		unless(most > 0, "for", "%s: it must be above 0s\nor give the number of invocations by --num", most))
	if err == nil {
		s.Variants, err = r.variants(repeat)
	}
	if err == nil && len(r.Concurrency) > 0 && !slices.ContainsFunc(s.Variants, Variant.Bounded) {
		err = fmt.Errorf("--concurrency has no effect on %s: it bounds %s",
			cmp.Or(strings.Join(r.Strategies, ", "), None), strings.Join(BoundedStrategies(), ", "))
	}
	if err == nil {
		err = r.decode(&s)
	}
	if err == nil {
		err = s.Validate()
	}
	return s, err
}

func (r Request) variants(repeat int) (out []Variant, err error) {
	names := r.Strategies
	if len(names) == 0 && r.Ours {
		names = strategies.Names()
	} else if len(names) == 0 {
		names, r.Payload = []string{None}, json.RawMessage(cmp.Or(string(r.Payload), "{}"))
	}
	if slices.Contains(names, None) {
		if len(names) > 1 || len(r.Payload) == 0 || r.Repeat != nil {
			return nil, errors.New("--strategies none sends the payload as it is: give one by --payload, and neither other strategies nor --repeat")
		}
		return []Variant{{Strategy: None, Payload: r.Payload}}, nil
	}
	fields, bounds, err := r.fields(repeat)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		s, err := strategies.ByName(name)
		if err != nil {
			return nil, fmt.Errorf("--strategies: %w, or %s", err, None)
		}
		concurrencies := []*int{nil}
		switch {
		case s.Sequential:
			concurrencies = []*int{new(1)}
		case s.Bounded:
			concurrencies = bounds
		}
		for _, n := range concurrencies {
			own := maps.Clone(fields)
			if own["strategy"] = name; s.Bounded && n != nil {
				own["concurrency"] = n
			}
			v := Variant{Strategy: name, Concurrency: n}
			v.Payload, _ = json.Marshal(own) // of JSON, strings and whole numbers
			out = append(out, v)
		}
	}
	return out, nil
}

// fields returns the payload's fields, completed, and the concurrencies at which to compare a bounded strategy: the
// request's, the payload's, or the default of this project's function. nil leaves it to the payload of another
// function, to which nothing is added but what was asked for.
func (r Request) fields(repeat int) (fields map[string]any, bounds []*int, err error) {
	given := map[string]json.RawMessage{}
	if len(r.Payload) > 0 && (json.Unmarshal(r.Payload, &given) != nil || given == nil) {
		return nil, nil, fmt.Errorf("the payload must be a JSON object, in which strategy can be set, got %.60s\nor send it as it is with --strategies none", r.Payload)
	}
	fields = map[string]any{}
	ours := r.Ours || len(r.Payload) == 0
	switch {
	case !ours || given["keys"] != nil || given["Items"] != nil:
	case r.Prefix != nil && (r.PrefixWins || given["objectKey"] == nil):
		fields["prefix"], fields["maxObjects"] = r.Prefix, cmp.Or(len(r.Stored), maxObjects)
		if r.PrefixWins {
			delete(given, "prefix")
		}
	case given["prefix"] == nil:
		fields["repeat"], fields["objectKey"] = repeat, r.Spec.ObjectKey
	}
	for name, value := range given {
		fields[name] = value
	}
	if r.Repeat != nil {
		fields["repeat"] = r.Repeat
	}
	for _, n := range r.Concurrency {
		bounds = append(bounds, &n)
	}
	if bounds == nil {
		var n *int
		_ = json.Unmarshal(given["concurrency"], &n) // the rest is checked with the payload
		if n == nil && ours && !r.Map {
			n = new(event.DefaultConcurrency)
		}
		bounds = []*int{n}
	}
	return fields, bounds, nil
}

// decode checks the payloads of this project's function, and notes what they read. Of another one that is not known.
func (r Request) decode(s *Spec) error {
	for _, v := range s.Variants {
		p, err := event.Decode(v.Payload, event.DefaultConcurrency)
		if err == nil {
			s.ObjectKey = p.ObjectKey
		}
		switch {
		case !r.Ours || err != nil && s.AWS() && v.Strategy == None:
		case err != nil:
			return fmt.Errorf("%s: %w", v.Label(), err)
		case p.ObjectKey != "":
			s.Repeat, s.Objects = p.Repeat, nil
		case p.Prefix == nil || r.Stored == nil:
			s.Repeat, s.Objects = cmp.Or(len(p.Rest()), p.MaxObjects), &Objects{Prefix: p.Prefix}
		default:
			s.Repeat, s.Objects = 0, &Objects{Prefix: p.Prefix}
			for key, size := range r.Stored {
				if strings.HasPrefix(key, *p.Prefix) && strings.HasSuffix(key, p.Suffix) && key > p.StartAfter {
					s.Repeat, s.Objects.Bytes = s.Repeat+1, s.Objects.Bytes+size
				}
			}
			if s.Repeat == 0 {
				return fmt.Errorf("prefix %q, suffix %q: none of the %d objects that S3 holds matches", *p.Prefix, p.Suffix, len(r.Stored))
			}
		}
	}
	return nil
}

// BoundedStrategies returns the names of the strategies that a concurrency bounds.
func BoundedStrategies() []string {
	return slices.DeleteFunc(strategies.Names(), func(name string) bool {
		s, _ := strategies.ByName(name)
		return !s.Bounded
	})
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

// Another returns the comparison that asks another question of c's calibration: c's where the request leaves it open.
func (c *Comparison) Another(r Request) (*Comparison, error) {
	asked := r.Spec
	s3, err := profile.Parse(cmp.Or(asked.Latency, c.Run.Latency))
	if err != nil {
		return nil, fmt.Errorf("--%w", err)
	}
	r.Spec, r.Powers, r.Map, r.Ours = c.Run.Spec, c.Run.PowerValues, true, true
	r.Spec.Latency, r.Spec.LatencyMeanMS = s3.String(), float64(s3.Mean().Microseconds())/1e3
	r.Spec.Arch, r.Spec.PowerValues = cmp.Or(asked.Arch, c.Run.Arch), asked.PowerValues
	r.Repeat = cmp.Or(r.Repeat, &c.Run.Repeat)
	if len(r.Strategies) == 0 {
		for _, v := range c.Variants {
			r.Strategies = append(r.Strategies, v.Strategy)
		}
		r.Strategies = slices.Compact(r.Strategies)
	}
	spec, err := Build(r)
	if err = cmp.Or(err, unless(spec.Arch == c.Run.Arch, "arch", "%s: this was calibrated for %s, and their CPUs differ\n"+
		"make a calibration for it: go run ./tune --arch %s", spec.Arch, c.Run.Arch, spec.Arch)); err != nil {
		return nil, err
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
