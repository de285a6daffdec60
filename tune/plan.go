package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/stepfunctions"
)

// base is what the variants have in common: the flags, completed by the
// execution input where there is one. A flag that was given wins.
type base struct {
	*options
	input   powertuning.Input
	payload json.RawMessage // empty: the project's own
	key     string          // of the object
}

// plan makes the comparison that the options ask for, with nothing measured.
func plan(o *options, now time.Time) (*comparison.Comparison, base, error) {
	b := base{options: o, payload: json.RawMessage(o.payload)}
	if err := b.readInput(); err != nil {
		return nil, b, err
	}
	slices.Sort(b.powers)
	c := &comparison.Comparison{Schema: comparison.Schema, Mode: comparison.Local, Run: b.run(now)}
	if o.aws() {
		c.Mode = comparison.AWS
	}
	for _, name := range o.strategies {
		variants, err := b.variants(name)
		if err != nil {
			return nil, b, err
		}
		c.Variants = append(c.Variants, variants...)
	}
	if err := b.settle(c); err != nil {
		return nil, b, err
	}
	return c, b, nil
}

// readInput reads the file of -input.
func (b *base) readInput() error {
	if b.options.input == "" {
		return nil
	}
	raw, err := os.ReadFile(b.options.input)
	if err != nil {
		return fmt.Errorf("-input: %w", err)
	}
	if b.input, err = powertuning.ParseInput(raw); err != nil {
		return fmt.Errorf("-input %s: %w", b.options.input, err)
	}
	if fields := b.input.Unsupported(); len(fields) > 0 && !b.aws() {
		return fmt.Errorf("-input %s: a local run does not do %s: remove it, or compare on AWS with -stack", b.options.input, strings.Join(fields, ", "))
	}
	if len(b.input.PowerValues) > 0 && !b.given["power"] {
		b.powers = b.input.PowerValues
	}
	if b.input.Num > 0 && !b.given["num"] {
		b.num = b.input.Num
	}
	if len(b.input.Payload) > 0 {
		b.payload = b.input.Event()
	}
	return nil
}

func (b *base) run(now time.Time) comparison.Run {
	goal := b.input.Goal()
	r := comparison.Run{
		Time: now.UTC(),
		OS:   runtime.GOOS + "/" + runtime.GOARCH,
		CPUs: min(runtime.NumCPU(), runtime.GOMAXPROCS(0)), // by affinity, and by a container's limit
	}
	r.Spec = comparison.Spec{
		Arch:               b.arch,
		Region:             cmp.Or(b.region, stepfunctions.RegionOf(b.input.LambdaARN), "us-east-1"),
		PowerValues:        b.powers,
		Num:                b.num,
		TuningStrategy:     goal.Strategy,
		BalancedWeight:     goal.BalancedWeight,
		DiscardTopBottom:   goal.DiscardTopBottom,
		SleepBetweenRunsMS: b.input.SleepBetweenMS,
		TimeoutSec:         b.timeout.Seconds(),
		ParallelInvocation: b.parallel || b.input.ParallelInvocation,
	}
	if b.aws() && b.options.input != "" {
		r.TuningInput = &b.input
	}
	if !b.aws() {
		r.Function = b.function
		r.Seed, r.Latency, r.LatencyMeanMS = b.seed, b.latency.String(), float64(b.latency.Mean().Microseconds())/1e3
	}
	return r
}

// variants returns those of a strategy: one, or one a concurrency where that
// bounds it.
func (b *base) variants(name string) ([]comparison.Result, error) {
	if name == none {
		if len(b.payload) == 0 {
			return nil, errors.New("-strategies none sends the payload as it is: give one by -payload or -input")
		}
		return []comparison.Result{{Variant: comparison.Variant{Strategy: none, Payload: b.payload}, Cells: []comparison.Cell{}}}, nil
	}
	s, err := strategies.ByName(name)
	if err != nil {
		return nil, err
	}
	var out []comparison.Result
	for _, n := range b.concurrencies(s) {
		payload, err := b.payloadFor(s, n)
		if err != nil {
			return nil, err
		}
		out = append(out, comparison.Result{Variant: comparison.Variant{Strategy: name, Concurrency: n, Payload: payload}, Cells: []comparison.Cell{}})
	}
	return out, nil
}

// concurrencies returns those in force for a strategy: nil stands for none.
func (b *base) concurrencies(s strategies.Strategy) []*int {
	one := 1
	switch {
	case s.Sequential:
		return []*int{&one}
	case !s.Bounded:
		return []*int{nil}
	}
	if !b.given["concurrency"] {
		if n, ok := b.payloadNumber("concurrency"); ok {
			return []*int{&n}
		}
		if !b.complete() {
			return []*int{nil}
		}
	}
	var out []*int
	for _, n := range b.concurrency {
		out = append(out, &n)
	}
	return out
}

// payloadFor makes the payload of a variant. Of a payload that the user gave
// for a function of the user's own only what was asked for changes.
func (b *base) payloadFor(s strategies.Strategy, concurrency *int) (json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	if len(b.payload) > 0 && (json.Unmarshal(b.payload, &fields) != nil || fields == nil) {
		return nil, fmt.Errorf("the payload must be a JSON object, in which strategy can be set, got %.60s: or send it as it is with -strategies none", b.payload)
	}
	set := func(name string, value any, always bool) {
		if _, there := fields[name]; always || !there {
			fields[name], _ = json.Marshal(value) // strings and whole numbers
		}
	}
	set("strategy", s.Name, true)
	if s.Bounded && (b.complete() || b.given["concurrency"]) {
		set("concurrency", *concurrency, true)
	}
	if b.complete() || b.given["repeat"] {
		set("repeat", b.repeat, b.given["repeat"])
	}
	if b.complete() {
		set("objectKey", filepath.Base(b.object), false)
	}
	return json.Marshal(fields)
}

// complete reports whether the payload is to hold every field of this
// project's: not one that the user gave for a function of the user's own.
func (b *base) complete() bool { return b.ours() || len(b.payload) == 0 }

// ours reports whether the function is this project's; on AWS it is taken for
// that.
func (o *options) ours() bool {
	given, err := filepath.Abs(o.function)
	own, errOwn := filepath.Abs(defaultFunction)
	return err == nil && errOwn == nil && given == own
}

func (b *base) payloadNumber(name string) (n int, ok bool) {
	fields := map[string]json.RawMessage{}
	if json.Unmarshal(b.payload, &fields) != nil {
		return 0, false
	}
	return n, json.Unmarshal(fields[name], &n) == nil
}

// settle checks the payloads of our own function by its own decoder, before
// anything runs, and notes what they have in common.
func (b *base) settle(c *comparison.Comparison) error {
	b.key = filepath.Base(b.object)
	for _, v := range c.Variants {
		p, err := event.Decode(v.Payload, event.DefaultConcurrency)
		if err == nil {
			b.key = p.ObjectKey
		}
		if !b.ours() || b.aws() && v.Strategy == none && err != nil {
			continue // what another function reads is not known
		}
		if err != nil {
			return fmt.Errorf("%s: %w", v.Label(), err)
		}
		c.Run.Repeat, c.Run.ObjectKey = p.Repeat, p.ObjectKey
	}
	if b.aws() {
		return nil
	}
	object, err := os.ReadFile(b.object)
	if err != nil {
		return fmt.Errorf("-object: %w", err)
	}
	if !b.ours() {
		return nil
	}
	c.Run.ObjectBytes = len(object)
	var records []json.RawMessage
	if json.Unmarshal(bytes.TrimSpace(object), &records) == nil {
		c.Run.Records = len(records)
	}
	return nil
}
