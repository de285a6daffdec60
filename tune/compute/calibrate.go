package compute

import (
	"slices"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/simulate"
)

// Load is one measured call: Reads reads by a strategy.
type Load struct {
	Strategy    string
	InFlight    int // reads at once
	Reads       int
	Machine     simulate.Machine
	S3          profile.S3
	Draw        simulate.Draw
	DurationMS  float64
	CPUMS       float64 // of a vCPU
	Connections int     // that it opened
	PeakMB      float64 // of the process so far
}

// Busy is a number of reads in flight that saturates the CPU of a small memory size, but does not yet make each read
// more expensive.
const Busy = 60

// waitingMB is the memory of a read that waits for a connection: 10,000 unbounded reads take 128 MB, of which 900 are
// in flight (go test -bench . ./handler).
const waitingMB = 0.008

// Calibrate finds the costs with which the simulation reproduces the CPU time of each load and the duration of the
// sequential ones. The loads come in rounds, each with the same ones in the same order. A round must have one load of
// Busy reads in flight by each bounded strategy, one with fewer, one with more, and a sequential one. The interval of
// a figure holds what each of its loads gives.
func Calibrate(loads []Load, rounds, objectBytes int) *comparison.Calibration {
	c := &calibrator{&comparison.Calibration{ObjectBytes: objectBytes, Loads: len(loads) / rounds, WaitingMB: waitingMB,
		Crowd: []comparison.CrowdCost{{InFlight: Busy, CPU: Figure(nil, "ms")}}, Handshake: handshake(loads, rounds)}, loads}
	for _, l := range loads {
		if l.InFlight > c.Crowd[len(c.Crowd)-1].InFlight {
			c.Crowd = append(c.Crowd, comparison.CrowdCost{InFlight: l.InFlight})
		}
	}
	for _, s := range strategies.Names() {
		c.Reads = append(c.Reads, comparison.StrategyCost{Strategy: s})
	}
	cpu := func(r simulate.Result) float64 { return r.CPUMS }
	duration := func(r simulate.Result) float64 { return r.DurationMS }
	// Each figure is solved with the others as known by then. After three passes nothing moves any more.
	for range 3 {
		for i := range c.Reads {
			r := &c.Reads[i]
			of := r.Strategy
			if s, _ := strategies.ByName(of); !s.Bounded {
				of = event.DefaultStrategy // sequential and unbounded reads do the same work, without a bound to wait for
			}
			r.CPU = c.solve(cpu, func(l Load) bool { return l.Strategy == of && l.InFlight == Busy },
				func(k *simulate.Costs, x float64) { k.Before, k.After = before*x, x-before*x })
		}
		c.WakeUp = c.solve(cpu, func(l Load) bool { return l.InFlight < Busy },
			func(k *simulate.Costs, x float64) { k.WakeUp = x })
		for i := range c.Crowd {
			if i > 0 {
				c.Crowd[i].CPU = c.solve(cpu, func(l Load) bool { return l.InFlight == c.Crowd[i].InFlight },
					func(k *simulate.Costs, x float64) { k.Crowd[i].CPU = x })
			}
		}
		c.Late = c.solve(duration, func(l Load) bool { return l.InFlight == 1 },
			func(k *simulate.Costs, x float64) { k.Late = x })
	}
	c.memory()
	return c.Calibration
}

type calibrator struct {
	*comparison.Calibration
	loads []Load
}

// solve finds the value of a cost, at least 0, with which the simulation reproduces the measured figure of each matching load.
func (c *calibrator) solve(figure func(simulate.Result) float64, match func(Load) bool, set func(*simulate.Costs, float64)) comparison.Figure {
	var found []float64
	var s simulate.Simulator
	for _, l := range c.loads {
		if !match(l) {
			continue
		}
		of := func(x float64) float64 {
			costs := Costs(c.Calibration, l.Strategy, Middle)
			set(&costs, x)
			return figure(s.Run(simulate.Invocation{Machine: l.Machine, Costs: costs, S3: l.S3, Reads: l.Reads, Workers: l.InFlight, Open: l.InFlight - l.Connections}, l.Draw))
		}
		measured := figure(simulate.Result{DurationMS: l.DurationMS, CPUMS: l.CPUMS})
		const step = 0.1
		x := 0.0
		for range 3 { // nearly a straight line
			if slope := (of(x+step) - of(x)) / step; slope > 0 {
				x = max(0, x+(measured-of(x))/slope)
			}
		}
		found = append(found, x)
	}
	return Figure(found, "ms")
}

// Figure returns the median of values, with an interval that holds them all.
func Figure(values []float64, unit string) comparison.Figure {
	if len(values) == 0 {
		return comparison.Figure{Unit: unit}
	}
	return comparison.Figure{Value: comparison.Median(values), Low: slices.Min(values), High: slices.Max(values), Unit: unit}
}

// handshake is the CPU time of a new connection: a load of the first round takes more than the same one of the last round,
// which opened fewer.
func handshake(loads []Load, rounds int) comparison.Figure {
	const tells = 30 // connections: with fewer the difference is noise
	var each []float64
	n := len(loads) / rounds
	for i := range n {
		first, last := loads[i], loads[i+(rounds-1)*n]
		if opened := first.Connections - last.Connections; opened >= tells {
			each = append(each, max(0, (first.CPUMS-last.CPUMS)/float64(opened)))
		}
	}
	return Figure(each, "ms")
}

// memory sets ReadMB and BaseMB from the peaks of the first round, in which more and more reads are in flight.
func (c *calibrator) memory() {
	peak := map[int]float64{} // MB, by reads in flight
	for _, l := range c.loads[:c.Loads] {
		peak[l.InFlight] = l.PeakMB
	}
	if most := c.Crowd[len(c.Crowd)-1].InFlight; most > Busy {
		c.ReadMB = max(0, (peak[most]-peak[Busy])/float64(most-Busy))
		c.BaseMB = max(0, peak[Busy]-Busy*c.ReadMB)
	}
}
