package compute_test

import (
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
)

// calibrated is a comparison whose reads cost what some machine measured.
func calibrated(t testing.TB, change func(*comparison.Request)) *comparison.Comparison {
	t.Helper()
	r := comparison.Request{Ours: true, Map: true, Spec: comparison.Spec{ObjectKey: "sample.json", Region: "us-east-1", Latency: "apg", Seed: 1, Function: "./handler"}}
	if change != nil {
		change(&r)
	}
	spec, err := comparison.Build(r)
	if err != nil {
		t.Fatal(err)
	}
	c := comparison.New(spec, time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	figure := func(v, spread float64, unit string) comparison.Figure {
		return comparison.Figure{Value: v, Low: v * (1 - spread), High: v * (1 + spread), Unit: unit}
	}
	c.Calibration = &comparison.Calibration{
		Source: "this machine",
		Reads: []comparison.StrategyCost{{Strategy: "pool", CPU: figure(0.29, 0.03, "ms")}, {Strategy: "semaphore", CPU: figure(0.31, 0.03, "ms")},
			{Strategy: "unbounded", CPU: figure(0.29, 0.03, "ms")}, {Strategy: "sequential", CPU: figure(0.29, 0.03, "ms")}},
		WakeUp: figure(0.11, 0.1, "ms"), Handshake: figure(1.4, 0.1, "ms"), Late: figure(0.3, 0.1, "ms"), Core: figure(2, 0.05, "vCPUs"),
		Crowd:       []comparison.CrowdCost{{InFlight: 60, CPU: comparison.Figure{}}, {InFlight: 120, CPU: figure(0.01, 0.2, "ms")}, {InFlight: 240, CPU: figure(0.03, 0.2, "ms")}, {InFlight: 900, CPU: figure(0.07, 0.2, "ms")}},
		ObjectBytes: 9473, BaseMB: 25, ReadMB: 0.06, WaitingMB: 0.01, Loads: 8, Seconds: 11,
	}
	return c
}

func BenchmarkMap(b *testing.B) {
	for b.Loop() {
		c := calibrated(b, nil)
		if err := compute.Map(c, compute.Sizes); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(c.Map.Points)), "points")
	}
}

// byDefault is the map of the default question, which several tests look at.
var byDefault = sync.OnceValue(func() *comparison.Comparison { return mapped(&testing.T{}, nil) })

func mapped(t testing.TB, change func(*comparison.Request)) *comparison.Comparison {
	t.Helper()
	c := calibrated(t, change)
	if err := compute.Map(c, compute.Sizes); err != nil {
		t.Fatal(err)
	}
	return c
}

// What is recommended is what the page says: the least cost x duration of the
// matrix, but for settings that the calibration does not tell apart.
func TestTheAnswerIsTheBestOfTheMatrixAsFarAsTheCalibrationTells(t *testing.T) {
	c := byDefault()
	a := c.Map.Answer
	if a == nil || !a.Usable() || !slices.Contains(c.Run.PowerValues, a.Power) {
		t.Fatalf("the answer is %+v, want a usable point at a size of the matrix", a)
	}
	for _, v := range c.Variants {
		for _, cell := range v.Cells {
			p := cell.Computed
			best := p.Product() * p.LowMS * p.LowMS / p.DurationMS / p.DurationMS
			if p.Usable() && a.Product() > p.Product() && a.Product()*a.LowMS*a.LowMS/a.DurationMS/a.DurationMS > p.Product() && best < p.Product() {
				t.Errorf("%s has %.0f ms x $, and the answer %s at %d MB %.0f, beyond its interval", p.Name(), p.Product(), a.Label(), a.Power, a.Product())
			}
		}
	}
	if a.Sequential == nil || a.Sequential.DurationMS < 20*a.DurationMS || a.Default == nil || *a.Default.Concurrency != event.DefaultWorkers(a.Power) {
		t.Errorf("the answer is beside %+v and %+v, want sequential reads and the function's own default at its size", a.Sequential, a.Default)
	}
	if a.Power > 3_008 && (a.SmallAccount == nil || a.SmallAccount.Power > 3_008) {
		t.Errorf("an answer at %d MB does not say what is best for an account that has no more than 3,008 MB", a.Power)
	}
}

// A pool is taken at the smallest concurrency that is near its best, so it may be a
// twentieth slower than unbounded reads, which its best concurrency equals.
func TestUnboundedIsNotRecommendedForWhatAPoolDoesAsWell(t *testing.T) {
	c := calibrated(t, nil)
	c.Calibration.Crowd = nil // many in flight cost nothing
	if err := compute.Map(c, compute.Sizes); err != nil {
		t.Fatal(err)
	}
	if c.Map.Answer.Strategy != "pool" {
		t.Errorf("the answer is %s, want a pool", c.Map.Answer.Name())
	}
}

// From some concurrency on more of it gains nothing: the smallest one that is as
// good as the best within a twentieth is told.
func TestTheSmallestConcurrencyIsTakenThatIsNearTheBest(t *testing.T) {
	c := byDefault()
	for _, power := range c.Run.PowerValues {
		best := c.Map.At(comparison.Place{Strategy: "pool", Power: power})
		for _, p := range c.Map.Points {
			if p.Strategy != "pool" || p.Power != power || p.Binds == "memory" {
				continue
			}
			if p.DurationMS < best.DurationMS/1.05-1e-9 || p.DurationMS < best.DurationMS && *p.Concurrency < *best.Concurrency {
				t.Errorf("at %d MB %s takes %.0f ms, and %s with %.0f was taken for the best", power, p.Label(), p.DurationMS, best.Label(), best.DurationMS)
			}
		}
	}
}

// How much S3 grants at once nobody has published: what depends on it says so, is
// shown without it and is not recommended.
func TestWhatRestsOnS3sBurstIsNotRecommended(t *testing.T) {
	c := byDefault()
	p := c.Map.At(comparison.Place{Strategy: "unbounded", Power: 10_240})
	if p == nil || !p.Limited() || p.Usable() || p.DurationMS < 1e3*1_500/5_500 {
		t.Errorf("2,000 reads at once at 10,240 MB: %+v, want S3's limit, and at least the time of what is above its burst", p)
	}
	for _, p := range c.Map.Points {
		if p.Usable() && 1e3*float64(c.Run.Repeat)/p.DurationMS > 5_500 {
			t.Errorf("%s makes 2,000 reads in %.0f ms, faster than S3 grants, and can be recommended", p.Name(), p.DurationMS)
		}
	}
	if c.Map.Answer.Limited() {
		t.Errorf("the answer %+v rests on S3's burst", c.Map.Answer.Point)
	}
}

// Lambda ends a call at its timeout: however cheap that looks, it is no answer.
func TestWhatDoesNotEndBeforeTheTimeoutIsNotRecommended(t *testing.T) {
	c := mapped(t, func(r *comparison.Request) {
		r.Strategies, r.Repeat = []string{"sequential", "pool"}, new(20_000)
		r.Spec.PowerValues, r.Spec.TimeoutSec = []int{128, 1_769}, 30
	})
	a := c.Map.Answer
	if a == nil || a.DurationMS >= 30_000 || a.Sequential != nil {
		t.Fatalf("the answer is %+v, want one that ends within 30 s, and no comparison with 20,000 reads one by one, which does not", a)
	}
	for _, p := range c.Map.Points {
		if late := p.DurationMS >= 30_000; late != p.Killed() || late && p.Usable() {
			t.Errorf("%s takes %.0f ms of 30,000, bound by %s", p.Name(), p.DurationMS, p.Binds)
		}
	}
	c = mapped(t, func(r *comparison.Request) {
		r.Strategies, r.Repeat, r.Spec.PowerValues = []string{"sequential"}, new(100_000), []int{128}
	})
	if p := c.Variants[0].Cells[0].Computed; c.Map.Answer != nil || p.Binds != comparison.Timeout {
		t.Errorf("100,000 reads one by one: answer %+v, %+v; want none, and the timeout", c.Map.Answer, p)
	}
}

func TestTheSameQuestionHasTheSameAnswerAndAnotherSeedANeighbour(t *testing.T) {
	few := func(seed uint64) func(*comparison.Request) {
		return func(r *comparison.Request) { r.Repeat, r.Spec.Seed = new(500), seed }
	}
	first := mapped(t, few(1))
	at := slices.Index(first.Run.PowerValues, first.Map.Answer.Power)
	for seed := uint64(1); seed <= 5; seed++ {
		c := mapped(t, few(seed))
		if seed == 1 && !reflect.DeepEqual(c.Map, first.Map) {
			t.Error("the same calibration and seed gave another map")
		}
		got := slices.Index(c.Run.PowerValues, c.Map.Answer.Power)
		if c.Map.Answer.Strategy != first.Map.Answer.Strategy || got < at-1 || got > at+1 {
			t.Errorf("seed %d: %s at %d MB, want %s at %d MB or a neighbouring size", seed, c.Map.Answer.Label(), c.Map.Answer.Power, first.Map.Answer.Strategy, first.Map.Answer.Power)
		}
	}
}

func TestAMapHasExactlyWhatIsAskedFor(t *testing.T) {
	c := calibrated(t, func(r *comparison.Request) {
		r.Strategies, r.Concurrency, r.Spec.PowerValues = []string{"pool", "sequential"}, []int{60, 120}, []int{512, 1_769}
	})
	if err := compute.Map(c, nil); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range c.Map.Points {
		got = append(got, p.Name())
	}
	want := []string{"pool (60) at 512 MB", "pool (60) at 1,769 MB", "pool (120) at 512 MB", "pool (120) at 1,769 MB", "sequential at 512 MB", "sequential at 1,769 MB"}
	if !slices.Equal(got, want) {
		t.Errorf("the points are %q, want %q", got, want)
	}
}

// A calibration that is sure leaves no interval, and one that is not leaves one that
// holds what the ends of its figures give.
func TestTheIntervalIsWhatTheCalibrationLeavesOpen(t *testing.T) {
	c := byDefault()
	p := c.Map.At(comparison.Place{Strategy: "pool", Concurrency: new(60), Power: 512})
	if p.Binds != "processor" || p.HighMS < 1.02*p.DurationMS || p.LowMS > 0.98*p.DurationMS || p.HighMS > 1.05*p.DurationMS {
		t.Errorf("reads that cost 3 %% more or less: %+v, want about as much of the time that the processor binds", p)
	}
	if p := c.Map.At(comparison.Place{Strategy: "sequential", Concurrency: new(1), Power: 1_024}); p.HighMS > 1.005*p.DurationMS {
		t.Errorf("reads one by one wait for S3: %+v, want next to no interval", p)
	}
}
