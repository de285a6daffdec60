package compute

import (
	"slices"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/simulate"
)

// Load is one measured call of a strategy. Its costs are not known yet.
type Load struct {
	Strategy string
	simulate.Invocation
	Draw     simulate.Draw
	Measured simulate.Result // its duration, CPU time and new connections, and the peak of the process so far
}

// Busy is a number of reads in flight that saturates the CPU of a small memory size, but does not yet make each read
// more expensive.
const Busy = 60

// waitingMB is the memory of a read that waits for a connection: 10,000 unbounded reads take 128 MB, of which 900 are
// in flight (go test -bench . ./handler).
const waitingMB = 0.008

// Calibrate finds the costs with which the simulation reproduces the CPU time of each load and the duration of the
// sequential ones. The loads must have, for each bounded strategy, one of Busy reads in flight, one with fewer, some
// with more, and a sequential one. The interval of a figure spans what each of its loads gives. Before them warm had
// Busy reads in flight. Then opening had as many as any load, and opened the connections that all of them use.
func Calibrate(warm, opening Load, loads []Load, objectBytes int) *comparison.Calibration {
	c := &calibrator{&comparison.Calibration{ObjectBytes: objectBytes, Loads: len(loads), WaitingMB: waitingMB,
		Reads: make([]comparison.StrategyCost, len(strategies.All()))}, loads}
	crowds := []int{Busy}
	var handshakes []float64
	for _, l := range loads {
		if l.Workers > Busy {
			crowds = append(crowds, l.Workers)
		}
		if o := opening.Measured; l.Workers == opening.Workers && o.Connections > 0 {
			same := l.Measured.CPUMS * float64(opening.Reads) / float64(l.Reads)
			handshakes = append(handshakes, max(0, o.CPUMS-same)/float64(o.Connections))
		}
	}
	for _, n := range slices.Compact(slices.Sorted(slices.Values(crowds))) {
		c.Crowd = append(c.Crowd, comparison.CrowdCost{InFlight: n, CPU: Figure(nil, "ms")})
	}
	c.Handshake = Figure(handshakes, "ms")
	c.ReadMB = max(0, (opening.Measured.PeakMB-warm.Measured.PeakMB)/float64(opening.Workers-warm.Workers))
	c.BaseMB = max(0, warm.Measured.PeakMB-float64(warm.Workers)*c.ReadMB)
	// Each figure is solved with the others as known by then. After three passes nothing moves any more.
	for range 3 {
		read, none := c.read()
		for i, s := range strategies.All() {
			c.Reads[i] = comparison.StrategyCost{Strategy: s.Name, CPU: read}
			// A semaphore starts a goroutine for each read: it costs more, or what differs is noise. Sequential and unbounded
			// reads do the same work as the workers of a pool.
			if s.Bounded && s.Name != event.DefaultStrategy {
				own := Figure(c.solve(cpu, func(l Load) bool { return l.Strategy == s.Name }, readCost), "ms")
				if own.Low > read.High {
					c.Reads[i].CPU = own
				}
			}
		}
		c.WakeUp = Figure(c.solve(cpu, func(l Load) bool { return l.Workers < Busy },
			func(k *simulate.Costs, x float64) { k.WakeUp = x }), "ms")
		for i := range c.Crowd {
			f := &c.Crowd[i].CPU
			if *f = Figure(nil, "ms"); i > none {
				*f = Figure(c.solve(cpu, func(l Load) bool { return l.Workers == c.Crowd[i].InFlight },
					func(k *simulate.Costs, x float64) { k.Crowd[i].CPU = x }), "ms")
				if f.Low == 0 { // one of its loads cost no more: the rest is noise
					f.Value = 0
				}
			}
		}
		c.Late = Figure(c.solve(duration, func(l Load) bool { return l.Workers == 1 },
			func(k *simulate.Costs, x float64) { k.Late = x }), "ms")
	}
	return c.Calibration
}

// read finds the CPU time of a read by a worker, from the loads that keep less than a vCPU busy, so that few wake-ups
// disturb it: those of Busy reads in flight, and those with more that cost no more each, since then the difference is
// noise. They are those up to c.Crowd[none].
func (c *calibrator) read() (f comparison.Figure, none int) {
	var all, some []float64
	for i, k := range c.Crowd {
		found := c.solve(cpu, func(l Load) bool {
			s, _ := strategies.ByName(l.Strategy)
			return l.Workers == k.InFlight && l.VCPUs < 1 && (l.Strategy == event.DefaultStrategy || !s.Bounded)
		}, readCost)
		if all = append(all, found...); i == 0 || comparison.Median(found) < comparison.Median(some) {
			some, none = slices.Clone(all), i
		}
	}
	return Figure(some, "ms"), none
}

type calibrator struct {
	*comparison.Calibration
	loads []Load
}

func cpu(r simulate.Result) float64      { return r.CPUMS }
func duration(r simulate.Result) float64 { return r.DurationMS }

// solve finds the value of a cost, at least 0, with which the simulation reproduces the figure of each matching load.
func (c *calibrator) solve(figure func(simulate.Result) float64, match func(Load) bool, set func(*simulate.Costs, float64)) (found []float64) {
	var s simulate.Simulator
	for _, l := range c.loads {
		if !match(l) {
			continue
		}
		l.Open = l.Workers - l.Measured.Connections
		of := func(x float64) float64 {
			l.Costs = Costs(c.Calibration, l.Strategy, Middle)
			set(&l.Costs, x)
			return figure(s.Run(l.Invocation, l.Draw))
		}
		measured := figure(l.Measured)
		const step = 0.1
		x := 0.0
		for range 3 { // nearly a straight line
			now := of(x)
			if slope := (of(x+step) - now) / step; slope > 0 {
				x = max(0, x+(measured-now)/slope)
			}
		}
		found = append(found, x)
	}
	return found
}

// Figure returns the median of values, with an interval that holds them all, but for an eighth at each end.
func Figure(values []float64, unit string) comparison.Figure {
	n := len(values)
	if n == 0 {
		return comparison.Figure{Unit: unit}
	}
	sorted := slices.Sorted(slices.Values(values))
	return comparison.Figure{Value: comparison.Median(sorted), Low: sorted[n/8], High: sorted[n-1-n/8], Unit: unit}
}
