package builds

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
)

// machine measures builds whose cells change alters, with heavy-tailed noise and a drift that slows the machine
// down.
type machine struct {
	r      *rand.Rand
	spread float64 // of a logarithm
	change func(build string, cell *comparison.Cell, a *event.Answer)
	takes  time.Duration // an environment
	alike  float64       // the tolerance; 0 is 0.1
	turns  int
}

// noise is Student's t with 3 degrees of freedom: one of 100 draws is five spreads off.
func (m *machine) noise() float64 {
	chi := 0.0
	for range 3 {
		chi += math.Pow(m.r.NormFloat64(), 2)
	}
	return math.Exp(m.spread * m.r.NormFloat64() / math.Sqrt(chi/3))
}

func (m *machine) tune(_ context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	if err := observe(comparison.Progress{Now: "old"}); err != nil {
		return err
	}
	c.Run.CPU = &comparison.CPU{Factor: 1.5}
	for _, power := range c.Run.PowerValues {
		order := m.r.Perm(2)
		cells := make([]comparison.Cell, 2)
		for i, v := range c.Variants {
			cells[i] = comparison.Cell{Power: power, InitMS: 40 * m.noise(), MaxMemoryMB: int(60 * m.noise()), Requests: 100}
			a := event.Answer{ObjectsRead: 100, CPUSec: 0.03}
			for range c.Run.Num {
				drift := 1 + float64(m.turns+order[i])/200
				ms := 400 * drift * m.noise()
				cells[i].DurationsMS = append(cells[i].DurationsMS, ms)
			}
			if m.change != nil {
				m.change(v.Name, &cells[i], &a)
			}
			for _, ms := range cells[i].DurationsMS {
				cells[i].CoreMS += 0.3 * ms / float64(c.Run.Num)
				cells[i].BilledMS = append(cells[i].BilledMS, int(math.Ceil(ms)))
			}
			if cells[i].Response == nil {
				cells[i].Response, _ = json.Marshal(a)
			}
			c.Variants[i].Cells = append(c.Variants[i].Cells, cells[i])
			time.Sleep(m.takes)
		}
		m.turns += 2
	}
	return nil
}

func measure(t testing.TB, m *machine, how comparison.Run, failOn ...string) *Result {
	t.Helper()
	r := &Result{Old: "./a", New: "./b", FailOn: failOn, Tolerance: cmp.Or(m.alike, 0.1)}
	how.Arch, how.Variants = "arm64", []comparison.Variant{{Strategy: "pool", Payload: []byte("{}")}}
	if err := r.Measure(context.Background(), how, m.tune, func(comparison.Progress) error { return nil }); err != nil {
		t.Fatal(err)
	}
	return r
}

func sized(most int, sizes ...int) (how comparison.Run) {
	how.PowerValues, how.Num, how.ForSec = sizes, most, 3600
	return how
}

func (r *Result) cell(figure string, power int) Cell {
	i := slices.IndexFunc(r.Cells, func(c Cell) bool { return c.Figure == figure && c.Power == power })
	return r.Cells[i]
}

func TestAFigureIsJudgedByItsIntervalAndTheTolerance(t *testing.T) {
	around := func(ratio, spread float64) (old, new []float64) {
		for i := range 12 {
			old = append(old, 100)
			new = append(new, 100*ratio*math.Exp(spread*(float64(i)-5.5)/5.5))
		}
		return old, new
	}
	for _, tt := range []struct {
		what          string
		ratio, spread float64
		want          Verdict
	}{
		{"equal, and known to a hundredth", 1, 0.01, Same},
		{"4 % slower for certain is within the tolerance", 1.04, 0.02, Same},
		{"15 % slower for certain", 1.15, 0.02, Slower},
		{"15 % faster for certain", 1 / 1.15, 0.02, Faster},
		{"9 % slower for certain is not beyond the tolerance", 1.09, 0.04, Open},
		{"9 % faster for certain is not either", 1 / 1.09, 0.04, Open},
		{"15 % slower, perhaps", 1.15, 0.5, Open},
		{"15 % faster, perhaps", 1 / 1.15, 0.5, Open},
		{"equal, perhaps", 1, 0.5, Open},
	} {
		old, new := around(tt.ratio, tt.spread)
		c := judge(old, new, 0.1, 3)
		if c.Verdict != tt.want || (c.Needs > 0) != (tt.want == Open) {
			t.Errorf("%s: %.3f [%.3f, %.3f] is %s with %d pairs needed, want %s", tt.what, c.Ratio, c.Low, c.High, c.Verdict, c.Needs, tt.want)
		}
	}
	// An interval that is to be half as wide takes four times as many pairs.
	old, wide := around(1, 0.4)
	_, narrow := around(1, 0.2)
	if ratio := float64(judge(old, wide, 0.1, 3).Needs) / float64(judge(old, narrow, 0.1, 3).Needs); ratio < 3.5 || ratio > 4.5 {
		t.Errorf("twice the spread needs %.1f times the pairs, want about 4", ratio)
	}
	// With three looks 2 to the power of -7 is the first that is a third of 2.5 %.
	if c := judge([]float64{1, 1, 1, 1, 1, 1}, []float64{9, 9, 9, 9, 9, 9}, 0.1, 3); c.Verdict != Open || c.Low != 0 || c.Needs != 7 {
		t.Errorf("six pairs of nine times as much are %s, from %g on, and %d are needed; want open, without an interval, and 7", c.Verdict, c.Low, c.Needs)
	}
}

func TestThePairsThatAreNeededDecide(t *testing.T) {
	m := &machine{r: rand.New(rand.NewPCG(7, 7)), spread: 0.2, change: func(build string, cell *comparison.Cell, _ *event.Answer) {
		for k := range cell.DurationsMS {
			if build == "new" {
				cell.DurationsMS[k] *= 1.2
			}
		}
	}}
	c := measure(t, m, sized(10, 512), "duration").cell("duration", 512)
	if c.Verdict != Open || c.Needs <= 10 {
		t.Fatalf("after 10 pairs: %+v, want it open", c)
	}
	if again := measure(t, m, sized(2*c.Needs, 512), "duration").cell("duration", 512); again.Verdict != Slower {
		t.Errorf("%d pairs were needed, and twice as many say %+v", c.Needs, again)
	}
}

// With almost no tolerance only the interval prevents false alarms: 5 % for each figure, over all looks and sizes.
func TestABuildDiffersFromItselfInAtMostOneRunOf20(t *testing.T) {
	for tolerance, most := range map[float64]map[string]int{0.1: {"any": 5}, 0.0001: {"duration": 5, "cpu": 5, "memory": 5, "init": 5}} {
		wrong, open := map[string]int{}, map[string]int{}
		for run := range 100 {
			m := &machine{r: rand.New(rand.NewPCG(1, uint64(run))), spread: 0.08, alike: tolerance}
			found := map[string]bool{}
			for _, c := range measure(t, m, sized(30, 512, 1769), "duration").Cells {
				decided := c.Verdict == Slower || c.Verdict == Faster
				found[c.Figure], found["any"] = found[c.Figure] || decided, found["any"] || decided
				found[c.Figure+" open"] = found[c.Figure+" open"] || c.Verdict == Open
			}
			for what, is := range found {
				if figure, isOpen := strings.CutSuffix(what, " open"); is && isOpen {
					open[figure]++
				} else if is {
					wrong[what]++
				}
			}
		}
		t.Logf("tolerance %g, 100 runs of two sizes: slower or faster %v, open %v", tolerance, wrong, open)
		for what, most := range most {
			if wrong[what] > most {
				t.Errorf("with a tolerance of %g a build against itself was slower or faster by %s in %d of 100 runs", tolerance, what, wrong[what])
			}
		}
	}
}

func TestOnlyTheChosenFiguresMakeABuildFail(t *testing.T) {
	m := &machine{r: rand.New(rand.NewPCG(2, 2)), spread: 0.03, change: func(build string, cell *comparison.Cell, _ *event.Answer) {
		if build == "new" && cell.Power == 512 {
			cell.MaxMemoryMB = cell.MaxMemoryMB * 13 / 10
		}
	}}
	r := measure(t, m, sized(30, 512, 1769), "duration")
	if r.Verdict != Same || r.cell("memory", 512).Verdict != Slower || r.cell("memory", 1769).Verdict != Same || r.Of(Slower, false) != "memory at 512 MB" {
		t.Errorf("30 %% more memory at 512 MB: %s, %+v", r.Verdict, r.Cells)
	}
	if r = measure(t, m, sized(30, 512, 1769), "duration", "memory"); r.Verdict != Slower || r.Of(Slower, true) != "memory at 512 MB" {
		t.Errorf("with --fail-on duration,memory: %s, %q", r.Verdict, r.Of(Slower, true))
	}
}

// Only this project's function has cpu_per_read.
func TestAFigureThatIsToFailAndIsNotMeasuredIsOpen(t *testing.T) {
	m := &machine{r: rand.New(rand.NewPCG(8, 8)), spread: 0.001, change: func(_ string, _ *comparison.Cell, a *event.Answer) { a.ObjectsRead = 0 }}
	r := measure(t, m, sized(8, 512), "duration", "cpu_per_read")
	if got := r.Of(Open, true); r.Verdict != Open || got != "cpu_per_read (not measured)" || r.cell("duration", 512).Verdict != Same {
		t.Errorf("%s: %q, %+v; want open by cpu_per_read alone", r.Verdict, got, r.Cells)
	}
}

func TestAFigureThatOneSizeLacksIsOpen(t *testing.T) {
	m := &machine{r: rand.New(rand.NewPCG(8, 8)), spread: 0.001, change: func(_ string, cell *comparison.Cell, a *event.Answer) {
		if cell.Power == 512 {
			a.ObjectsRead = 0
		}
	}}
	r := measure(t, m, sized(8, 512, 1769), "cpu_per_read")
	if got := r.Of(Open, true); r.Verdict != Open || got != "cpu_per_read (not measured)" || r.cell("cpu_per_read", 1769).Verdict != Same {
		t.Errorf("%s: %q, %+v; want open, because of 512 MB", r.Verdict, got, r.Cells)
	}
}

func TestRetriesAreComparedEvenIfABuildHasNone(t *testing.T) {
	retries := map[string]int64{}
	m := &machine{r: rand.New(rand.NewPCG(3, 3)), spread: 0.01, change: func(build string, _ *comparison.Cell, a *event.Answer) { a.Retries = retries[build] }}
	for n, want := range map[int64]Verdict{0: Same, 12: Slower} {
		retries["new"] = n
		c := measure(t, m, sized(8, 512), "duration").cell("retries", 512)
		if c.Verdict != want || c.Old != 0 || c.New != float64(n) {
			t.Errorf("%d retries against none: %+v, want %s", n, c, want)
		}
	}
}

func TestABuildThatDoesSomethingElseDiffers(t *testing.T) {
	for what, change := range map[string]func(*comparison.Cell, *event.Answer){
		"requests at 512 MB: 100 by old, 101 by new":             func(cell *comparison.Cell, _ *event.Answer) { cell.Requests++ },
		"objects_read at 512 MB: 100 by old, 99 by new":          func(_ *comparison.Cell, a *event.Answer) { a.ObjectsRead-- },
		"failed at 512 MB: 0 by old, 1 by new":                   func(_ *comparison.Cell, a *event.Answer) { a.Failed++ },
		"new fails at 512 MB: Runtime.ExitError: killed":         func(cell *comparison.Cell, _ *event.Answer) { cell.Error = "Runtime.ExitError: killed" },
		"the answer at 512 MB: {} by old, {\"ok\":false} by new": func(cell *comparison.Cell, a *event.Answer) { cell.Response = []byte(`{"ok":false}`) },
	} {
		m := &machine{r: rand.New(rand.NewPCG(4, 4)), spread: 0.01, change: func(build string, cell *comparison.Cell, a *event.Answer) {
			if strings.Contains(what, "{") { // another function's
				cell.Response = []byte("{}")
			}
			if build == "new" {
				change(cell, a)
			}
		}}
		r := measure(t, m, sized(8, 512), "duration")
		if r.Verdict != Differs || !slices.Equal(r.Differences, []string{what}) {
			t.Errorf("%s, %q; want differs, %q", r.Verdict, r.Differences, what)
		}
	}
}

func TestMeasuringEndsWhenAllIsDecidedOrTheTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		how := sized(30, 512, 1769)
		how.ForSec = 60
		m := &machine{r: rand.New(rand.NewPCG(5, 5)), spread: 0.001, takes: time.Second}
		r := measure(t, m, how, "duration")
		if n := len(r.cell("duration", 512).Pairs); n != 8 || r.Verdict != Same || r.Seconds != 32 {
			t.Errorf("what is the same for certain took %d pairs and %.0f s, %s; want the 8 of the first look, and 32 s", n, r.Seconds, r.Verdict)
		}
		m.spread = 0.5
		r = measure(t, m, how, "duration")
		if n := len(r.cell("duration", 512).Pairs); n != 15 || r.Verdict != Open || r.Seconds != 60 {
			t.Errorf("what is open took %d pairs and %.0f s, %s; want 15 pairs of 4 s", n, r.Seconds, r.Verdict)
		}
		if more, never := r.More(), r.Undecidable(); more != "" || !strings.HasPrefix(never, "duration at 512 MB") {
			t.Errorf("what would decide it: %q, and nothing %q; want nothing for the duration", more, never)
		}
		// A size that is decided takes no more of the time.
		m.change = func(_ string, cell *comparison.Cell, _ *event.Answer) {
			if cell.Power == 512 {
				cell.InitMS, cell.MaxMemoryMB, cell.DurationsMS = 40, 60, []float64{400, 400, 400}
			}
		}
		r = measure(t, m, how, "duration")
		if at512, at1769 := len(r.cell("init", 512).Pairs), len(r.cell("init", 1769).Pairs); at512 != 8 || at1769 <= 20 {
			t.Errorf("%d pairs of the size that was decided and %d of the other, want 8 and more than 20", at512, at1769)
		}
	})
}

func TestAnInterruptedComparisonJudgesWhatItHas(t *testing.T) {
	stop := errors.New("interrupted")
	m := &machine{r: rand.New(rand.NewPCG(6, 6)), spread: 0.01}
	r := &Result{Old: "./a", New: "./a", FailOn: []string{"duration"}, Tolerance: 0.1}
	how := sized(30, 512)
	how.Arch, how.Variants = "arm64", []comparison.Variant{{Strategy: "pool"}}
	err := r.Measure(t.Context(), how, m.tune, func(p comparison.Progress) error {
		if strings.HasPrefix(p.Now, "pair 4 of") {
			return stop
		}
		return nil
	})
	if c := fmt.Sprint(len(r.Cells)); err != stop || c != "7" || len(r.cell("init", 512).Pairs) != 3 || r.Verdict != Open {
		t.Errorf("after three pairs: %v, %s figures, %+v", err, c, r.Cells)
	}
}
