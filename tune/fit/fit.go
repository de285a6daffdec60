// Package fit finds how a Lambda on AWS differs from what was assumed of it, from the average durations that Power
// Tuning returned. It fits three numbers: a factor of a read's CPU time, a factor of S3's latencies, and the cost of a
// wake-up. With them, the simulation gives those averages.
//
// Each number is fitted only if the cells can tell it. A cell that saturates the CPU tells the CPU time, and one that
// reads one by one tells the latency, if it lasts for 50 periods: then the beginning and the end matter little. A
// wake-up takes cells of both kinds and one that is nearly saturated. A number that the cells cannot tell stays as assumed.
package fit

import (
	"math"
	"slices"
	"time"

	"github.com/sourcegraph/conc/iter"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/simulate"
)

const (
	long = 50 * float64(platform.Period/time.Millisecond) // ms that a cell lasts which tells the CPU time or the latency

	follows     = 0.7   // share of a parameter's change that its duration follows
	noise       = 0.02  // chosen standard error of an average, as a share of it, beside that of its reads' latencies
	wakeUpError = 0.05  // chosen, too: the largest standard error of a fitted wake-up, in ms
	simulated   = 20    // least number of simulated invocations of a cell
	maxSteps    = 12    // of the fit, which also ends
	enough      = 0.004 // after a step that moves no parameter by more
	ridge       = 0.01  // keeps a matrix positive definite: no standard error is above 10
)

// Cell is one measured memory size of a variant. All cells have the same S3.
type Cell struct {
	simulate.Invocation         // as assumed
	Num                 int     // measured invocations, at least 1
	Discard             float64 // share of them that the average leaves out at each end: 0 to 0.4
	AverageMS           float64 // above 0
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

// To fits the cells, of which there is at least one.
func To(cells []Cell) Lambda {
	reads, n := 0, simulated
	for _, c := range cells {
		reads, n = max(reads, c.Reads), max(n, c.Num)
	}
	m := &model{cells, vector{wakeUp: cells[0].WakeUp}, simulate.Draws(cells[0].S3, 1, n, reads)}
	assumed := m.at(m.assumed, false)
	e := m.descend(assumed, false)
	if all := m.at(e.at, true); all.tellsWakeUp() {
		if all = m.descend(all, true); all.tellsWakeUp() {
			e = all
		}
	}
	number := func(j int, of func(float64) float64) Number {
		half := 1.96 * e.spread * e.errors[j]
		return Number{of(e.at[j]), of(e.at[j] - half), of(e.at[j] + half), e.free[j]}
	}
	atLeast0 := func(ms float64) float64 { return max(0, ms) }
	l := Lambda{CPU: number(cpu, math.Exp), Latency: number(latency, math.Exp), WakeUp: number(wakeUp, atLeast0),
		AssumedMS: assumed.ms, ComputedMS: e.ms}
	for j, cell := range []string{
		cpu:     "a cell of a second or more that is CPU-bound, such as 1,000 reads by pool (100) at 512 MB",
		latency: "a cell of a second or more that reads one by one, as 200 reads by sequential at 1,769 MB",
	} {
		if !e.free[j] {
			l.Add = append(l.Add, cell)
		}
	}
	return l
}

// vector holds the fitted parameters: the logarithms of two factors, and ms.
type vector [3]float64

const (
	cpu = iota
	latency
	wakeUp
)

var (
	delta    = vector{0.05, 0.05, 0.03}        // the difference over which slopes are taken
	farthest = vector{math.Ln2, math.Ln2, 0.1} // the largest step
)

// model simulates the cells.
type model struct {
	cells   []Cell
	assumed vector
	draws   []simulate.Draw // with the latencies that were assumed
}

// average is the mean of what Power Tuning would return for a cell, in ms, and the standard deviation of one such
// figure as a share of it, from the latencies that its reads draw.
type average struct{ ms, off float64 }

func (m *model) averages(p vector) []average {
	draws := slices.Clone(m.draws)
	for k := range draws {
		for _, series := range []*[]float64{&draws[k].First, &draws[k].Again} {
			*series = slices.Clone(*series)
			for i := range *series {
				(*series)[i] *= math.Exp(p[latency])
			}
		}
	}
	return iter.Map(m.cells, func(assumed *Cell) average {
		c, times := *assumed, math.Exp(p[cpu])
		c.Before *= times
		c.After *= times
		c.Handshake *= times
		c.WakeUp = p[wakeUp]
		c.Crowd = slices.Clone(c.Crowd)
		for i := range c.Crowd {
			c.Crowd[i].CPU *= times
		}
		return c.average(c.Runs(draws))
	})
}

// average takes trimmed means of as many invocations as Power Tuning made, to compare like with like.
func (c *Cell) average(results []simulate.Result) (a average) {
	var ms, squares []float64
	for _, r := range results {
		ms = append(ms, r.DurationMS)
		squares = append(squares, r.DurationMS*r.DurationMS)
	}
	var means []float64
	for group := range slices.Chunk(ms[:len(ms)/c.Num*c.Num], c.Num) {
		means = append(means, powertuning.TrimmedMean(group, c.Discard))
	}
	mean := powertuning.TrimmedMean(ms, 0)
	variance := powertuning.TrimmedMean(squares, 0) - mean*mean
	return average{powertuning.TrimmedMean(means, 0), math.Sqrt(max(0, variance)/float64(c.Num)) / mean}
}

// evidence is what follows from the cells at one vector.
type evidence struct {
	at     vector
	ms     []float64 // what each cell takes there
	free   [3]bool   // which parameters the cells can tell
	step   vector    // from there towards what was measured
	errors vector    // standard errors
	spread float64   // how many times as far off the cells are as expected, at least 1
}

func (m *model) at(p vector, withWakeUp bool) *evidence {
	e := &evidence{at: p}
	averages, slopes := m.averages(p), make([]vector, len(m.cells))
	for j := range p {
		q := p
		q[j] += delta[j]
		for i, a := range m.averages(q) {
			slopes[i][j] = math.Log(a.ms/averages[i].ms) / delta[j]
		}
	}
	for i, c := range m.cells {
		e.ms = append(e.ms, averages[i].ms)
		e.free[cpu] = e.free[cpu] || c.AverageMS >= long && slopes[i][cpu] >= follows
		e.free[latency] = e.free[latency] || c.AverageMS >= long && slopes[i][latency] >= follows
	}
	e.free[wakeUp] = withWakeUp && e.free[cpu] && e.free[latency]

	// The Gauss-Newton step for the least squares of what the cells are off by, weighted by their variance.
	var normal [3]vector
	var right vector
	squares, spare := 0.0, float64(len(m.cells)) // spare counts degrees of freedom
	for i, a := range averages {
		variance := noise*noise + a.off*a.off*(1+float64(m.cells[i].Num)/simulated)
		off := math.Log(m.cells[i].AverageMS / a.ms)
		squares += off * off / variance
		for j, s := range slopes[i] {
			for k, t := range slopes[i] {
				if e.free[j] && e.free[k] {
					normal[j][k] += s * t / variance
				}
			}
			if e.free[j] {
				right[j] += s * off / variance
			}
		}
	}
	for j, free := range e.free {
		normal[j][j] += ridge
		if free {
			spare--
		}
	}
	e.spread = math.Sqrt(max(1, squares/max(1, spare)))
	for j, row := range invert(normal) {
		for k := range row {
			e.step[j] += row[k] * right[k]
		}
		if e.free[j] {
			e.errors[j] = math.Sqrt(row[j])
		}
	}
	return e
}

func (e *evidence) tellsWakeUp() bool { return e.free[wakeUp] && e.errors[wakeUp] <= wakeUpError }

// descend steps to the vector at which the cells take what was measured. What they cannot tell stays as assumed.
func (m *model) descend(e *evidence, withWakeUp bool) *evidence {
	for moved, n := true, 0; moved && n < maxSteps; n++ {
		moved = false
		p := m.assumed
		for j, was := range e.at {
			if e.free[j] {
				p[j] = was + max(-farthest[j], min(e.step[j], farthest[j]))
			}
			p[wakeUp] = max(0, p[wakeUp])
			moved = moved || math.Abs(p[j]-was) > enough
		}
		e = m.at(p, withWakeUp)
	}
	return e
}

// invert divides the cofactors by the determinant.
func invert(m [3]vector) (inverse [3]vector) {
	cofactor := func(i, j int) float64 {
		a, b, c, d := (j+1)%3, (j+2)%3, (i+1)%3, (i+2)%3
		return m[a][c]*m[b][d] - m[a][d]*m[b][c]
	}
	determinant := m[0][0]*cofactor(0, 0) + m[0][1]*cofactor(1, 0) + m[0][2]*cofactor(2, 0)
	for i := range m {
		for j := range m {
			inverse[i][j] = cofactor(i, j) / determinant
		}
	}
	return inverse
}
