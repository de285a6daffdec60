package report

import (
	"bytes"
	"sync"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
)

// computed is a map of a fixed calibration. It takes seconds, so it is made once.
func computed() *comparison.Comparison {
	c, err := comparison.Read(bytes.NewReader(onceComputed()))
	if err != nil {
		panic(err)
	}
	return c
}

var onceComputed = sync.OnceValue(func() []byte { return raw(calibrated()) })

// calibrated is that map with four checks: two agree, one
// disagrees and one was not made.
func calibrated() *comparison.Comparison {
	spec, err := comparison.Build(comparison.Request{Ours: true, Map: true, ObjectKey: "sample.json", BodyOfObject: make([]byte, 9_374),
		Spec: comparison.Spec{Region: "us-east-1", Latency: "apg", LatencyMeanMS: 15.76, Seed: 1, Function: "./handler"}})
	if err != nil {
		panic(err)
	}
	c := comparison.New(spec, time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	c.Run.OS, c.Run.CPUs, c.Run.CPU = "linux/amd64", 2, &comparison.CPU{Factor: 1.04, Low: 1, High: 1.08, Source: "measured"}
	c.Run.Versions = map[string]string{"go": "go1.26"}
	figure := func(v, spread float64, unit string) comparison.Figure {
		return comparison.Figure{Value: v, Low: v * (1 - spread), High: v * (1 + spread), Unit: unit}
	}
	c.Calibration = &comparison.Calibration{
		Source: "this machine",
		Reads: []comparison.StrategyCost{{Strategy: "pool", CPU: figure(0.29, 0.03, "ms")}, {Strategy: "semaphore", CPU: figure(0.31, 0.03, "ms")},
			{Strategy: "unbounded", CPU: figure(0.33, 0.03, "ms")}, {Strategy: "sequential", CPU: figure(0.29, 0.03, "ms")}},
		WakeUp: figure(0.11, 0.1, "ms"), Handshake: figure(1.4, 0.1, "ms"), Late: figure(0.3, 0.1, "ms"), Core: figure(1.04, 0.05, "vCPUs"),
		Crowd: []comparison.CrowdCost{{InFlight: 60, CPU: comparison.Figure{Unit: "ms"}}, {InFlight: 120, CPU: figure(0.01, 0.2, "ms")},
			{InFlight: 240, CPU: figure(0.03, 0.2, "ms")}, {InFlight: 900, CPU: figure(0.07, 0.2, "ms")}},
		ObjectBytes: 9_374, BaseMB: 25, ReadMB: 0.06, WaitingMB: 0.05, Loads: 11, Seconds: 11,
	}
	if err := compute.Map(c, compute.Sizes, comparison.LambdaWakeUpMS); err != nil {
		panic(err)
	}
	c.Map.Seconds = 2
	for i, k := range compute.Checks(c) {
		at := c.Map.At(k.Place).DurationMS * float64(k.Repeat) / float64(c.Run.Repeat)
		k.ComputedMS, k.LowMS, k.HighMS, k.Slow, k.Starved = at, 0.97*at, 1.03*at, 1+i, 0.1
		k.MeasuredMS = at * []float64{1.02, 0.96, 1.3, 0}[i]
		if k.MeasuredMS == 0 {
			k.LowMS, k.HighMS, k.ComputedMS, k.Slow, k.Unchecked = 0, 0, 0, 0, "it would take 18 s in slow motion"
		}
		c.Checks = append(c.Checks, k)
	}
	c.Recommend()
	return c
}
