package compute_test

import (
	"testing"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
)

// calibrated is a comparison whose reads cost what some machine measured.
func calibrated(t testing.TB, change func(*comparison.Request)) *comparison.Comparison {
	t.Helper()
	r := comparison.Request{Ours: true, Map: true, ObjectKey: "sample.json", Spec: comparison.Spec{Region: "us-east-1", Latency: "apg", Seed: 1, Function: "./handler"}}
	if change != nil {
		change(&r)
	}
	spec, err := comparison.Build(r)
	if err != nil {
		t.Fatal(err)
	}
	c := comparison.New(spec, time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	figure := func(v, spread float64, unit string) comparison.Figure {
		return comparison.Figure{Value: v, Low: v * (1 - spread), High: v * (1 + spread), Unit: unit}
	}
	c.Calibration = &comparison.Calibration{
		Source: "this machine",
		Reads: []comparison.StrategyCost{{Strategy: "pool", CPU: figure(0.29, 0.03, "ms")}, {Strategy: "semaphore", CPU: figure(0.31, 0.03, "ms")},
			{Strategy: "unbounded", CPU: figure(0.29, 0.03, "ms")}, {Strategy: "sequential", CPU: figure(0.29, 0.03, "ms")}},
		WakeUp: figure(0.11, 0.1, "ms"), Handshake: figure(1.4, 0.1, "ms"), Late: figure(0.3, 0.1, "ms"), Core: figure(2, 0.05, "vCPUs"),
		Crowd:       []comparison.CrowdCost{{InFlight: 60, CPU: comparison.Figure{}}, {InFlight: 120, CPU: figure(0.01, 0.2, "ms")}, {InFlight: 240, CPU: figure(0.03, 0.2, "ms")}, {InFlight: 900, CPU: figure(0.07, 0.2, "ms")}},
		ObjectBytes: 9473, BaseMB: 25, ReadMB: 0.06, WaitingMB: 0.01, Loads: 8, Seconds: 11,
	}
	return c
}

func BenchmarkMap(b *testing.B) {
	for b.Loop() {
		c := calibrated(b, nil)
		if err := compute.Map(c, compute.Sizes, comparison.LambdaWakeUpMS); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(c.Map.Points)), "points")
	}
}
