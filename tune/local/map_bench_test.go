//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/local/lambda"
	"lambda-parallel-io/tune/slowmotion"
)

// BenchmarkComputedAgainstMeasured calibrates this machine, measures cells that
// were not used for that, in slow motion where this machine needs it, each the median
// of six, and prints the table of docs/trust.md: it reports, and fails for nothing. It
// takes minutes on a machine that does nothing else:
//
//	go test -run '^$' -bench ComputedAgainstMeasured -benchtime 1x -timeout 60m ./tune/local
//
// On a shared host the CPU time of a read changes by half for seconds. So before each
// call a second process makes a load of the calibration, and a cell is computed with
// what that costs then, in proportion.
func BenchmarkComputedAgainstMeasured(b *testing.B) {
	for b.Loop() {
		computedAgainstMeasured(b)
	}
}

func computedAgainstMeasured(b *testing.B) {
	const reads, rounds = 1_000, 6
	calibrations, checkRounds = rounds, rounds
	body, err := os.ReadFile("../../sample.json")
	if err != nil {
		b.Fatal(err)
	}
	spec, err := comparison.Build(comparison.Request{Ours: true, Map: true, Repeat: new(reads),
		Spec: comparison.Spec{ObjectKey: "sample.json", ObjectBytes: len(body), Region: "us-east-1", Latency: "apg", Seed: 1, Function: "../../handler"}})
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
	found := c.Calibration
	fmt.Printf("a read %.3f ms of a vCPU, by a semaphore %.3f, a wake-up %.3f, more in flight %v, a core %.2f vCPUs\n",
		found.CPU("pool").Value, found.CPU("semaphore").Value, found.WakeUp.Value, found.Crowd, found.Core.Value)
	var places []comparison.Place
	for _, mb := range []int{512, 1_024, 1_769, 3_008} {
		for _, n := range []int{8, 30, 90, 160, 480} {
			places = append(places, comparison.Place{Strategy: "pool", Concurrency: &n, Power: mb})
		}
		places = append(places, comparison.Place{Strategy: "unbounded", Power: mb}, comparison.Place{Strategy: "semaphore", Concurrency: new(60), Power: mb})
	}
	places = append(places, comparison.Place{Strategy: "pool", Concurrency: new(8), Power: 128}, comparison.Place{Strategy: "pool", Concurrency: new(30), Power: 128})
	var off []float64
	for _, p := range places {
		k := comparison.Check{Place: p, Repeat: reads}
		var ms []float64
		var times float64
		c.Calibration = found
		for slow := t.slowFor(c, &k); slow <= comparison.MaxSlow; slow *= 2 {
			if ms, times, err = t.checkBeside(ctx, c, found, &k, slow); err != nil {
				b.Fatal(err)
			}
			if k.Starved <= maxStarved {
				break
			}
		}
		off = append(off, math.Abs(k.MeasuredMS/k.ComputedMS-1))
		fmt.Printf("| %s | %d | %.0f | %.0f to %.0f | %.0f | %.0f to %.0f | %+.0f %% | %d | %.2f | %.2f |\n", p.Label(), p.Power, k.ComputedMS, k.LowMS, k.HighMS,
			k.MeasuredMS, slices.Min(ms), slices.Max(ms), 100*(k.MeasuredMS/k.ComputedMS-1), k.Slow, k.Starved, times)
	}
	slices.Sort(off)
	n := len(off)
	b.ReportMetric(100*off[n/2], "%median")
	b.ReportMetric(100*off[n*9/10], "%p90")
	b.ReportMetric(float64(n), "cells")
}

// checkBeside is check with a load of the calibration before each round. It computes
// the check with CPU times that are as many times the calibrated ones as the load takes
// then, which it returns.
func (t *Tuner) checkBeside(ctx context.Context, c *comparison.Comparison, found *comparison.Calibration, k *comparison.Check, slow slowmotion.Factor) (ms []float64, times float64, err error) {
	run := c.Run
	run.Slow = slow
	var f *lambda.Function
	var costs []float64
	ms, err = t.check(ctx, c, k, slow, func(p comparison.Progress) error {
		if p.Finished != "" {
			return nil
		}
		if f == nil {
			f = t.function(run, run.Function, roomy)
			warmUp := load(run, event.DefaultStrategy, compute.Busy, warmReads, roomy)
			if err := t.call(ctx, f, c, &warmUp, 0); err != nil {
				return err
			}
		}
		beside := load(run, event.DefaultStrategy, compute.Busy, 400, saturated)
		err := t.call(ctx, f, c, &beside, len(costs)+1)
		costs = append(costs, beside.Measured.CPUMS*float64(slow.Times())/float64(beside.Reads))
		return err
	})
	if f != nil {
		f.Close()
	}
	if err == nil && ms == nil {
		err = errors.New(k.Unchecked)
	}
	if err != nil {
		return nil, 0, err
	}
	times = comparison.Median(costs) / found.CPU(event.DefaultStrategy).Value
	scaled := *found
	scaled.Reads, scaled.Crowd = slices.Clone(found.Reads), slices.Clone(found.Crowd)
	figures := []*comparison.Figure{&scaled.WakeUp, &scaled.Handshake}
	for i := range scaled.Reads {
		figures = append(figures, &scaled.Reads[i].CPU)
	}
	for i := range scaled.Crowd {
		figures = append(figures, &scaled.Crowd[i].CPU)
	}
	for _, f := range figures {
		f.Value, f.Low, f.High = times*f.Value, times*f.Low, times*f.High
	}
	c.Calibration = &scaled
	t.compute(c, k, slow)
	return ms, times, nil
}
