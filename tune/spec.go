package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"lambda-parallel-io/handler/platform"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/powertuning"
)

// selection are the flags that say what to compare, wherever it runs.
type selection struct {
	Strategies  []string       `placeholder:"LIST" help:"${strategies} (all); or ${none}: send the payload as it is."`
	Concurrency *concurrencies `placeholder:"LIST" help:"Of ${bounded}, 1 to ${max_concurrency} (${concurrency}); each of a list is a variant of its own. On this machine also auto: ${concurrency}, and what its figures predict."`
	Power       []int          `placeholder:"LIST" help:"Memory sizes, 128 to 10240 MB (128,512,1024,1769,3008)."`
	Num         *int           `placeholder:"N" xor:"max,for" help:"Invocations a cell, exactly (on AWS ${num}); below 6 nothing tells noise apart."`
	Repeat      *int           `placeholder:"N" help:"Reads an invocation, 1 to 1000000 (${repeat})."`
	Payload     string         `placeholder:"JSON" xor:"payload" help:"The payload, completed by the flags above."`
	Input       string         `placeholder:"FILE" xor:"payload" help:"A Power Tuning execution input; flags given here win."`
	Arch        string         `placeholder:"ARCH" help:"arm64 or x86_64: its prices and, on this machine, its speed (arm64; on AWS the function's)."`
	Timeout     time.Duration  `placeholder:"D" help:"Of an invocation, 1s to 900s (600s; on AWS the function's)."`

	deployed []int // the sizes to compare where neither flag nor input names any; empty for defaultPowers
}

// presentation are the flags that say what becomes of the results.
type presentation struct {
	Dir  string `name:"output" short:"o" placeholder:"DIR" default:"tune-results" help:"Where results.json, report.html and the other views go (tune-results)."`
	JSON bool   `xor:"shown" help:"Print results.json, and nothing else, on stdout."`
	Open bool   `xor:"shown" help:"Open the report."`

	keep bool // whether a results.json in Dir is left as it is
}

var defaultPowers = []int{128, 512, 1_024, 1_769, 3_008}

const (
	defaultNum     = 6
	defaultRepeat  = 100 // with half of that pool (30) ends as soon as unbounded
	defaultMax     = 30
	defaultFor     = 45 * time.Second
	defaultTimeout = 600 * time.Second
)

// spec says what the flags and the execution input ask for. The caller adds
// where it runs, and then the variants.
func (s *selection) spec() (comparison.Spec, payload, error) {
	var in powertuning.Input
	if s.Input != "" {
		raw, err := os.ReadFile(s.Input)
		if err != nil {
			return comparison.Spec{}, payload{}, fmt.Errorf("--input: %w", err)
		}
		if in, err = powertuning.ParseInput(raw); err != nil {
			return comparison.Spec{}, payload{}, fmt.Errorf("--input %s: %w", s.Input, err)
		}
	}
	p := payload{given: json.RawMessage(s.Payload), repeat: s.Repeat}
	if len(in.Payload) > 0 {
		p.given = in.Event()
	}
	goal := in.Goal()
	spec := comparison.Spec{
		Arch:               cmp.Or(s.Arch, platform.ARM64),
		Num:                cmp.Or(in.Num, defaultNum),
		TimeoutSec:         cmp.Or(s.Timeout, defaultTimeout).Seconds(),
		TuningStrategy:     goal.Strategy,
		BalancedWeight:     goal.BalancedWeight,
		DiscardTopBottom:   goal.DiscardTopBottom,
		SleepBetweenRunsMS: in.SleepBetweenMS,
		ParallelInvocation: in.ParallelInvocation,
	}
	if s.Num != nil {
		spec.Num = *s.Num
	}
	for _, powers := range [][]int{defaultPowers, s.deployed, in.PowerValues, s.Power} {
		if len(powers) > 0 {
			spec.PowerValues = slices.Sorted(slices.Values(powers))
		}
	}
	if s.Input != "" {
		spec.TuningInput = &in
	}
	if s.Repeat != nil && (*s.Repeat < 1 || *s.Repeat > event.MaxRepeat) {
		return spec, p, fmt.Errorf("--repeat %d: it must be from 1 to %d", *s.Repeat, event.MaxRepeat)
	}
	return spec, p, nil
}

// complete adds to the spec a variant for each strategy and, where that is
// bounded, for each concurrency. What it returns has been validated.
func (s *selection) complete(spec comparison.Spec, p payload) (comparison.Spec, error) {
	names := s.Strategies
	if len(names) == 0 {
		names = strategies.Names()
	}
	var err error
	none := slices.Contains(names, comparison.None)
	switch {
	case none && (len(names) > 1 || len(p.given) == 0 || s.Repeat != nil):
		err = errors.New("--strategies none sends the payload as it is: give one by --payload or --input, and neither other strategies nor --repeat")
	case none:
		spec.Variants = []comparison.Variant{{Strategy: comparison.None, Payload: p.given}}
	default:
		spec.Variants, err = p.variants(names, s.concurrencies(p))
	}
	if err != nil {
		return spec, err
	}
	if s.Concurrency != nil && !slices.ContainsFunc(spec.Variants, comparison.Variant.Bounded) {
		return spec, fmt.Errorf("--concurrency has no effect on %s: it bounds %s",
			strings.Join(names, ", "), strings.Join(bounded(), ", "))
	}
	if err = p.decode(&spec); err == nil {
		err = spec.Validate()
	}
	return spec, asFlag(err)
}

// asFlag makes the error of a field that of the flag of the same name.
func asFlag(err error) error {
	if field := (*comparison.FieldError)(nil); errors.As(err, &field) {
		return usageError{err: fmt.Errorf("--%w", err)}
	}
	return err
}

// concurrencies are those that a bounded strategy is compared with: the
// flag's, else the payload's, else the default of this project's function. A
// nil one is left to the payload of another function.
func (s *selection) concurrencies(p payload) (out []*int) {
	if s.Concurrency != nil && !s.Concurrency.auto {
		for _, n := range s.Concurrency.numbers {
			out = append(out, &n)
		}
		return out
	}
	var fields map[string]json.RawMessage
	var n *int
	if json.Unmarshal(p.given, &fields) != nil || json.Unmarshal(fields["concurrency"], &n) != nil {
		n = nil
	}
	if n == nil && p.whole() {
		n = new(event.DefaultConcurrency)
	}
	return []*int{n}
}

// payload is what the payloads of all variants have in common.
type payload struct {
	given   json.RawMessage // empty: this project's own
	repeat  *int            // of the flag
	key     string          // of the object, where the payload names none
	ours    bool            // whether this project's function reads it; on AWS it is taken for that
	below   *string         // a prefix: the objects below it in place of one; nil for that
	flagged bool            // whether a flag names it, and so wins over what the payload names
	most    int             // maxObjects, where the payload names none
	objects []local.Object  // what S3 holds, where that is known
}

// whole reports whether the payload is to hold every field of this project's:
// not one that was given for a function of one's own.
func (p payload) whole() bool { return p.ours || len(p.given) == 0 }

// variants returns those of the strategies of these names.
func (p payload) variants(names []string, concurrencies []*int) (out []comparison.Variant, err error) {
	for _, name := range names {
		s, err := strategies.ByName(name)
		if err != nil {
			return nil, fmt.Errorf("--strategies: %w, or %s", err, comparison.None)
		}
		of := concurrencies
		switch {
		case s.Sequential:
			of = []*int{new(1)}
		case !s.Bounded:
			of = []*int{nil}
		}
		for _, n := range of {
			v := comparison.Variant{Strategy: name, Concurrency: n}
			if v.Payload, err = p.of(s, n); err != nil {
				return nil, err
			}
			out = append(out, v)
		}
	}
	return out, nil
}

// of returns the payload of a strategy and a concurrency. Of one that was
// given for a function of one's own only what was asked for changes.
func (p payload) of(s strategies.Strategy, concurrency *int) (json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	if len(p.given) > 0 && (json.Unmarshal(p.given, &fields) != nil || fields == nil) {
		return nil, fmt.Errorf("the payload must be a JSON object, in which strategy can be set, got %.60s\nor send it as it is with --strategies none", p.given)
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
	if p.repeat != nil {
		set("repeat", *p.repeat, true)
	}
	switch {
	case !p.whole() || fields["keys"] != nil || fields["Items"] != nil:
	case p.below != nil && (p.flagged || fields["objectKey"] == nil):
		set("prefix", p.below, p.flagged)
		set("maxObjects", p.most, false)
	case fields["prefix"] != nil:
	default:
		set("repeat", defaultRepeat, false)
		set("objectKey", p.key, false)
	}
	return json.Marshal(fields)
}

// reads returns how many reads a payload asks for, and of which objects where
// these are many.
func (p payload) reads(e event.Payload) (n int, o *comparison.Objects, err error) {
	if e.ObjectKey != "" {
		return e.Repeat, nil, nil
	}
	o = &comparison.Objects{Prefix: e.Prefix}
	if e.Prefix == nil || p.objects == nil {
		return cmp.Or(len(e.Rest()), e.MaxObjects), o, nil
	}
	for _, object := range p.objects {
		if strings.HasPrefix(object.Key, *e.Prefix) && strings.HasSuffix(object.Key, e.Suffix) && object.Key > e.StartAfter {
			n, o.Bytes = n+1, o.Bytes+object.Size
		}
	}
	if n == 0 {
		err = fmt.Errorf("prefix %q, suffix %q: none of the %d objects that S3 holds matches",
			*e.Prefix, e.Suffix, len(p.objects))
	}
	return n, o, err
}

// decode checks the payloads of this project's function by its own decoder,
// before anything runs, and notes what they have in common. What another
// function reads is not known.
func (p payload) decode(spec *comparison.Spec) error {
	spec.ObjectKey = p.key
	for _, v := range spec.Variants {
		decoded, err := event.Decode(v.Payload, event.DefaultConcurrency)
		if err == nil {
			spec.ObjectKey = decoded.ObjectKey
		}
		if !p.ours || spec.AWS() && v.Strategy == comparison.None && err != nil {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", v.Label(), err)
		}
		if spec.Repeat, spec.Objects, err = p.reads(decoded); err != nil {
			return err
		}
	}
	return nil
}
