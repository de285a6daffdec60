package fit_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sourcegraph/conc/iter"

	"lambda-parallel-io/tune/fit"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/simulate"
)

func s3(t testing.TB, name string) profile.S3 {
	t.Helper()
	s, err := profile.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// played is a Lambda that differs from what is assumed of it.
type played struct {
	cpu     float64 // times what is assumed
	wakeUp  float64
	s3      string
	assumed string
	reads   int // of sequential: a second of them
}

func (p played) String() string { return fmt.Sprintf("%g times the CPU, S3 %s", p.cpu, p.s3) }

var lambdas = []played{
	{1.4, 0.05, "public", "apg", 200},
	{3, 0.05, "public", "apg", 200},
	{1.4, 0.05, "express", "2xexpress", 600},
	{3, 0.05, "express", "2xexpress", 600},
}

// assumed is a read of this machine's calibration, 0.3 ms of a vCPU.
func assumed(t testing.TB, s string, mb, workers, reads int) simulate.Invocation {
	return simulate.Invocation{
		Machine: simulate.Lambda(mb, "arm64"),
		Costs: simulate.Costs{Before: 0.1, After: 0.2, WakeUp: 0.05, Bytes: 9_374,
			Crowd: []simulate.Crowd{{InFlight: 60}, {InFlight: 240, CPU: 0.06}, {InFlight: 900, CPU: 0.1}}},
		S3: s3(t, s), Reads: reads, Workers: workers, Open: 900,
	}
}

// real is the same invocation on the Lambda.
func (p played) real(t testing.TB, in simulate.Invocation) simulate.Invocation {
	in.Before *= p.cpu
	in.After *= p.cpu
	in.WakeUp = p.wakeUp
	var crowd []simulate.Crowd
	for _, c := range in.Crowd {
		crowd = append(crowd, simulate.Crowd{InFlight: c.InFlight, CPU: p.cpu * c.CPU})
	}
	in.Crowd, in.S3 = crowd, s3(t, p.s3)
	return in
}

// measure plays an execution of Power Tuning, whose averages of ten invocations
// are 1.5 % off.
func (p played) measure(t testing.TB, seed uint64, in ...simulate.Invocation) (cells []fit.Cell) {
	random := rand.New(rand.NewPCG(seed, 1))
	var s simulate.Simulator
	for i, in := range in {
		c := fit.Cell{Invocation: in, Num: 10, Discard: 0.2}
		var ms []float64
		for k := range c.Num {
			d := simulate.NewDraw(s3(t, p.s3), 1_000+seed, uint64(100*i+k), in.Reads)
			ms = append(ms, s.Run(p.real(t, in), d).DurationMS)
		}
		c.AverageMS = powertuning.TrimmedMean(ms, c.Discard) * math.Exp(0.015*random.NormFloat64())
		cells = append(cells, c)
	}
	return cells
}

// three are the cells that a check on AWS measures.
func (p played) three(t testing.TB) []simulate.Invocation {
	return []simulate.Invocation{
		assumed(t, p.assumed, 1_769, 120, 1_000),
		assumed(t, p.assumed, 512, 120, 1_000),
		assumed(t, p.assumed, 1_769, 1, p.reads),
	}
}

// SLOW=1 tries each Lambda with 100 seeds.
func TestThreeCellsOnAWSTellTheProcessorAndTheLatency(t *testing.T) {
	seeds := 5
	if os.Getenv("SLOW") != "" {
		seeds = 100
	}
	inside := 0
	for _, p := range lambdas {
		near, latency := 0, float64(s3(t, p.s3).Median)/float64(s3(t, p.assumed).Median)
		for seed := range seeds {
			l := fit.To(p.measure(t, uint64(seed), p.three(t)...))
			off := func(n fit.Number, want float64) float64 {
				if n.Low <= want && want <= n.High && n.High < 1.4*n.Low {
					inside++
				}
				return math.Abs(n.Value/want - 1)
			}
			if cpu, s3 := off(l.CPU, p.cpu), off(l.Latency, latency); cpu <= 0.07 && s3 <= 0.1 && l.CPU.Fitted && l.Latency.Fitted {
				near++
			} else {
				t.Logf("%v, seed %d: %+v, want %g and %.3g", p, seed, l, p.cpu, latency)
			}
		}
		if float64(near) < 0.9*float64(seeds) {
			t.Errorf("%v: the processor within 7 %% and the median latency within 10 %% in %d of %d, want 90 %%", p, near, seeds)
		}
	}
	if all := 2 * len(lambdas) * seeds; float64(inside) < 0.9*float64(all) {
		t.Errorf("%d of %d intervals hold what is true and are narrow, want 19 of 20", inside, all)
	}
}

// Of cells of one kind there is one number, and the other is what was assumed.
func TestWithoutOneKindOfCellThereIsOneNumberAndWhatToAdd(t *testing.T) {
	p := lambdas[0]
	pool := func(mb int) simulate.Invocation { return assumed(t, p.assumed, mb, 100, 1_000) }
	for _, x := range []struct {
		name         string
		in           []simulate.Invocation
		cpu, latency bool
		add          string
	}{
		{"three sizes of pool (100)", []simulate.Invocation{pool(512), pool(1_024), pool(1_769)}, true, false, "by sequential at 1,769 MB"},
		{"sequential", p.three(t)[2:], false, true, "by pool (100) at 512 MB"},
		{"less than a second of each", []simulate.Invocation{assumed(t, p.assumed, 512, 100, 500), assumed(t, p.assumed, 1_769, 1, 30)}, false, false, "by pool (100) at 512 MB;by sequential at 1,769 MB"},
		{"all three", p.three(t), true, true, ""},
	} {
		l := fit.To(p.measure(t, 1, x.in...))
		if l.CPU.Fitted != x.cpu || !x.cpu && l.CPU != (fit.Number{Value: 1, Low: 1, High: 1}) ||
			l.Latency.Fitted != x.latency || !x.latency && l.Latency != (fit.Number{Value: 1, Low: 1, High: 1}) {
			t.Errorf("%s: %+v, want the processor fitted: %v, the latency: %v", x.name, l, x.cpu, x.latency)
		}
		if add := strings.Split(x.add, ";"); x.add != "" && len(l.Add) != len(add) || x.add == "" && len(l.Add) > 0 {
			t.Errorf("%s: it says to add %q, want %q", x.name, l.Add, add)
		} else {
			for i := range l.Add {
				if !strings.HasSuffix(l.Add[i], add[i]) {
					t.Errorf("%s: it says to add %q, want %q", x.name, l.Add, add)
				}
			}
		}
	}
}

// Pool (15) at 512 MB uses up its quota by its wake-ups, which pool (120) hardly
// has and sequential has no way to tell from S3's latency.
func TestAWakeUpIsFittedOnlyWhereTheCellsCanTellIt(t *testing.T) {
	p := lambdas[0]
	p.wakeUp = 0.2
	for seed := range uint64(2) {
		if w := fit.To(p.measure(t, seed, p.three(t)...)).WakeUp; w.Fitted || w.Value != 0.05 {
			t.Errorf("seed %d: without such a cell a wake-up is %+v ms, want the 0.05 that were assumed", seed, w)
		}
		some := append(p.three(t), assumed(t, p.assumed, 512, 15, 1_000), assumed(t, p.assumed, 512, 20, 1_000), assumed(t, p.assumed, 1_024, 30, 1_000))
		l := fit.To(p.measure(t, seed, append(some, some...)...)) // two executions
		if w := l.WakeUp; !w.Fitted || math.Abs(w.Value-0.2) > 0.1 || w.Low > 0.2 || w.High < 0.2 {
			t.Errorf("seed %d: beside nearly saturated cells a wake-up is %+v ms, want 0.2", seed, w)
		}
	}
}

// The setting with the least cost x duration on the fitted Lambda is within 5 %
// of the best one there, in the geometric mean of both.
func TestTheFittedAnswerIsNextToTheBestOne(t *testing.T) {
	for _, p := range lambdas {
		l := fit.To(p.measure(t, 1, p.three(t)...))
		var fitted, real []simulate.Invocation
		for _, mb := range []int{512, 1_024, 1_769, 2_304, 3_008, 4_096} {
			for _, workers := range []int{15, 30, 60, 120, 240} {
				in := assumed(t, p.assumed, mb, workers, 1_000)
				on := played{cpu: l.CPU.Value, wakeUp: l.WakeUp.Value, s3: in.S3.Scaled(l.Latency.Value).String()}
				fitted, real = append(fitted, on.real(t, in)), append(real, p.real(t, in))
			}
		}
		product := func(all []simulate.Invocation, name string) (products []float64) {
			var draws []simulate.Draw
			for k := range uint64(9) {
				draws = append(draws, simulate.NewDraw(s3(t, name), 5, k, 1_000))
			}
			for i, results := range iter.Map(all, func(in *simulate.Invocation) []simulate.Result { return in.Runs(draws) }) {
				ms := simulate.Summarize(results).DurationMS
				products = append(products, ms*ms*float64(all[i].MemoryMB))
			}
			return products
		}
		best := func(products []float64) int { return slices.Index(products, slices.Min(products)) }
		there := product(real, p.s3)
		chosen, least := best(product(fitted, fitted[0].S3.String())), best(there)
		if worse := math.Sqrt(there[chosen] / there[least]); worse > 1.05 {
			t.Errorf("%v: the fit chooses %d workers at %d MB, %.3f times as bad as %d at %d MB", p, real[chosen].Workers, real[chosen].MemoryMB, worse, real[least].Workers, real[least].MemoryMB)
		}
	}
}
