// Package fit finds how a Lambda on AWS differs from what was assumed of it, from the average durations that Power
// Tuning returned. It fits three numbers: a factor of a read's CPU time, a factor of S3's latencies, and the cost of a
// wake-up. With them, the simulation gives those averages.
//
// Each number is fitted only if the cells can tell it. A cell that saturates the CPU tells the CPU time, and one that
// reads one by one tells the latency, if it lasts for 50 periods: then the beginning and the end matter little. A
// wake-up takes cells of both kinds and one that is nearly saturated. A number that the cells cannot tell stays as assumed.
package fit

import (
	"errors"
	"fmt"
	"math"
	"time"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/simulate"
)

const (
	// long is how many ms a cell must last to tell the CPU time or the latency.
	long = 50 * float64(platform.Period/time.Millisecond)

	// follows is the share of a parameter's change that the cell's duration must follow.
	follows = 0.7

	// noise is the standard error of an average, as a share of it, beside that of its reads' latencies. wakeUpError is
	// the largest standard error, in ms, of a fitted wake-up. Both are this project's choice.
	noise       = 0.02
	wakeUpError = 0.05

	// The fit ends after maxSteps, or after a step that moves no parameter by more than enough.
	maxSteps = 12
	enough   = 0.004
)

// farthest is the largest step of each parameter.
var farthest = vector{math.Ln2, math.Ln2, 0.1}

// Cell is one measured memory size of a variant. All cells have the same S3.
type Cell struct {
	simulate.Invocation         // as assumed
	Num                 int     // measured invocations
	Discard             float64 // share of them that the average leaves out at each end: 0 to 0.4
	AverageMS           float64
}

// Number is a figure with its interval of 95 %, which is the figure alone if it was not fitted.
type Number struct {
	Value, Low, High float64
	Fitted           bool
}

// Lambda holds the fitted numbers.
type Lambda struct {
	CPU     Number // factor of the assumed CPU time, wake-ups excluded
	Latency Number // factor of the assumed latencies
	WakeUp  Number // ms of a vCPU

	AssumedMS  []float64 // the average of each cell as assumed
	ComputedMS []float64 // and as fitted
	Add        []string  // what to measure, so that CPU and Latency can both be fitted
}

// On returns the invocation with the costs and latencies of that Lambda.
func (l Lambda) On(in simulate.Invocation) simulate.Invocation {
	in.S3 = in.S3.Scaled(l.Latency.Value)
	return costing(in, l.CPU.Value, l.WakeUp.Value)
}

// To fits the cells. An error names the cell that has no average.
func To(cells []Cell) (Lambda, error) {
	if len(cells) == 0 {
		return Lambda{}, errors.New("fitting a Lambda: there are no cells")
	}
	for _, c := range cells {
		if c.Num < 1 || !(c.AverageMS > 0) {
			return Lambda{}, fmt.Errorf("fitting %d reads by %d workers at %d MB: the average of %d invocations is %v ms, but both must be above 0",
				c.Reads, c.Workers, c.MemoryMB, c.Num, c.AverageMS)
		}
	}
	m := newModel(cells)
	assumed := vector{wakeUp: cells[0].WakeUp}
	p, e := m.descend(assumed, assumed, false)
	if m.at(p, true).tellsWakeUp() {
		if q, all := m.descend(p, assumed, true); all.tellsWakeUp() {
			p, e = q, all
		}
	}
	factor := func(j int) Number {
		half := 1.96 * e.spread * e.errors[j]
		return Number{math.Exp(p[j]), math.Exp(p[j] - half), math.Exp(p[j] + half), e.free[j]}
	}
	half := 1.96 * e.spread * e.errors[wakeUp]
	l := Lambda{CPU: factor(cpu), Latency: factor(latency), ComputedMS: e.ms,
		WakeUp: Number{p[wakeUp], max(0, p[wakeUp]-half), p[wakeUp] + half, e.free[wakeUp]}}
	for _, a := range m.averages(assumed) {
		l.AssumedMS = append(l.AssumedMS, a.ms)
	}
	if !e.free[cpu] {
		l.Add = append(l.Add, "a cell of a second or more that is CPU-bound, such as 1,000 reads by pool (100) at 512 MB")
	}
	if !e.free[latency] {
		l.Add = append(l.Add, "a cell of a second or more that reads one by one, as 200 reads by sequential at 1,769 MB")
	}
	return l, nil
}
