package fit_test

import (
	"slices"
	"strings"
	"testing"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/fit"
	"lambda-parallel-io/tune/powertuning"
)

// here is a run on this machine, and aws one of 1,000 reads on AWS.
func here() *comparison.Comparison {
	figure := func(ms float64) comparison.Figure {
		return comparison.Figure{Value: ms, Low: 0.9 * ms, High: 1.1 * ms, Unit: "ms"}
	}
	return &comparison.Comparison{Mode: comparison.Local, Run: comparison.Run{Spec: comparison.Spec{Latency: "apg", Arch: "arm64"}},
		Calibration: &comparison.Calibration{Source: "this machine", Reads: []comparison.StrategyCost{{Strategy: "pool", CPU: figure(0.3)}, {Strategy: "semaphore", CPU: figure(0.33)}},
			Handshake: figure(1), WakeUp: figure(0.1), Core: figure(2)}}
}

func aws(v ...comparison.Result) *comparison.Comparison {
	return &comparison.Comparison{Mode: comparison.AWS, Variants: v,
		Run: comparison.Run{Spec: comparison.Spec{Region: "eu-west-1", Num: 6, DiscardTopBottom: 0.2, Repeat: 1_000, PowerValues: []int{512, 1_024, 3_008}}}}
}

func result(strategy string, n int, ms ...float64) comparison.Result {
	r := comparison.Result{Variant: comparison.Variant{Strategy: strategy, Concurrency: &n}}
	for i, d := range ms {
		r.Cells = append(r.Cells, comparison.Cell{Power: []int{512, 1_024, 3_008}[i], AverageMS: d})
	}
	return r
}

// At 3,008 MB all three sizes read: 1,000 + 2,000 + 5,000 a second. At 1,024 MB it
// is 1,000 + 2,000 + 2,000, since the largest has ended by then for most of the time.
func TestACellThatAsksForMoreThanS3GrantsIsLeftOut(t *testing.T) {
	c := here()
	if err := fit.Comparison(c, aws(result("pool", 100, 1_000, 500, 200), result("sequential", 1, 20_000, 0, 20_000), result("none", 1, 1_000)), "file"); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, k := range c.Checks {
		names = append(names, k.Name())
	}
	if want := []string{"pool (100) at 512 MB", "pool (100) at 1,024 MB", "sequential at 512 MB", "sequential at 3,008 MB"}; !slices.Equal(names, want) {
		t.Errorf("fitted to %q, want %q", names, want)
	}
}

// The level is from there, and what a read costs by one strategy beside another is
// as it was measured here. What the cells cannot tell stays.
func TestTheRatiosBetweenTheStrategiesStay(t *testing.T) {
	c := here()
	if err := fit.Comparison(c, aws(result("sequential", 1, 20_000, 20_000, 20_000)), "file"); err != nil {
		t.Fatal(err)
	}
	if k := c.Calibration; k.Fit.CPU || !k.Fit.Latency || len(k.Fit.Add) != 1 || k.CPU("pool") != here().Calibration.CPU("pool") || k.WakeUp.Value != comparison.LambdaWakeUpMS {
		t.Errorf("of sequential alone the calibration is %+v, want the reads' cost as it was, the wake-up as it is assumed, and what to add", k)
	}
	if c = here(); fit.Comparison(c, aws(result("pool", 100, 2_000)), "file") != nil {
		t.Fatal("pool alone cannot be fitted to")
	}
	k := c.Calibration
	if !k.Fit.CPU || k.Fit.Latency || c.Run.Latency != "apg" || k.Fit.S3Median.Low != k.Fit.S3Median.High {
		t.Errorf("of pool alone the calibration is %+v, S3 %s; want S3 as it was", k, c.Run.Latency)
	}
	if pool, other := k.CPU("pool"), k.CPU("semaphore"); pool.Value < 0.5 || pool.Low >= pool.Value || other.Value/pool.Value < 1.0999 || other.Value/pool.Value > 1.1001 {
		t.Errorf("a read costs %+v by pool and %+v by semaphore, want 1.1 times as much, and more than here", pool, other)
	}
	if !strings.HasPrefix(k.Source, "1 cell of file in eu-west-1; ") || !strings.HasSuffix(k.Source, ": this machine") {
		t.Errorf("the source is %q, want the cells' and this machine's", k.Source)
	}
}

func TestWhatCannotBeFittedToSaysWhatItTakes(t *testing.T) {
	parallel, cold, prefix := aws(result("pool", 100, 2_000)), aws(result("pool", 100, 2_000)), aws(result("pool", 100, 2_000))
	parallel.Run.ParallelInvocation, cold.Run.TuningInput, prefix.Run.Objects = true, &powertuning.Input{OnlyColdStarts: true}, &comparison.Objects{}
	for name, c := range map[string]*comparison.Comparison{"in parallel": parallel, "cold": cold, "many objects": prefix, "failed": aws(result("pool", 100, 0))} {
		if err := fit.Comparison(here(), c, "file"); err == nil || !strings.Contains(err.Error(), "file: no cell can be fitted to: it takes one that succeeded") {
			t.Errorf("%s: %v, want an error that says what it takes", name, err)
		}
	}
	if err := fit.Comparison(here(), aws(result("pool", 100, 200)), "file"); err == nil || !strings.Contains(err.Error(), "\nadd a cell") {
		t.Errorf("a cell of 200 ms: %v, want what to add", err)
	}
}

func TestACheckThatWasNotMeasuredIsNotFittedTo(t *testing.T) {
	c := here()
	c.Checks = []comparison.Check{{Place: comparison.Place{Strategy: "pool", Concurrency: new(100), Power: 512}, Repeat: 1_000}}
	if err := fit.Check(c); err == nil || !strings.Contains(err.Error(), "pool (100) at 512 MB was not measured: make the check again") {
		t.Errorf("%v, want an error that names the check", err)
	}
}
