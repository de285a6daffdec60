package fit

import (
	"math"
	"slices"

	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/simulate"
)

// vector holds the fitted parameters: the logarithms of two factors, and ms.
type vector [3]float64

const (
	cpu = iota
	latency
	wakeUp
)

// delta is the difference over which slopes are taken.
var delta = vector{0.05, 0.05, 0.03}

// simulated is the least number of simulated invocations of a cell.
const simulated = 20

// model simulates the cells.
type model struct {
	cells []Cell
	draws []simulate.Draw // with the latencies that were assumed
}

func newModel(cells []Cell) *model {
	reads, n := 0, simulated
	for _, c := range cells {
		reads, n = max(reads, c.Reads), max(n, c.Num)
	}
	return &model{cells, simulate.Draws(cells[0].S3, 1, n, reads)}
}

// costing multiplies the cost of reads, and sets that of a wake-up.
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

// average is the mean of what Power Tuning would return for a cell, in ms, and the standard deviation of one such
// figure as a share of it, from the latencies that its reads draw.
type average struct{ ms, off float64 }

func (m *model) averages(p vector) (averages []average) {
	var all []simulate.Invocation
	for _, c := range m.cells {
		all = append(all, costing(c.Invocation, math.Exp(p[cpu]), p[wakeUp]))
	}
	draws := slices.Clone(m.draws)
	for k := range draws {
		for _, series := range []*[]float64{&draws[k].First, &draws[k].Again} {
			*series = slices.Clone(*series)
			for i := range *series {
				(*series)[i] *= math.Exp(p[latency])
			}
		}
	}
	for i, results := range simulate.Sweep(all, draws) {
		averages = append(averages, m.cells[i].average(results))
	}
	return averages
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
	ms     []float64 // what each cell takes there
	free   [3]bool   // which parameters the cells can tell
	step   vector    // from there towards what was measured
	errors vector    // standard errors
	spread float64   // how many times as far off the cells are as expected, at least 1
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
		if m.cells[i].AverageMS >= long {
			e.free[cpu] = e.free[cpu] || slopes[i][cpu] >= follows
			e.free[latency] = e.free[latency] || slopes[i][latency] >= follows
		}
	}
	e.free[wakeUp] = withWakeUp && e.free[cpu] && e.free[latency]
	e.solve(m.cells, averages, slopes)
	return e
}

func (e *evidence) tellsWakeUp() bool { return e.free[wakeUp] && e.errors[wakeUp] <= wakeUpError }

// descend steps from p to the vector at which the cells take what was measured. What they cannot tell stays as assumed.
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

// solve sets the Gauss-Newton step for the least squares of what the cells are off by, weighted by their variance.
func (e *evidence) solve(cells []Cell, averages []average, slopes []vector) {
	var normal [3]vector
	var right vector
	squares, spare := 0.0, float64(len(cells)) // spare counts degrees of freedom
	for i, a := range averages {
		variance := noise*noise + a.off*a.off*(1+float64(cells[i].Num)/simulated)
		off := math.Log(cells[i].AverageMS / a.ms)
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

// ridge keeps the matrix positive definite: no standard error is above 10.
const ridge = 0.01

// invert divides the cofactors by the determinant.
func invert(m [3]vector) (inverse [3]vector) {
	for i := range m {
		for j := range m {
			a, b, c, d := (j+1)%3, (j+2)%3, (i+1)%3, (i+2)%3
			inverse[i][j] = m[a][c]*m[b][d] - m[a][d]*m[b][c]
		}
	}
	determinant := m[0][0]*inverse[0][0] + m[0][1]*inverse[1][0] + m[0][2]*inverse[2][0]
	for i := range m {
		for j := range m {
			inverse[i][j] /= determinant
		}
	}
	return inverse
}
