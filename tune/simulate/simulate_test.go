package simulate_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sourcegraph/conc/iter"

	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/simulate"
)

// wide is a machine that nothing waits for: it has a core for everybody.
var wide = simulate.Machine{MemoryMB: 10_240, VCPUs: 2_000, Cores: 1_000, CoreVCPUs: 1, ThreadVCPUs: 1}

func s3(t testing.TB, name string) profile.S3 {
	t.Helper()
	s, err := profile.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// limitless is an S3 that grants every GET.
func limitless(t testing.TB, name string) profile.S3 {
	s := s3(t, name)
	s.GetsPerSecond, s.Burst = 1e9, 1e9
	return s
}

func draws(t testing.TB, name string, reads, n int) []simulate.Draw {
	d := make([]simulate.Draw, n)
	for k := range d {
		d[k] = simulate.NewDraw(s3(t, name), 1, uint64(k+1), reads)
	}
	return d
}

// cell reads with 0.3 ms of a vCPU each, over connections that are open.
func cell(t testing.TB, mb, workers, reads int) simulate.Invocation {
	return simulate.Invocation{
		Machine: simulate.Lambda(mb, "arm64"),
		Costs:   simulate.Costs{Before: 0.1, After: 0.2, Bytes: 9_374},
		S3:      s3(t, "apg"), Reads: reads, Workers: workers, Open: 900,
	}
}

func run(c simulate.Invocation, d simulate.Draw) simulate.Result {
	return new(simulate.Simulator).Run(c, d)
}

func median(in simulate.Invocation, d []simulate.Draw) simulate.Summary {
	return simulate.Summarize(in.Runs(d))
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*want) {
		t.Errorf("%s: %.2f, want %.2f within %.1f %%", what, got, want, 100*tolerance)
	}
}

func binds(t *testing.T, what string, r simulate.Result, want string) {
	t.Helper()
	if r.Binds() != want {
		t.Errorf("%s: %q binds, want %q: %+v", what, r.Binds(), want, r)
	}
}

func TestOneWorkerTakesTheSumOfWhatItDoes(t *testing.T) {
	c, d := cell(t, 10_240, 1, 500), draws(t, "apg", 500, 1)[0]
	want := 500 * 0.3 / 1.37
	for _, ms := range d.First {
		want += ms
	}
	r := run(c, d)
	near(t, "ms", r.DurationMS, want, 1e-6)
	near(t, "CPU ms", r.CPUMS, 500*0.3, 1e-6)
	binds(t, "one worker", r, simulate.Latency)
}

func TestWithoutLatencyOneWorkerTakesAThreadsTime(t *testing.T) {
	for arch, thread := range map[string]float64{"arm64": 1.37, "x86_64": 1} {
		c := cell(t, 10_240, 1, 500)
		c.Machine, c.S3 = simulate.Lambda(10_240, arch), limitless(t, "none")
		r := run(c, draws(t, "none", 500, 1)[0])
		near(t, arch+": ms", r.DurationMS, 500*0.3/thread, 1e-6)
		binds(t, arch, r, simulate.Processor)
	}
}

// On this machine a core may be faster than a thread of Lambda: it computes its
// share of a period in a shorter time, and stands still.
func TestAFastCoreGetsNoMoreThanAThread(t *testing.T) {
	c := cell(t, 10_240, 1, 5_000)
	c.CoreVCPUs, c.S3 = 2.5, limitless(t, "none")
	near(t, "ms", run(c, draws(t, "none", 5_000, 1)[0]).DurationMS, 5_000*0.3/1.37, 0.01)
}

func TestWhereTheProcessorBindsAllTakesItsTimeOverTheQuota(t *testing.T) {
	for _, mb := range []int{128, 256, 512, 1_024} {
		r := run(cell(t, mb, 120, 5_000), draws(t, "apg", 5_000, 1)[0])
		near(t, "ms", r.DurationMS, 5_000*0.3/(float64(mb)/1_769), 0.02)
		binds(t, "120 at a time", r, simulate.Processor)
	}
}

func TestWithCoresForEverybodyTheLongestReadIsTheEnd(t *testing.T) {
	c, d := cell(t, 128, 0, 500), draws(t, "apg", 500, 1)[0]
	c.Machine, c.S3 = wide, limitless(t, "apg")
	longest := 0.0
	for _, ms := range d.First {
		longest = max(longest, ms)
	}
	near(t, "ms", run(c, d).DurationMS, longest+0.3, 1e-6)
}

// Workers that just exceed the limit are held to it; more of them meet so many
// refusals that the handler's delays take time of their own.
func TestS3GrantsItsRateAndItsBurst(t *testing.T) {
	for workers, most := range map[int]float64{100: 1.1, 120: 1.3, 240: 2.5, 0: 2.5} {
		c := cell(t, 10_240, workers, 10_000)
		c.Before, c.After = 0.01, 0.02
		r := run(c, draws(t, "apg", 10_000, 1)[0])
		least := (10_000 - float64(c.S3.Burst)) / 5.5
		if r.DurationMS < least || r.DurationMS > most*least || r.Retries == 0 {
			t.Errorf("%d workers: %.0f ms and %d retries, want from %.0f ms to %g times that", workers, r.DurationMS, r.Retries, least, most)
		}
		binds(t, "S3's limit", r, simulate.Limit)
	}
}

func TestAnS3WithoutABurstTakesLonger(t *testing.T) {
	c, d := cell(t, 10_240, 0, 2_000), draws(t, "apg", 2_000, 1)[0]
	with := run(c, d)
	c.S3.Burst = 0
	without := run(c, d)
	if least := 2_000 / 5.5; without.DurationMS < least || without.DurationMS <= with.DurationMS {
		t.Errorf("without a burst %.0f ms, with one %.0f, want at least %.0f", without.DurationMS, with.DurationMS, least)
	}
}

func TestSlowerMachinesCostlierReadsAndASlowerS3TakeLonger(t *testing.T) {
	d := draws(t, "apg", 1_000, 1)[0]
	slower := draws(t, "1.2xapg", 1_000, 1)[0]
	for _, mb := range []int{128, 512, 1_769, 3_008, 10_240} {
		for _, workers := range []int{0, 1, 8, 30, 60, 120, 480} {
			c := cell(t, mb, workers, 1_000)
			c.S3 = limitless(t, "apg")
			was := run(c, d).DurationMS
			check := func(what string, c simulate.Invocation, d simulate.Draw) {
				t.Helper()
				if now := run(c, d).DurationMS; now < 0.99*was {
					t.Errorf("%d MB, %d workers, %s: %.1f ms, and %.1f without", mb, workers, what, now, was)
				}
			}
			check("a slower S3", c, slower)
			costly := c
			costly.After *= 1.3
			check("costlier reads", costly, d)
			waking := c
			waking.WakeUp = 0.1
			check("wake-ups", waking, d)
			small := c
			small.Machine = simulate.Lambda(max(128, mb*3/4), "arm64")
			check("less memory", small, d)
			few := c
			few.Workers = max(1, workers*3/4)
			if workers > 0 {
				check("fewer workers", few, d)
			}
		}
	}
}

func TestTheSameDrawGivesTheSameResultWhateverWasSimulatedBefore(t *testing.T) {
	var s simulate.Simulator
	d := draws(t, "apg", 1_000, 3)
	for _, mb := range []int{10_240, 128, 1_769} {
		for _, workers := range []int{0, 1, 60} {
			c := cell(t, mb, workers, 1_000)
			c.Open = 0
			c.Handshake, c.WakeUp = 1, 0.1
			for k := range d {
				if diff := cmp.Diff(run(c, d[k]), s.Run(c, d[k])); diff != "" {
					t.Errorf("%d MB, %d workers, draw %d: (-fresh +used)\n%s", mb, workers, k, diff)
				}
			}
		}
	}
}

func TestASweepGivesTheMedianOfEachCellOverTheSameDraws(t *testing.T) {
	d := draws(t, "apg", 300, 25)
	cells := []simulate.Invocation{cell(t, 512, 1, 300), cell(t, 512, 30, 300), cell(t, 10_240, 0, 300)}
	for i, results := range iter.Map(cells, func(in *simulate.Invocation) []simulate.Result { return in.Runs(d) }) {
		got := simulate.Summarize(results)
		below, at := 0, false
		for k := range d {
			r := run(cells[i], d[k])
			at = at || r == got.Result
			if r != results[k] {
				t.Errorf("cell %d, draw %d: %+v, alone %+v", i, k, results[k], r)
			}
			if r.DurationMS < got.DurationMS {
				below++
			}
		}
		if below != len(d)/2 || !at || got.LowMS >= got.DurationMS || got.HighMS <= got.DurationMS {
			t.Errorf("cell %d: %+v, want the result of the median draw: %d of %d are shorter", i, got, below, len(d))
		}
	}
}
