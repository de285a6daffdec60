package comparison_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// described is a spec of so many variants at so many sizes.
func described(variants, sizes int) comparison.Spec {
	s := comparison.Spec{Arch: platform.ARM64, Region: "us-east-1", Num: 6, Repeat: 50, Function: "./handler", TimeoutSec: 600, TuningStrategy: powertuning.Cost}
	for i := range sizes {
		s.PowerValues = append(s.PowerValues, 128+i)
	}
	for i := range variants {
		n := i + 1
		s.Variants = append(s.Variants, comparison.Variant{Strategy: "pool", Concurrency: &n, Payload: json.RawMessage(`{}`)})
	}
	return s
}

func onAWS(s comparison.Spec) comparison.Spec {
	s.StateMachine = "arn:aws:states:us-east-1:123456789012:stateMachine:powerTuning"
	return s
}

func with(s comparison.Spec, change func(*comparison.Spec)) comparison.Spec {
	change(&s)
	return s
}

// What a run accepts, its report draws and a resume reads: there is one check,
// before the start.
func TestWhatIsAcceptedCanBeReadAgain(t *testing.T) {
	for name, s := range map[string]comparison.Spec{
		"one cell":                        described(1, 1),
		"the most variants and sizes":     with(described(64, 64), func(s *comparison.Spec) { s.Num = 244 }),
		"the most invocations of a cell":  with(described(1, 1), func(s *comparison.Spec) { s.Num = comparison.MaxNum }),
		"a payload of 6 MB":               with(described(1, 1), func(s *comparison.Spec) { s.Variants[0].Payload = quoted(6 << 20) }),
		"an input of 256 KB on AWS":       onAWS(with(described(1, 1), func(s *comparison.Spec) { s.Variants[0].Payload = quoted(256 << 10) })),
		"a concurrency of one's own":      with(described(1, 1), func(s *comparison.Spec) { *s.Variants[0].Concurrency = 5000 }),
		"another function, its own words": with(described(1, 1), func(s *comparison.Spec) { s.Repeat = 0; s.Variants[0].Strategy = "none" }),
	} {
		if err := s.Validate(); err != nil {
			t.Errorf("%s: Validate() = %v, want nil", name, err)
			continue
		}
		c := comparison.New(s, time.Now())
		for i := range c.Variants {
			for _, power := range s.PowerValues {
				cell := comparison.Cell{Power: power, Response: quoted(comparison.MaxResponse)}
				if i+power == 128 {
					for range s.Num {
						cell.DurationsMS, cell.BilledMS = append(cell.DurationsMS, 900_000), append(cell.BilledMS, 900_000)
					}
				}
				c.Variants[i].Cells = append(c.Variants[i].Cells, cell)
			}
		}
		var file bytes.Buffer
		if err := c.Write(&file); err != nil {
			t.Fatal(err)
		}
		if again, err := comparison.Read(&file); err != nil || len(again.Run.Variants) != len(s.Variants) {
			t.Errorf("%s: Read() of what was written = %v, want the comparison", name, err)
		}
	}
}

func TestWhatCannotBeDrawnIsRefusedBeforeTheStart(t *testing.T) {
	for want, s := range map[string]comparison.Spec{
		"num 0: it must be a whole number from 1 to 10000":                  with(described(1, 1), func(s *comparison.Spec) { s.Num = 0 }),
		"num 10001: it must be":                                             with(described(1, 1), func(s *comparison.Spec) { s.Num = 10_001 }),
		"num 4: it must be a whole number from 5":                           onAWS(with(described(1, 1), func(s *comparison.Spec) { s.Num = 4 })),
		"power has 65 sizes: there must be 1 to 64":                         described(1, 65),
		"power has 0 sizes":                                                 described(1, 0),
		"power 127: it must be a whole number from 128 to 10240":            with(described(1, 1), func(s *comparison.Spec) { s.PowerValues[0] = 127 }),
		"power [128 128]: it must be in ascending order, each size once":    with(described(1, 2), func(s *comparison.Spec) { s.PowerValues[1] = 128 }),
		"power [129 128]: it must be in ascending order":                    with(described(1, 2), func(s *comparison.Spec) { s.PowerValues = []int{129, 128} }),
		"257 variants x 1 sizes: there can be 256 variants":                 described(257, 1),
		"these are 1003520 invocations, and there can be 1000000":           with(described(64, 64), func(s *comparison.Spec) { s.Num = 245 }),
		"256 variants x 17 sizes: there can be 256 variants and 4096 cells": described(256, 17),
		"strategies pool (1) stands twice":                                  with(described(2, 1), func(s *comparison.Spec) { *s.Variants[1].Concurrency = 1 }),
		"concurrency 0: it must be":                                         with(described(1, 1), func(s *comparison.Spec) { *s.Variants[0].Concurrency = 0 }),
		"repeat 1000001: it must be":                                        with(described(1, 1), func(s *comparison.Spec) { s.Repeat = 1_000_001 }),
		"timeout 901s: it must be from 1s to 900s":                          with(described(1, 1), func(s *comparison.Spec) { s.TimeoutSec = 901 }),
		`arch "riscv": it must be arm64 or x86_64`:                          with(described(1, 1), func(s *comparison.Spec) { s.Arch = "riscv" }),
		"payload of pool (1) has 6291457 bytes: Lambda takes 6291456":       with(described(1, 1), func(s *comparison.Spec) { s.Variants[0].Payload = quoted(6<<20 + 1) }),
		"262145 bytes: Step Functions takes 262144":                         onAWS(with(described(1, 1), func(s *comparison.Spec) { s.Variants[0].Payload = quoted(256<<10 + 1) })),
		"payload has 37748736 bytes over all variants": with(described(6, 1), func(s *comparison.Spec) {
			for i := range s.Variants {
				s.Variants[i].Payload = quoted(6 << 20)
			}
		}),
		"length of the prefix 1025: it must be": with(described(1, 1), func(s *comparison.Spec) { s.Objects = &comparison.Objects{Prefix: new(strings.Repeat("p", 1_025))} }),
		"objects: bytes -1: it must be":         with(described(1, 1), func(s *comparison.Spec) { s.Objects = &comparison.Objects{Bytes: -1} }),
		"length of function 20000":              with(described(1, 1), func(s *comparison.Spec) { s.Function = strings.Repeat("f", 20_000) }),
	} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate() = %v, want an error with %q", err, want)
		}
	}
}

// quoted is a JSON string of so many bytes.
func quoted(n int) json.RawMessage {
	return json.RawMessage(`"` + strings.Repeat("x", n-2) + `"`)
}

// An execution's ARN ends up in commands for a shell, and may come from a file.
func TestAnExecutionOfAnotherStateMachineIsRefused(t *testing.T) {
	for execution, ok := range map[string]bool{
		"arn:aws:states:us-east-1:123456789012:execution:powerTuning:pool-30": true,
		"arn:aws:states:us-east-1:123456789012:execution:other:pool-30":       false,
		"arn:aws:states:us-east-1:123456789012:execution:powerTuning:":        false,
		"arn:aws:states:us-east-1:123456789012:execution:powerTuning:a; id":   false,
		"rm": false,
	} {
		c := comparison.New(onAWS(described(1, 1)), time.Now())
		c.Variants[0].Execution = execution
		if err := c.Validate(); (err == nil) != ok {
			t.Errorf("Validate() with the execution %q = %v, want %v", execution, err, map[bool]string{true: "nil", false: "an error"}[ok])
		}
	}
}

func TestAConcurrencyWithoutEffectNamesTheStrategy(t *testing.T) {
	for want, strategies := range map[string][]string{"on none: it bounds pool, semaphore": nil, "on sequential: it bounds": {"sequential"}} {
		r := comparison.Request{Strategies: strategies, Concurrency: []int{10}} // of another function
		if _, err := comparison.Build(r); err == nil || !strings.Contains(err.Error(), "--concurrency has no effect "+want) {
			t.Errorf("Build() with the strategies %v and a concurrency = %v, want %q", strategies, err, want)
		}
	}
}
