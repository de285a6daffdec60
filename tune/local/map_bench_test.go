//go:build linux

package local

import (
	"context"
	"fmt"
	"log"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
)

// BenchmarkComputedAgainstMeasured calibrates this machine, measures cells that
// were not used for that, in slow motion where this machine needs it, each the median
// of six, and prints the table of docs/trust.md: it reports, and fails for nothing. It
// takes minutes on a machine that does nothing else:
//
//	go test -run '^$' -bench ComputedAgainstMeasured -benchtime 1x -timeout 60m ./tune/local
func BenchmarkComputedAgainstMeasured(b *testing.B) {
	for b.Loop() {
		computedAgainstMeasured(b)
	}
}

func computedAgainstMeasured(b *testing.B) {
	const reads, rounds = 1_000, 6
	body, err := os.ReadFile("../../sample.json")
	if err != nil {
		b.Fatal(err)
	}
	spec, err := comparison.Build(comparison.Request{Ours: true, Map: true, Repeat: new(reads), ObjectKey: "sample.json", BodyOfObject: body,
		Spec: comparison.Spec{Region: "us-east-1", Latency: "apg", Seed: 1, Function: "../../handler"}})
	if err != nil {
		b.Fatal(err)
	}
	c := comparison.New(spec, time.Now())
	c.Run.CPUs, c.Run.CPULimit = Cores()
	t, err := New(Options{Objects: []Object{{Key: "sample.json", Body: func() ([]byte, error) { return body, nil }}}, Verbose: log.New(os.Stderr, "", 0)})
	if err != nil {
		b.Fatal(err)
	}
	defer t.Close()
	ctx := context.Background()
	if err := t.Calibrate(ctx, c, func(comparison.Progress) error { return nil }); err != nil {
		b.Fatal(err)
	}
	fmt.Printf("a read %.3f ms of a vCPU, a wake-up %.3f, a core %.2f vCPUs\n", c.Calibration.CPU("pool").Value, c.Calibration.WakeUp.Value, c.Calibration.Core.Value)
	var places []comparison.Place
	for _, mb := range []int{512, 1_024, 1_769, 3_008} {
		for _, n := range []int{8, 30, 90, 160, 480} {
			places = append(places, comparison.Place{Strategy: "pool", Concurrency: &n, Power: mb})
		}
		places = append(places, comparison.Place{Strategy: "unbounded", Power: mb}, comparison.Place{Strategy: "semaphore", Concurrency: new(60), Power: mb})
	}
	places = append(places, comparison.Place{Strategy: "pool", Concurrency: new(8), Power: 128}, comparison.Place{Strategy: "pool", Concurrency: new(30), Power: 128})
	if err := compute.Map(c, compute.Sizes, comparison.LambdaWakeUpMS); err != nil {
		b.Fatal(err)
	}
	var off []float64
	for _, p := range places {
		k := comparison.Check{Place: p, Repeat: reads}
		var ms []float64
		for slow := t.slowFor(c, &k); slow <= comparison.MaxSlow; slow *= 2 {
			if ms, err = t.check(ctx, c, &k, slow, rounds); err != nil {
				b.Fatal(err)
			}
			if k.Starved <= maxStarved {
				break
			}
		}
		off = append(off, math.Abs(k.MeasuredMS/k.ComputedMS-1))
		fmt.Printf("| %s | %d | %.0f | %.0f to %.0f | %.0f | %.0f to %.0f | %+.0f %% | %d | %.2f |\n", p.Label(), p.Power, k.ComputedMS, k.LowMS, k.HighMS, k.MeasuredMS, slices.Min(ms), slices.Max(ms), 100*(k.MeasuredMS/k.ComputedMS-1), k.Slow, k.Starved)
	}
	slices.Sort(off)
	n := len(off)
	b.ReportMetric(100*off[n/2], "%median")
	b.ReportMetric(100*off[n*9/10], "%p90")
	b.ReportMetric(float64(n), "cells")
}
