package comparison

import (
	"slices"
	"testing"
)

// The concurrency follows the processor: more of it, or less work a read, and
// more reads can wait meanwhile.
func TestTheConcurrencyIsPredictedFromTheFastestBoundedCell(t *testing.T) {
	one, few, many := 1, 4, 60
	cell := func(power int, ms, target, used float64) Cell {
		return Cell{Power: power, DurationsMS: []float64{ms}, BilledMS: []int{int(ms)}, CPUShare: &CPUShare{Target: target, Used: used}}
	}
	c := &Comparison{
		Mode: Local,
		Run:  Run{CPUs: 2, CPU: &CPU{Factor: 2}, Spec: Spec{PowerValues: []int{128, 1769, 3538, 10240}, Repeat: 100, LatencyMeanMS: 15}},
		Variants: []Result{
			{Variant: Variant{Strategy: "sequential", Concurrency: &one}, Cells: []Cell{cell(128, 1, 0.07, 0.05), cell(3538, 1, 2, 1)}},
			{Variant: Variant{Strategy: "pool", Concurrency: &few}, Cells: []Cell{cell(128, 900, 0.07, 0.07), cell(1769, 400, 1, 0.5)}},
			{Variant: Variant{Strategy: "pool", Concurrency: &many}, Cells: []Cell{{Power: 128, Error: "out of memory"}, cell(1769, 50, 1, 0.6), cell(10240, 10, 5.8, 0.01)}},
		},
	}
	c.Predict()
	want := []Prediction{
		{128, 30, 0.63},     // 3 x (15 ms + 9.8) x 0.07 / 0.63 ms would be 8: it is stopped for 98 % of a period
		{1769, 225, 0.3},    // 3 x (15 ms + 7.5) x 1 / 0.3 ms: for 75 %
		{10240, 247, 0.001}, // 3 x 15 ms x 5.5: more S3 does not grant
	}
	near := func(a, b Prediction) bool {
		return a.Power == b.Power && a.Concurrency == b.Concurrency && a.CPUPerRead/b.CPUPerRead > 0.99 && a.CPUPerRead/b.CPUPerRead < 1.01
	}
	if !slices.EqualFunc(c.Predictions, want, near) {
		t.Errorf("Predictions = %+v, want %+v: of sequential and of failed cells there are none", c.Predictions, want)
	}
	c.Run.LatencyMeanMS = 0
	if c.Predict(); len(c.Predictions) > 0 {
		t.Errorf("without latency: %+v, want none", c.Predictions)
	}
}
