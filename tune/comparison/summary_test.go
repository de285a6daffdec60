package comparison_test

import (
	"math"
	"testing"
	"time"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/slowmotion"
)

// compare is a local run of variants v0, v1, ... whose cells are given.
func compare(cells ...[]comparison.Cell) *comparison.Comparison {
	c := &comparison.Comparison{Mode: comparison.Local, Run: comparison.Run{Spec: comparison.Spec{Arch: platform.ARM64, Region: "us-east-1", Repeat: 50}}}
	for i, cs := range cells {
		c.Variants = append(c.Variants, comparison.Result{Variant: comparison.Variant{Strategy: "v" + string(rune('0'+i))}, Cells: cs})
	}
	return c
}

func cell(power int, ms ...float64) comparison.Cell {
	c := comparison.Cell{Power: power, DurationsMS: ms}
	for _, d := range ms {
		c.BilledMS = append(c.BilledMS, int(math.Ceil(d)))
	}
	return c
}

func TestTheRecommendedCellHasTheLeastCostTimesDuration(t *testing.T) {
	failed := cell(512, 1)
	failed.Error = "out of memory"
	beyond := cell(512, 1)
	beyond.CPUShare = &comparison.CPUShare{Target: 0.29, Starved: 1} // of a machine with no core
	for _, test := range []struct {
		name    string
		c       *comparison.Comparison
		variant string // "" for none
		power   int
	}{
		{"fastest at the same size", compare([]comparison.Cell{cell(512, 100)}, []comparison.Cell{cell(512, 90)}), "v1", 512},
		// 1,024 MB for 60 ms costs 1.0 + 0.2 of 512 MB for 100 ms at 0.67 + 0.2: 60 x 1.2 x 0.833 against 100 x 0.867.
		{"dearer, but faster by more", compare([]comparison.Cell{cell(512, 100), cell(1024, 60)}), "v0", 1024},
		{"faster, but dearer by more", compare([]comparison.Cell{cell(512, 100), cell(10240, 60)}), "v0", 512},
		{"one slow outlier moves nothing", compare([]comparison.Cell{cell(512, 100), cell(10240, 60)}, []comparison.Cell{cell(10240, 90000)}), "v0", 512},
		{"failed cells are out", compare([]comparison.Cell{failed}, []comparison.Cell{cell(512, 90)}), "v1", 512},
		{"what is beyond this machine is out", compare([]comparison.Cell{beyond}, []comparison.Cell{cell(512, 90)}), "v1", 512},
		{"first of equals", compare([]comparison.Cell{cell(512, 90)}, []comparison.Cell{cell(512, 90)}), "v0", 512},
		{"median, not mean", compare([]comparison.Cell{cell(512, 10, 10, 1000)}, []comparison.Cell{cell(512, 20, 20, 20)}), "v0", 512},
		{"nothing measured", compare([]comparison.Cell{failed, beyond}, nil), "", 0},
	} {
		test.c.Recommendation = &comparison.Recommendation{Place: comparison.Place{Strategy: "stale"}}
		test.c.Recommend()
		got := test.c.Recommendation
		if test.variant == "" {
			if got != nil {
				t.Errorf("%s: Recommend() = %+v, want none", test.name, *got)
			}
			continue
		}
		if got == nil || got.Strategy != test.variant || got.Power != test.power {
			t.Errorf("%s: Recommend() = %+v, want %s at %d MB", test.name, got, test.variant, test.power)
			continue
		}
		if c := test.c.Recommended(); c == nil || c.Power != test.power {
			t.Errorf("%s: Recommended() = %v, want the recommended cell", test.name, c)
		}
	}
}

func TestARunOnAWSIsSummarizedByItsMeans(t *testing.T) {
	c := compare([]comparison.Cell{{Power: 1024, AverageMS: 99.4, AverageCost: powertuning.Price(1.7e-9, 1024, 101)}})
	c.Mode = comparison.AWS
	got, ok := c.Summarize(&c.Variants[0].Cells[0])
	// 101 ms x 1 GB at list price, and the request.
	want := 1e6*0.101*platform.PricePerGBSecondARM64 + 0.20
	if !ok || got.DurationMS != 99.4 || got.BilledMS != 101 || math.Abs(got.CostPerMillion-want) > 1e-9 {
		t.Errorf("Summarize() = %+v, %v, want 99.4 ms billed as 101 ms for $%v", got, ok, want)
	}
	if c.Recommend(); c.Recommendation == nil || c.Recommendation.Rule != "least (compute + request cost) x mean duration" {
		t.Errorf("Recommend() = %+v, want a rule that speaks of means", c.Recommendation)
	}
}

func TestGETsCostWhatS3Lists(t *testing.T) {
	if got := compare().GETCostPerMillion(); math.Abs(got-20) > 1e-9 {
		t.Errorf("GETCostPerMillion() of 50 reads = %v, want $20", got)
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{{[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}, {[]float64{7}, 7}} {
		if got := comparison.Median(test.values); got != test.want {
			t.Errorf("Median(%v) = %v, want %v", test.values, got, test.want)
		}
	}
	if got := comparison.Median([]int(nil)); !math.IsNaN(got) {
		t.Errorf("Median of nothing = %v, want NaN", got)
	}
}

func TestAComparisonOnAWSIsUnfinishedUntilEachVariantHasEnded(t *testing.T) {
	execution, failed, done := comparison.Result{Execution: "arn"}, comparison.Result{Error: "it failed"}, comparison.Result{Tuning: &powertuning.Output{}}
	for _, test := range []struct {
		mode     string
		variants []comparison.Result
		want     bool
	}{
		{comparison.AWS, []comparison.Result{done, execution}, true},
		{comparison.AWS, []comparison.Result{done, {}}, true},
		{comparison.AWS, []comparison.Result{{}, {}}, true}, // it was about to start one, which may run
		{comparison.AWS, []comparison.Result{done, failed}, false},
		{comparison.Local, []comparison.Result{{}, {}}, false},
	} {
		c := comparison.Comparison{Mode: test.mode, Variants: test.variants}
		if got := c.Unfinished(); got != test.want {
			t.Errorf("Unfinished(%s, %+v) = %t, want %t", test.mode, test.variants, got, test.want)
		}
	}
}

func TestACoreIsToldInVCPUsWithWhatChangedInTheRun(t *testing.T) {
	for _, tt := range []struct {
		cpu  *comparison.CPU
		slow int
		want string
	}{
		{nil, 0, "1.0"}, // an older file
		{&comparison.CPU{Factor: 2.04}, 1, "2.0"},
		{&comparison.CPU{Factor: 2.04}, 4, "8.2"},
		{&comparison.CPU{Factor: 2, Low: 1.95, High: 2.1}, 1, "2.0"},
		{&comparison.CPU{Factor: 2, Low: 1.3, High: 2.1}, 1, "1.3 to 2.1"},
		{&comparison.CPU{Factor: 2, Low: 1.3, High: 2.1}, 2, "2.6 to 4.2"},
	} {
		r := comparison.Run{CPU: tt.cpu}
		r.Slow = slowmotion.Factor(tt.slow)
		if got := r.Core(); got != tt.want {
			t.Errorf("%+v, slow %d: a core is %q vCPUs, want %q", tt.cpu, tt.slow, got, tt.want)
		}
	}
}

// A file may hold what no run computes: two points of a bounded strategy without a concurrency.
func TestTheBestConcurrencyIsFoundAmongPointsWithoutOne(t *testing.T) {
	at := func(concurrency *int, ms float64) comparison.Point {
		return comparison.Point{Place: comparison.Place{Strategy: "pool", Concurrency: concurrency, Power: 512}, DurationMS: ms}
	}
	m := comparison.Map{Points: []comparison.Point{at(nil, 100), at(new(30), 101), at(nil, 100)}}
	if got := m.At(comparison.Place{Strategy: "pool", Power: 512}); got != &m.Points[0] {
		t.Errorf("At() = %+v, want the first point without a concurrency", got)
	}
}

// A file may name a bounded strategy without a concurrency, which the function then chooses.
func TestAPlaceWithoutAConcurrencyLeavesItToTheFunction(t *testing.T) {
	for _, test := range []struct {
		concurrency *int
		want        string
	}{{nil, `{"strategy":"pool","repeat":3,"objectKey":"a"}`}, {new(7), `{"strategy":"pool","concurrency":7,"repeat":3,"objectKey":"a"}`}} {
		v := comparison.Place{Strategy: "pool", Concurrency: test.concurrency, Power: 512}.Variant("a", 3)
		if string(v.Payload) != test.want {
			t.Errorf("the payload is %s, want %s", v.Payload, test.want)
		}
	}
}

// A file may hold wrong conclusions.
func TestACellThatFailedIsComparedWithNone(t *testing.T) {
	c := comparison.New(comparison.Spec{Num: 1, PowerValues: []int{512}, Variants: []comparison.Variant{{Strategy: "pool"}}}, time.Now())
	c.Variants[0].Cells = []comparison.Cell{{Power: 512, Error: "it failed", Against: &comparison.Ratio{Value: 3}}}
	if c.Conclude(); c.Variants[0].Cells[0].Against != nil {
		t.Errorf("it is still compared: %+v", c.Variants[0].Cells[0].Against)
	}
}
