package compute_test

import (
	"math"
	"testing"

	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/simulate"
)

// The loads of a machine are simulated with costs that are known, and its rounds
// scatter by 2 %: the calibration finds the costs.
func TestACalibrationFindsWhatTheLoadsCost(t *testing.T) {
	s3, err := profile.Parse("apg")
	if err != nil {
		t.Fatal(err)
	}
	type load struct {
		strategy        string
		inFlight, reads int
		power           int
	}
	loads := []load{{"sequential", 1, 60, 1_769}, {"pool", 15, 300, 3_008}, {"pool", 60, 400, 512}, {"semaphore", 60, 400, 512},
		{"pool", 120, 500, 512}, {"pool", 120, 600, 3_008}, {"pool", 240, 600, 512}, {"pool", 240, 800, 3_008},
		{"unbounded", 600, 600, 512}, {"unbounded", 600, 600, 3_008}}
	for _, wakeUp := range []float64{0.02, 0.3} {
		read := map[string]float64{"sequential": 0.3, "pool": 0.3, "semaphore": 0.34, "unbounded": 0.3}
		costs := func(strategy string) simulate.Costs {
			cpu := read[strategy]
			return simulate.Costs{Before: cpu / 3, After: cpu * 2 / 3, WakeUp: wakeUp, Handshake: 1.2, Late: 0.4,
				Crowd: []simulate.Crowd{{InFlight: 60}, {InFlight: 120, CPU: 0.02}, {InFlight: 240, CPU: 0.05}, {InFlight: 600, CPU: 0.1}}}
		}
		made := 0
		call := func(l load, opens int) compute.Load {
			machine := simulate.Lambda(l.power, "arm64")
			machine.CoreVCPUs, machine.Cores = 2, 2
			c := compute.Load{Strategy: l.strategy, Invocation: simulate.Invocation{Machine: machine, S3: s3, Reads: l.reads, Workers: l.inFlight},
				Draw: simulate.NewDraw(s3, 1, uint64(made), l.reads), Measured: simulate.Result{Connections: opens, PeakMB: 25 + 0.05*float64(l.inFlight)}}
			var s simulate.Simulator
			r := s.Run(simulate.Invocation{Machine: machine, Costs: costs(l.strategy), S3: s3, Reads: l.reads, Workers: l.inFlight, Open: l.inFlight - opens}, c.Draw)
			c.Measured.DurationMS, c.Measured.CPUMS = r.DurationMS, r.CPUMS*(1+0.02*math.Cos(float64(7*made+made%10)))
			made++
			return c
		}
		warm, opening := call(load{"pool", 60, 3_000, 3_008}, 60), call(load{"unbounded", 600, 600, 3_008}, 540)
		var called []compute.Load
		for _, l := range append(loads, loads...) {
			called = append(called, call(l, 0))
		}
		got := compute.Calibrate(warm, opening, called, 9_473)
		for _, i := range []int{2, 12} { // the machine was slow for a moment
			called[i].Measured.CPUMS *= 1.25
		}
		scattered := compute.Calibrate(warm, opening, called, 9_473)
		near := func(what string, got, want, within float64) {
			if math.Abs(got-want) > within {
				t.Errorf("where a wake-up costs %g ms, %s is %.3f, want %.3f within %.3f", wakeUp, what, got, want, within)
			}
		}
		for strategy, want := range read {
			near("a read by "+strategy, got.CPU(strategy).Value, want, 0.03*want)
		}
		near("a read by pool, with an outlier", scattered.CPU("pool").Value, read["pool"], 0.15*read["pool"])
		near("a wake-up", got.WakeUp.Value, wakeUp, 0.02+0.1*wakeUp)
		near("a handshake", got.Handshake.Value, 1.2, 0.3)
		near("an answer's delay", got.Late.Value, 0.4, 0.1)
		for i, want := range []float64{0, 0.02, 0.05, 0.1} {
			near("what many in flight add", got.Crowd[i].CPU.Value, want, 0.03)
		}
		near("the memory of a read", got.ReadMB, 0.05, 0.001)
		near("the memory without reads", got.BaseMB, 25, 0.1)
	}
}
