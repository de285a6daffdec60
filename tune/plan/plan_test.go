package plan_test

import (
	"encoding/json"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/plan"
)

// example is the comparison that the README shows.
func example(t *testing.T) *comparison.Comparison {
	t.Helper()
	f, err := os.Open("../example/results.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := comparison.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// at leaves nothing in a comparison but one memory size, or all with 0.
func at(c *comparison.Comparison, memory int) *comparison.Comparison {
	for i := range c.Variants {
		c.Variants[i].Cells = slices.DeleteFunc(c.Variants[i].Cells, func(cell comparison.Cell) bool { return memory > 0 && cell.Power != memory })
	}
	return c
}

func planned(t *testing.T, c *comparison.Comparison, job plan.Job) *plan.Plan {
	t.Helper()
	p, err := plan.New(c, job)
	if err != nil {
		t.Fatalf("New(%+v): %v", job, err)
	}
	return p
}

func million() plan.Job { return plan.Job{Objects: 1_000_000, Prefixes: 1, ConcurrencyLimit: 1_000} }

func TestASimulatedChildTakesAsLongAsTheMeasuredCell(t *testing.T) {
	for _, memory := range []int{128, 512, 1_024, 1_769, 3_008} {
		c := at(example(t), memory)
		p := planned(t, c, plan.Job{Objects: 1_000, Prefixes: 1, ConcurrencyLimit: 1})
		took, _ := simulated(t, c, p, 1).run()
		if got := took.Seconds(); math.Abs(got-p.Seconds.Low) > 0.15*got {
			t.Errorf("a simulated child of %s at %d MB takes %.2f s, want %.2f as measured, within 15 %%", p.Strategy, memory, got, p.Seconds.Low)
		}
	}
}

func TestTheReckonedTimeIsThatOfSimulatedChildren(t *testing.T) {
	for _, memory := range []int{512, 1_024, 3_008} {
		c := at(example(t), memory)
		p := planned(t, c, plan.Job{Objects: 100_000, Prefixes: 1, ConcurrencyLimit: 1_000})
		_, curve := p.Curve()
		for _, children := range []int{1, 2, 4, 8} {
			i := slices.Index(curve.Children, children)
			if i < 0 {
				t.Fatalf("the curve has %v children, want %d among them", curve.Children, children)
			}
			took, _ := simulated(t, c, p, children).run()
			if got, want := curve.Seconds[i], took.Seconds(); math.Abs(got-want) > 0.15*want {
				t.Errorf("%d children at %d MB: reckoned %.1f s, simulated %.1f, want them within 15 %%", children, memory, got, want)
			}
		}
	}
}

func TestAPlanIsNoStorm(t *testing.T) {
	for _, memory := range []int{0, 128, 512, 1_024, 3_008} {
		c := at(example(t), memory)
		for _, objects := range []int{10_000, 100_000, 1_000_000} {
			if memory > 0 && objects == 1_000_000 {
				continue // a hundred thousand have it all in them
			}
			p := planned(t, c, plan.Job{Objects: objects, Prefixes: 1, ConcurrencyLimit: 1_000})
			if _, slow := simulated(t, c, p, p.Children).run(); slow >= 0.01 {
				t.Errorf("of %d children at %d MB, planned for %d objects, %.2f %% of S3's answers are SlowDown, want less than 1 %%", p.Children, p.Memory, objects, 100*slow)
			}
		}
	}
}

func TestNoPlanPromisesMoreThanS3GivesAndASlowOneSaysWhy(t *testing.T) {
	c := example(t)
	for _, job := range []plan.Job{
		million(),
		{Objects: 1_000_000, Prefixes: 4, ConcurrencyLimit: 1_000},
		{Objects: 1_000_000, Prefixes: 4, ConcurrencyLimit: 3},
		{Objects: 50_000_000, Prefixes: 1, ConcurrencyLimit: 1_000},
		{Objects: 1_000_000_000, Prefixes: 2_000, ConcurrencyLimit: 10_000},
		{Objects: 1, Prefixes: 1, ConcurrencyLimit: 1},
	} {
		p := planned(t, c, job)
		bound := float64(job.Objects) / float64(5_500*job.Prefixes)
		if p.Seconds.Low < bound || p.Seconds.High < p.Seconds.Low {
			t.Errorf("New(%+v) promises %.1f to %.1f s, want at least %.1f", job, p.Seconds.Low, p.Seconds.High, bound)
		}
		if p.Binds == "" {
			t.Errorf("New(%+v) takes %.1f s and names no limit", job, p.Seconds.Low)
		}
		if p.Children > job.ConcurrencyLimit || p.Input.Children*min(job.Prefixes, job.ConcurrencyLimit) != p.Children {
			t.Errorf("New(%+v) = %d children, %d an execution, want an execution a prefix and no more than the limit in all", job, p.Children, p.Input.Children)
		}
	}
	if p := planned(t, c, million()); p.Seconds.Low > 200 {
		t.Errorf("the example's million takes %.1f s at least, want it near S3's 182", p.Seconds.Low)
	}
}

// of is a comparison of one cell: pool with that concurrency, that many reads
// in so many ms.
func of(concurrency, reads int, ms float64, memory, peakMB int) *comparison.Comparison {
	c := comparison.New(comparison.Spec{Arch: "arm64", Region: "us-east-1", PowerValues: []int{memory}, Num: 1, Repeat: reads, TimeoutSec: 900,
		Variants: []comparison.Variant{{Strategy: "pool", Concurrency: &concurrency}}}, time.Time{})
	c.Variants[0].Cells = []comparison.Cell{{Power: memory, MaxMemoryMB: peakMB, DurationsMS: []float64{ms}, BilledMS: []int{int(math.Ceil(ms))}}}
	return c
}

func TestEveryLimitThatBindsIsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		c        *comparison.Comparison
		job      plan.Job
		batch    int
		children int
		binds    string
	}{
		"S3 gives 5,500 GETs a second":                {of(30, 1_000, 1_000, 512, 50), million(), 1_000, 5, "prefix GETs"},
		"their burst, where reads are slow":           {of(100, 1_000, 100_000, 512, 50), plan.Job{Objects: 100_000, Prefixes: 1, ConcurrencyLimit: 1_000}, 1_000, 10, "prefix GETs"},
		"the account's functions":                     {of(30, 1_000, 1_000, 512, 50), plan.Job{Objects: 1_000_000, Prefixes: 1, ConcurrencyLimit: 2}, 1_000, 2, "Lambda concurrency"},
		"an account's functions over prefixes":        {of(30, 1_000, 1_000, 512, 50), plan.Job{Objects: 1_000_000, Prefixes: 4, ConcurrencyLimit: 11}, 1_000, 8, "Lambda concurrency"},
		"fewer batches than children":                 {of(30, 1_000, 1_000, 512, 50), plan.Job{Objects: 1_500, Prefixes: 1, ConcurrencyLimit: 1_000}, 1_000, 2, "objects"},
		"a child of 4 minutes":                        {of(10, 1_000, 500_000, 512, 50), million(), 480, 555, "prefix GETs, child duration"},
		"the input of a child":                        {of(30, 5_000, 5_000, 512, 50), million(), 1_250, 5, "prefix GETs, batch input"},
		"Lambda's ramp, over before all have started": {of(1, 20, 1_000, 512, 50), plan.Job{Objects: 80_000, Prefixes: 8, ConcurrencyLimit: 9_000}, 20, 1_336, "Lambda ramp"},
		"Step Functions' own limit":                   {of(1, 10, 100_000, 512, 50), plan.Job{Objects: 1_000_000_000, Prefixes: 1, ConcurrencyLimit: 1_000_000}, 10, 10_000, "Step Functions children"},
	} {
		p := planned(t, test.c, test.job)
		if p.Batch != test.batch || p.Children != test.children || p.Binds != test.binds {
			t.Errorf("%s: New(%+v) = %d a child, %d children, %q binds; want %d, %d, %q", name, test.job, p.Batch, p.Children, p.Binds, test.batch, test.children, test.binds)
		}
	}
}

func TestMemoryBindsWhereTheBestCellHasNoneLeft(t *testing.T) {
	c := example(t)
	best := planned(t, c, million())
	for i := range c.Variants {
		for j := range c.Variants[i].Cells {
			if cell := &c.Variants[i].Cells[j]; cell.Power <= best.Memory {
				cell.MaxMemoryMB = cell.Power
			}
		}
	}
	p := planned(t, c, million())
	if p.Memory <= best.Memory || !strings.Contains(p.Binds, "memory") {
		t.Errorf("with %d MB full the plan takes %d MB and %q binds, want more memory and that it binds", best.Memory, p.Memory, p.Binds)
	}
}

// One prefix costs what Amazon's price lists say: $0.40 of GETs, half a cent
// of LISTs, cents of Lambda and Step Functions.
func TestTheMillionCostsWhatThePriceListsSay(t *testing.T) {
	for _, prefixes := range []int{1, 4} {
		theMillionCosts(t, plan.Job{Objects: 1_000_000, Prefixes: prefixes, ConcurrencyLimit: 1_000})
	}
}

func theMillionCosts(t *testing.T, job plan.Job) {
	t.Helper()
	d := planned(t, of(30, 1_000, 1_020, 512, 50), job).Dollars
	want := plan.Dollars{Get: 0.4, List: 0.005, Compute: 1_000 * 1.02 * 0.5 * 0.0000133334, Requests: 1_000 * 0.2e-6,
		StepFunctions: 1_000 * (0.025e-3 + 1e-6 + 1.1*64./1024*0.00001667)} // in steps of 100 ms
	want.Total = want.Get + want.List + want.Compute + want.Requests + want.StepFunctions
	for _, line := range []struct {
		name      string
		got, want float64
	}{{"get", d.Get, want.Get}, {"list", d.List, want.List}, {"compute", d.Compute, want.Compute}, {"requests", d.Requests, want.Requests},
		{"stepFunctions", d.StepFunctions, want.StepFunctions}, {"total", d.Total, want.Total}} {
		if math.Abs(line.got-line.want) > 1e-9 {
			t.Errorf("dollars.%s = %.9f, want %.9f", line.name, line.got, line.want)
		}
	}
}

func alternative(t *testing.T, p *plan.Plan, name string) plan.Alternative {
	t.Helper()
	i := slices.IndexFunc(p.Alternatives, func(a plan.Alternative) bool { return a.Name == name })
	if i < 0 {
		t.Fatalf("alternatives = %+v, want %s among them", p.Alternatives, name)
	}
	return p.Alternatives[i]
}

func near(got *float64, want float64) bool { return got != nil && math.Abs(*got-want) < 1e-4 }

func TestOneFunctionIsAsFastAsItReadsAndAsS3Gives(t *testing.T) {
	if one := alternative(t, planned(t, of(30, 1_000, 1_000, 512, 50), million()), "one function"); one.Seconds != nil || one.Dollars != nil {
		t.Errorf("one function that reads 1,000 a second takes %.0f s for a million, want null: an invocation ends after 900 s", *one.Seconds)
	}
	c := of(30, 1_000, 200, 512, 50)
	if one := alternative(t, planned(t, c, plan.Job{Objects: 1_000_001, Prefixes: 1, ConcurrencyLimit: 1}), "one function"); one.Seconds != nil {
		t.Errorf("one function takes %.0f s for 1,000,001 objects, want null: a call lists a million", *one.Seconds)
	}
	if one := alternative(t, planned(t, c, plan.Job{Objects: 999_999, Prefixes: 1, ConcurrencyLimit: 1}), "one function"); !near(one.Seconds, 200) {
		t.Errorf("one function that reads 5,000 a second takes %v s for 999,999, want 200, rounded up", one.Seconds)
	}
	// Of 10,000 a second that a cell reads in a burst S3 gives 5,500.
	c.Run.PowerValues = append(c.Run.PowerValues, 2_048)
	c.Variants[0].Cells = append(c.Variants[0].Cells, comparison.Cell{Power: 2_048, DurationsMS: []float64{100}, BilledMS: []int{100}})
	one := alternative(t, planned(t, c, million()), "one function")
	if want := 0.405 + 181.818*2*0.0000133334 + 0.2e-6; !near(one.Seconds, 181.9) || !near(one.Dollars, want) {
		t.Errorf("one function that could read 10,000 a second = %v s, $%v, want 181.9 and $%.4f", *one.Seconds, *one.Dollars, want)
	}
}

func TestThePlanSaysFirstWhetherOneFunctionIsEnough(t *testing.T) {
	for _, test := range []struct {
		objects int
		ms      float64
		want    string
	}{
		{1_000_000, 200, "One function is enough, without a state machine: pool (30) at 512 MB, 200 s, $"},
		{800_000, 1_000, "One function is slower: pool (30) at 512 MB, 800 s, $"},
		{100_000, 400, "One function may be as fast, without a state machine: pool (30) at 512 MB, 40 s, $"},
		{1_000_000, 1_000, "One function cannot do it: 1,000 s of at most 900, and 1,000,000 objects of at most 1,000,000 in a call."},
	} {
		var b strings.Builder
		if err := planned(t, of(30, 1_000, test.ms, 512, 50), plan.Job{Objects: test.objects, Prefixes: 1, ConcurrencyLimit: 1_000}).Text(&b); err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(strings.TrimSpace(b.String()), "\n"); !strings.HasPrefix(first, test.want) {
			t.Errorf("the plan for %d objects, 1,000 in %.0f ms, begins %q, want %q", test.objects, test.ms, first, test.want)
		}
	}
}

func TestTheSecondsAreThoseOfWavesOfChildren(t *testing.T) {
	for name, test := range map[string]struct {
		c    *comparison.Comparison
		job  plan.Job
		want plan.Seconds
	}{
		"200 waves of 5 children, 0 to 0.5 s between them": {of(30, 1_000, 1_000, 512, 50), million(), plan.Seconds{Low: 200, High: 300}},
		"3 waves of 1,336, of whom 336 wait for Lambda":    {of(1, 20, 1_000, 512, 50), plan.Job{Objects: 80_000, Prefixes: 8, ConcurrencyLimit: 9_000}, plan.Seconds{Low: 3.5, High: 5}},
	} {
		if got := planned(t, test.c, test.job).Seconds; got != test.want {
			t.Errorf("%s: New(%+v) takes %v s, want %v", name, test.job, got, test.want)
		}
	}
}

// Fewer children are worth a twentieth of dollars x seconds, and no more.
func TestTheLeastOfDollarsTimesSecondsIsTaken(t *testing.T) {
	for _, test := range []struct {
		ms   float64 // of 1,000 reads at 1,024 MB, of which 3 go at once
		want int     // MB
	}{{580, 1_024}, {620, 512}} {
		c := of(30, 1_000, 960, 512, 50) // 5 of these go at once: 192 s
		c.Variants[0].Cells = append(c.Variants[0].Cells,
			comparison.Cell{Power: 1_024, DurationsMS: []float64{test.ms}, BilledMS: []int{int(test.ms)}},
			comparison.Cell{Power: 10_240, DurationsMS: []float64{192}, BilledMS: []int{1}, Capped: true})
		if p := planned(t, c, million()); p.Memory != test.want {
			t.Errorf("with 960 ms at 512 MB and %.0f at 1,024 MB the plan takes %d MB, want %d", test.ms, p.Memory, test.want)
		}
	}
}

func TestTheAlternativesSayWhatTheyCostAndWhatTheyCannot(t *testing.T) {
	p := planned(t, of(30, 1_000, 1_000, 512, 50), million())
	if lone := alternative(t, p, "one object a child"); *lone.Dollars < 26 || *lone.Dollars > 50 || *lone.Seconds < 182 {
		t.Errorf("one object a child takes %.0f s and costs $%.2f, want 182 or more, and 26 to 50", *lone.Seconds, *lone.Dollars)
	}
	if storm := alternative(t, p, "10,000 children"); *storm.Seconds < 181 || *storm.Dollars < 2*p.Dollars.Total {
		t.Errorf("10,000 children take %.0f s and cost $%.2f, want no less than S3's 182 s, and dear", *storm.Seconds, *storm.Dollars)
	}
	// A job, a million objects, GETs, requests, and 30 ms of 512 MB each.
	if b := alternative(t, p, "S3 Batch Operations"); b.Seconds != nil || !near(b.Dollars, 0.25+1+0.405+0.2+0.03*0.5*13.3334) {
		t.Errorf("S3 Batch Operations = %v s, $%.4f, want an unknown time and $2.0550", b.Seconds, *b.Dollars)
	}
	// S3 is at its limit long before Lambda has started 100,000.
	wide := planned(t, of(30, 1_000, 1_000, 512, 50), plan.Job{Objects: 1_000_000_000, Prefixes: 100, ConcurrencyLimit: 100_000})
	if storm := alternative(t, wide, "10,000 children"); storm.Seconds == nil || *storm.Seconds < 1_818 || *storm.Seconds > 2_000 {
		t.Errorf("the storm over 100 prefixes = %v, want S3's 1,818 s or little more", storm)
	}
	// Nor are there more than Lambda has started: in 18 s 2,818.
	wide = planned(t, of(30, 1_000, 1_000, 512, 50), plan.Job{Objects: 1_000_000_000, Prefixes: 10_000, ConcurrencyLimit: 1_000_000})
	if lone := alternative(t, wide, "one object a child"); *lone.Seconds < 10_000 {
		t.Errorf("one object a child over 10,000 prefixes takes %.0f s, want what 2,818 children take", *lone.Seconds)
	}
	// 9,000 children would share 5,500 GETs a second: a batch takes 1,636 s.
	long := planned(t, of(30, 1_000, 1_000, 512, 50), plan.Job{Objects: 10_000_000, Prefixes: 1, ConcurrencyLimit: 9_000})
	if storm := alternative(t, long, "10,000 children"); storm.Seconds != nil {
		t.Errorf("9,000 children with 1,000 objects each = %.0f s, want null: they end after 5 minutes", *storm.Seconds)
	}
}

func TestACellThatCannotBePlannedWithIsRefusedWithTheRemedy(t *testing.T) {
	for name, c := range map[string]*comparison.Comparison{
		"too few reads for their concurrency":     of(30, 299, 1_000, 512, 50),
		"more reads a second than a prefix gives": of(30, 1_000, 180, 512, 50),
		"full memory":           of(30, 1_000, 1_000, 512, 500),
		"no child ends in time": of(1, 10, 9_000_000, 512, 50),
	} {
		p, err := plan.New(c, million())
		if err == nil || !strings.Contains(err.Error(), "\nmeasure such cells: go run ./tune ") {
			t.Errorf("%s: New = %+v, %v, want an error with a remedy", name, p, err)
		}
	}
	uncounted := of(30, 1_000, 1_000, 512, 50)
	uncounted.Run.StateMachine, uncounted.Run.Objects = "arn", &comparison.Objects{Prefix: new("orders/")}
	if p, err := plan.New(uncounted, million()); err == nil || !strings.Contains(err.Error(), "nobody has counted them") {
		t.Errorf("of at most 1,000 objects on AWS: New = %+v, %v, want an error: there may have been ten", p, err)
	}
	uncounted.Run.Objects.Prefix = nil // the payload has their keys
	planned(t, uncounted, million())
	for _, job := range []plan.Job{{0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {10_000_000_001, 1, 1}} {
		if _, err := plan.New(example(t), job); err == nil || !strings.Contains(err.Error(), "it must be from 1 to") {
			t.Errorf("New(%+v) = %v, want what is allowed", job, err)
		}
	}
}

func TestTheJSONHasTheFieldsThatProgramsRead(t *testing.T) {
	raw, err := json.Marshal(planned(t, example(t), million()))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(regexp.MustCompile(`"\w+":`).FindAllString(string(raw), -1), "")
	alternative := `"name":"seconds":"dollars":`
	want := `"objects":"prefixes":"memory":"strategy":"concurrency":"batch":"children":"binds":"seconds":"low":"high":` +
		`"dollars":"get":"list":"compute":"requests":"stepFunctions":"total":"alternatives":` + strings.Repeat(alternative, 4) +
		`"input":"prefix":"strategy":"concurrency":"batch":"children":"toleratedFailurePercentage":`
	if got != want {
		t.Errorf("the plan as JSON has the fields %s, want %s", got, want)
	}
}
