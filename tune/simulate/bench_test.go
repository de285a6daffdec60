package simulate_test

import (
	"testing"

	"github.com/sourcegraph/conc/iter"

	"lambda-parallel-io/tune/simulate"
)

// grid is what the map asks for: two strategies at each concurrency, sequential
// and unbounded, at twelve sizes.
func grid(t testing.TB, reads int) []simulate.Invocation {
	var cells []simulate.Invocation
	for _, mb := range []int{128, 256, 512, 1024, 1536, 1769, 2304, 3008, 4096, 5307, 7168, 10240} {
		for _, w := range []int{1, 0, 8, 15, 20, 30, 45, 60, 80, 100, 120, 160, 200, 240, 300, 480, 900} {
			for range min(max(w, 1), 2) {
				cells = append(cells, cell(t, mb, w, reads))
			}
		}
	}
	return cells
}

func BenchmarkSweep(b *testing.B) {
	cells, draws := grid(b, 2_000), draws(b, "apg", 2_000, 25)
	for b.Loop() {
		iter.Map(cells, func(in *simulate.Invocation) []simulate.Result { return in.Runs(draws) })
	}
	b.ReportMetric(float64(len(cells)*len(draws)*2_000*b.N)/b.Elapsed().Seconds(), "reads/s")
}

func BenchmarkRun(b *testing.B) {
	d := draws(b, "apg", 2_000, 1)[0]
	for _, c := range []struct {
		name  string
		mb, w int
	}{{"sequential", 1769, 1}, {"pool 60 at 512 MB", 512, 60}, {"pool 120 at 3008 MB", 3008, 120}, {"unbounded at 10240 MB", 10240, 0}} {
		b.Run(c.name, func(b *testing.B) {
			var s simulate.Simulator
			cell := cell(b, c.mb, c.w, 2_000)
			for b.Loop() {
				s.Run(cell, d)
			}
			b.ReportMetric(float64(2_000*b.N)/b.Elapsed().Seconds(), "reads/s")
		})
	}
}
