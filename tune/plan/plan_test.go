package plan_test

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/plan"
)

// of is a calibration by which pool reads objects of 9 KB in no processor time, with that concurrency or, for 0,
// with any.
func of(latency string, concurrency int, powers ...int) *comparison.Comparison {
	v := comparison.Variant{Strategy: "pool", Concurrency: &concurrency}
	if concurrency == 0 {
		v.Concurrency = nil
	}
	c := comparison.New(comparison.Spec{Arch: "arm64", Region: "us-east-1", PowerValues: powers, Num: 1, Repeat: 2_000, TimeoutSec: 900,
		Latency: latency, Seed: 1, Variants: []comparison.Variant{v}}, time.Time{})
	c.Calibration = &comparison.Calibration{Source: "this machine", ObjectBytes: 9_473, BaseMB: 25, ReadMB: 0.06, Reads: []comparison.StrategyCost{{Strategy: "pool"}}}
	return c
}

// example is a calibration as a run makes it.
func example(powers ...int) *comparison.Comparison {
	c := of("apg", 0, powers...)
	c.Calibration.Reads[0].CPU = comparison.Figure{Value: 0.3, Low: 0.3, High: 0.3, Unit: "ms"}
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

func TestAPlanKeepsToS3sLimitAndNamesWhatBinds(t *testing.T) {
	c := example(512, 1_024, 3_008)
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
	if p := planned(t, c, million()); p.Seconds.Low > 210 {
		t.Errorf("the example's million takes %.1f s at least, want it near S3's 182", p.Seconds.Low)
	}
}

func TestEveryLimitThatBindsIsNamed(t *testing.T) {
	large := of("15ms", 30, 512)
	large.Calibration.ObjectBytes = 1_000_000
	for name, test := range map[string]struct {
		c        *comparison.Comparison
		job      plan.Job
		batch    int
		children int
		binds    string
	}{
		"S3 gives 5,500 GETs a second":                {of("30ms", 30, 512), million(), 1_250, 5, "prefix GETs, batch input"},
		"their burst, where reads are slow":           {of("9s", 100, 512), plan.Job{Objects: 100_000, Prefixes: 1, ConcurrencyLimit: 1_000}, 1_250, 5, "prefix GETs, batch input"},
		"the account's functions":                     {of("30ms", 30, 512), plan.Job{Objects: 1_000_000, Prefixes: 1, ConcurrencyLimit: 2}, 1_250, 2, "Lambda concurrency, batch input"},
		"an account's functions over prefixes":        {of("30ms", 30, 512), plan.Job{Objects: 1_000_000, Prefixes: 4, ConcurrencyLimit: 11}, 1_250, 8, "Lambda concurrency, batch input"},
		"fewer objects than children are worth":       {of("30ms", 30, 512), plan.Job{Objects: 900, Prefixes: 1, ConcurrencyLimit: 1_000}, 300, 3, "objects"},
		"a child of 4 minutes":                        {of("5s", 10, 512), plan.Job{Objects: 1_000_000, Prefixes: 1, ConcurrencyLimit: 50}, 477, 50, "Lambda concurrency, child duration"},
		"Lambda's ramp, over before all have started": {of("50ms", 1, 512), plan.Job{Objects: 80_000, Prefixes: 8, ConcurrencyLimit: 9_000}, 60, 1_336, "Lambda ramp"},
		"Step Functions' own limit":                   {of("9s", 1, 512), plan.Job{Objects: 1_000_000_000, Prefixes: 1, ConcurrencyLimit: 1_000_000}, 26, 10_000, "Step Functions children, child duration"},
		"the bytes that a function receives":          {large, plan.Job{Objects: 10_000, Prefixes: 1, ConcurrencyLimit: 4}, 1_250, 4, "Lambda concurrency, batch input, bandwidth"},
	} {
		p := planned(t, test.c, test.job)
		if p.Batch != test.batch || p.Children != test.children || p.Binds != test.binds {
			t.Errorf("%s: New(%+v) = %d a child, %d children, %q binds; want %d, %d, %q", name, test.job, p.Batch, p.Children, p.Binds, test.batch, test.children, test.binds)
		}
	}
}

func TestMemoryBindsIfTheBestSizeHasNoneLeft(t *testing.T) {
	c := example(512, 1_024)
	if p := planned(t, c, million()); p.Memory != 512 || strings.Contains(p.Binds, "memory") {
		t.Fatalf("the plan takes %d MB and %q binds, want 512 MB", p.Memory, p.Binds)
	}
	c.Calibration.BaseMB = 470
	if p := planned(t, c, million()); p.Memory != 1_024 || !strings.HasSuffix(p.Binds, ", memory") {
		t.Errorf("with 512 MB full the plan takes %d MB and %q binds, want more memory and that it binds", p.Memory, p.Binds)
	}
}

// GETs cost $0.40, LISTs half a cent, Lambda and Step Functions some cents.
func TestAMillionObjectsCostWhatThePriceListsSay(t *testing.T) {
	for _, prefixes := range []int{1, 4} {
		d := planned(t, of("30ms", 30, 512), plan.Job{Objects: 1_000_000, Prefixes: prefixes, ConcurrencyLimit: 1_000}).Dollars
		want := plan.Dollars{Get: 0.4, List: 0.005, Compute: 800 * 1.26 * 0.5 * 0.0000133334, Requests: 800 * 0.2e-6, // 1,250 reads, 30 at once, take 42 times 30 ms
			StepFunctions: 800 * (0.025e-3 + 1e-6 + 1.3*64./1024*0.00001667)} // in steps of 100 ms
		want.Total = want.Get + want.List + want.Compute + want.Requests + want.StepFunctions
		for _, line := range []struct {
			name      string
			got, want float64
		}{{"get", d.Get, want.Get}, {"list", d.List, want.List}, {"compute", d.Compute, want.Compute}, {"requests", d.Requests, want.Requests},
			{"stepFunctions", d.StepFunctions, want.StepFunctions}, {"total", d.Total, want.Total}} {
			if math.Abs(line.got-line.want) > 0.01*line.want {
				t.Errorf("over %d prefixes dollars.%s = %.9f, want %.9f", prefixes, line.name, line.got, line.want)
			}
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

func near(got *float64, want float64) bool { return got != nil && math.Abs(*got-want) < 0.01*want }

func TestOneFunctionIsLimitedByItsReadsAndByS3(t *testing.T) {
	if one := alternative(t, planned(t, of("30ms", 30, 512), million()), "one function"); one.Seconds != nil || one.Dollars != nil {
		t.Errorf("one function that reads 1,000 a second takes %.0f s for a million, want null: an invocation ends after 900 s", *one.Seconds)
	}
	c := of("6ms", 30, 512)
	if one := alternative(t, planned(t, c, plan.Job{Objects: 1_000_001, Prefixes: 1, ConcurrencyLimit: 1}), "one function"); one.Seconds != nil {
		t.Errorf("one function takes %.0f s for 1,000,001 objects, want null: a call lists a million", *one.Seconds)
	}
	if one := alternative(t, planned(t, c, plan.Job{Objects: 999_999, Prefixes: 1, ConcurrencyLimit: 1}), "one function"); !near(one.Seconds, 200) {
		t.Errorf("one function that reads 5,000 a second takes %v s for 999,999, want 200", one.Seconds)
	}
	// Of 12,000 a second that 120 at once can read S3 gives 5,500.
	one := alternative(t, planned(t, of("10ms", 0, 512), million()), "one function")
	if want := 0.405 + 182*0.5*0.0000133334 + 0.2e-6; one.Seconds == nil || *one.Seconds < 181.8 || *one.Seconds > 205 || !near(one.Dollars, want) {
		t.Errorf("one function that could read 12,000 a second = %+v, want some 182 s and $%.4f", one, want)
	}
}

func TestThePlanSaysFirstWhetherOneFunctionIsEnough(t *testing.T) {
	for _, test := range []struct {
		objects int
		latency string
		want    string
	}{
		{1_000_000, "6ms", "One function is enough, without a state machine: pool (30) at 512 MB, 202 s, $"},
		{800_000, "30ms", "One function is slower: pool (30) at 512 MB, 801 s, $"},
		{100_000, "12ms", "One function may be as fast, without a state machine: pool (30) at 512 MB, 41 s, $"},
		{1_000_000, "30ms", "One function cannot do it: it needs 1,009 s for 1,000,000 objects; a call has at most 900 s and 1,000,000 objects."},
	} {
		var b strings.Builder
		if err := planned(t, of(test.latency, 30, 512), plan.Job{Objects: test.objects, Prefixes: 1, ConcurrencyLimit: 1_000}).Text(&b, ""); err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(strings.TrimSpace(b.String()), "\n"); !strings.HasPrefix(first, test.want) {
			t.Errorf("the plan for %d objects at %s begins %q, want %q", test.objects, test.latency, first, test.want)
		}
	}
}

func TestTheTimeIsThatOfWavesOfChildren(t *testing.T) {
	for name, test := range map[string]struct {
		c    *comparison.Comparison
		job  plan.Job
		want plan.Seconds
	}{
		"160 waves of 5 children, 0 to 0.5 s between them": {of("30ms", 30, 512), million(), plan.Seconds{Low: 201.6, High: 281.6}},
		"a wave of 1,336, of whom 336 wait for Lambda":     {of("50ms", 1, 512), plan.Job{Objects: 80_000, Prefixes: 8, ConcurrencyLimit: 9_000}, plan.Seconds{Low: 3.5, High: 4}},
	} {
		if got := planned(t, test.c, test.job).Seconds; math.Abs(got.Low-test.want.Low) > 0.01*got.Low+0.1 || math.Abs(got.High-test.want.High) > 0.01*got.High+0.1 {
			t.Errorf("%s: New(%+v) takes %v s, want %v", name, test.job, got, test.want)
		}
	}
}

// The plan may give up a twentieth of dollars x seconds for fewer children, and no more.
func TestThePlanMinimizesDollarsTimesSeconds(t *testing.T) {
	product := func(p *plan.Plan) float64 { return p.Dollars.Total * (p.Seconds.Low + p.Seconds.High) }
	for _, limit := range []int{1, 3, 1_000} {
		job := plan.Job{Objects: 200_000, Prefixes: 1, ConcurrencyLimit: limit}
		p := planned(t, example(512, 1_024, 2_048), job)
		for _, memory := range []int{512, 1_024, 2_048} {
			for _, concurrency := range []int{15, 30, 60, 100} {
				c := example(memory)
				c.Run.Variants[0].Concurrency = &concurrency
				other, err := plan.New(c, job)
				if err == nil && (product(p) > 1.05*product(other) || product(other) <= product(p) && other.Children < p.Children) {
					t.Errorf("of %d functions the plan takes %s (%d) at %d MB, %d children, %s for $%.4f; %d at %d MB would be %d children, %s for $%.4f", limit,
						p.Strategy, p.Concurrency, p.Memory, p.Children, p.Seconds, p.Dollars.Total, concurrency, memory, other.Children, other.Seconds, other.Dollars.Total)
				}
			}
		}
	}
}

func TestTheAlternativesHaveTheirPricesAndLimits(t *testing.T) {
	c := of("30ms", 30, 512)
	p := planned(t, c, million())
	if lone := alternative(t, p, "one object a child"); *lone.Dollars < 26 || *lone.Dollars > 50 || *lone.Seconds < 181.8 {
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
	wide := planned(t, c, plan.Job{Objects: 1_000_000_000, Prefixes: 100, ConcurrencyLimit: 100_000})
	if storm := alternative(t, wide, "10,000 children"); storm.Seconds == nil || *storm.Seconds < 1_818 || *storm.Seconds > 2_000 {
		t.Errorf("the storm over 100 prefixes = %v, want S3's 1,818 s or little more", storm)
	}
	// Nor are there more than Lambda has started: in 18 s 2,818.
	wide = planned(t, c, plan.Job{Objects: 1_000_000_000, Prefixes: 10_000, ConcurrencyLimit: 1_000_000})
	if lone := alternative(t, wide, "one object a child"); *lone.Seconds < 10_000 {
		t.Errorf("one object a child over 10,000 prefixes takes %.0f s, want what 2,818 children take", *lone.Seconds)
	}
	// 8,000 children would share 5,500 GETs a second: a batch takes 1,818 s.
	long := planned(t, c, plan.Job{Objects: 10_000_000, Prefixes: 1, ConcurrencyLimit: 9_000})
	if storm := alternative(t, long, "10,000 children"); storm.Seconds != nil {
		t.Errorf("8,000 children with 1,250 objects each = %.0f s, want null: they end after 5 minutes", *storm.Seconds)
	}
}

// A call reads at most a million objects, so one function can do the smaller job alone.
func TestAReadAloneTakesTheSameWhetherOrNotOneFunctionCanDoTheJob(t *testing.T) {
	var each []float64
	for _, objects := range []int{10_000, 1_000_001} {
		p := planned(t, of("13ms~0.62", 30, 512), plan.Job{Objects: objects, Prefixes: 1, ConcurrencyLimit: 1})
		each = append(each, *alternative(t, p, "one object a child").Seconds/float64(objects))
	}
	if math.Abs(each[0]-each[1]) > 1e-3*each[1] {
		t.Errorf("one object a child takes %g s beside one function, and %g without, want the same", each[0], each[1])
	}
}

func TestTheErrorHasARemedyIfNoSettingFits(t *testing.T) {
	full := of("30ms", 30, 512)
	full.Calibration.BaseMB = 500
	for name, c := range map[string]*comparison.Comparison{
		"too few reads for their concurrency":     of("30ms", 126, 512),
		"more reads a second than a prefix gives": of("5ms", 30, 512),
		"full memory": full,
	} {
		if p, err := plan.New(c, million()); err == nil || !strings.Contains(err.Error(), "\nname such ones: go run ./tune map ") {
			t.Errorf("%s: New = %+v, %v, want an error with a remedy", name, p, err)
		}
	}
	for _, job := range []plan.Job{{0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {10_000_000_001, 1, 1}} {
		if _, err := plan.New(example(512), job); err == nil || !strings.Contains(err.Error(), "it must be from 1 to") {
			t.Errorf("New(%+v) = %v, want what is allowed", job, err)
		}
	}
}

func TestTheJSONHasTheFieldsThatProgramsRead(t *testing.T) {
	raw, err := json.Marshal(planned(t, example(512), million()))
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
