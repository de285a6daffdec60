package fit

import (
	"math"
	"slices"

	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/simulate"
)

// vector is what is fitted: the logarithms of two factors, and ms.
type vector [3]float64

const (
	cpu = iota
	latency
	wakeUp
)

// delta is what slopes are taken over.
var delta = vector{0.05, 0.05, 0.03}

// simulated is how many invocations of each cell are, at least.
const simulated = 20

// model computes what the cells take.
type model struct {
	cells []Cell
	draws []simulate.Draw // with the latencies that were assumed
}

func newModel(cells []Cell) *model {
	reads, n := 0, simulated
	for _, c := range cells {
		reads, n = max(reads, c.Reads), max(n, c.Num)
	}
	m := &model{cells: cells}
	for k := range n {
		m.draws = append(m.draws, simulate.NewDraw(cells[0].S3, 1, uint64(k+1), reads))
	}
	return m
}

// costing makes reads cost so many times as much.
func costing(in simulate.Invocation, times, wakeUp float64) simulate.Invocation {
	in.Before *= times
	in.After *= times
	in.Handshake *= times
	in.WakeUp = wakeUp
	in.Crowd = slices.Clone(in.Crowd)
	for i := range in.Crowd {
		in.Crowd[i].CPU *= times
	}
	return in
}

func scaled(ms []float64, times float64) []float64 {
	ms = slices.Clone(ms)
	for i := range ms {
		ms[i] *= times
	}
	return ms
}

// average is what Power Tuning would return of a cell in the mean, and by what
// share of it one of its figures is off for what its reads draw.
type average struct{ ms, off float64 }

func (m *model) averages(p vector) []average {
	var all []simulate.Invocation
	for _, c := range m.cells {
		all = append(all, costing(c.Invocation, math.Exp(p[cpu]), p[wakeUp]))
	}
	var draws []simulate.Draw
	for _, d := range m.draws {
		d.First, d.Again = scaled(d.First, math.Exp(p[latency])), scaled(d.Again, math.Exp(p[latency]))
		draws = append(draws, d)
	}
	var averages []average
	for i, results := range simulate.Sweep(all, draws) {
		averages = append(averages, m.cells[i].average(results))
	}
	return averages
}

// average compares like with like: trimmed means of as many invocations as Power
// Tuning has made.
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

// measured is the geometric mean of the executions' averages, in ms.
func (c *Cell) measured() float64 {
	product := 1.0
	for _, ms := range c.AveragesMS {
		product *= math.Pow(ms, 1/float64(len(c.AveragesMS)))
	}
	return product
}

// evidence is what the cells say, seen from one place.
type evidence struct {
	ms     []float64 // what the cells take there
	free   [3]bool   // which parameters they can tell
	step   vector    // from there to where they take what was measured
	errors vector    // standard errors
	spread float64   // by how many times as much the cells are off as they may be
}

func (m *model) at(p vector, withWakeUp bool) *evidence {
	e := &evidence{}
	averages, slopes := m.averages(p), make([]vector, len(m.cells))
	for j := range p {
		q := p
		q[j] += delta[j]
		for i, a := range m.averages(q) {
			slopes[i][j] = math.Log(a.ms/averages[i].ms) / delta[j]
		}
	}
	for i := range m.cells {
		e.ms = append(e.ms, averages[i].ms)
		if m.cells[i].measured() >= long {
			e.free[cpu] = e.free[cpu] || slopes[i][cpu] >= follows
			e.free[latency] = e.free[latency] || slopes[i][latency] >= follows
		}
	}
	e.free[wakeUp] = withWakeUp && e.free[cpu] && e.free[latency]
	e.solve(m.cells, averages, slopes)
	return e
}

func (e *evidence) tellsWakeUp() bool { return e.free[wakeUp] && e.errors[wakeUp] <= wakeUpError }

// descend goes from p to where the cells take what was measured. What they cannot
// tell is as assumed.
func (m *model) descend(p, assumed vector, withWakeUp bool) (vector, *evidence) {
	e := m.at(p, withWakeUp)
	for moved, n := true, 0; moved && n < maxSteps; n++ {
		moved = false
		for j, was := range p {
			p[j] = assumed[j]
			if e.free[j] {
				p[j] = was + max(-farthest[j], min(e.step[j], farthest[j]))
			}
			p[wakeUp] = max(0, p[wakeUp])
			moved = moved || math.Abs(p[j]-was) > enough
		}
		e = m.at(p, withWakeUp)
	}
	return p, e
}

// solve makes a step of Gauss and Newton's method to the least squares of what
// the cells are off by, as a share of what they may be off by.
func (e *evidence) solve(cells []Cell, averages []average, slopes []vector) {
	var normal [3]vector
	var right vector
	squares, spare := 0.0, float64(len(cells))
	for i, a := range averages {
		n := float64(len(cells[i].AveragesMS))
		variance := noise*noise/n + a.off*a.off*(1/n+float64(cells[i].Num)/simulated)
		off := math.Log(cells[i].measured() / a.ms)
		squares += off * off / variance
		for j, s := range slopes[i] {
			for k, t := range slopes[i] {
				if e.free[j] && e.free[k] {
					normal[j][k] += s * t / variance
				}
			}
			right[j] += s * off / variance
		}
	}
	for j, free := range e.free {
		normal[j][j] += ridge
		if free {
			spare--
		} else {
			right[j] = 0
		}
	}
	e.step, e.errors, e.spread = vector{}, vector{}, math.Sqrt(max(1, squares/max(1, spare)))
	for j, row := range invert(normal) {
		for k := range row {
			e.step[j] += row[k] * right[k]
		}
		if e.free[j] {
			e.errors[j] = math.Sqrt(row[j])
		}
	}
}

// ridge leaves nothing indefinite: no standard error is above 10.
const ridge = 0.01

// invert is Gauss and Jordan's method, for a matrix that is positive definite.
func invert(m [3]vector) (inverse [3]vector) {
	for i := range m {
		inverse[i][i] = 1
	}
	for i := range m {
		pivot := m[i][i]
		for k := range m {
			m[i][k] /= pivot
			inverse[i][k] /= pivot
		}
		for j := range m {
			factor := m[j][i]
			for k := range m {
				if j != i {
					m[j][k] -= factor * m[i][k]
					inverse[j][k] -= factor * inverse[i][k]
				}
			}
		}
	}
	return inverse
}
