package stepfunctions_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/stepfunctions"
)

func TestTheEstimateCountsAndPricesWhatAComparisonDoes(t *testing.T) {
	p, err := stepfunctions.NewEstimate(threeVariants(), stepfunctions.Target{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Executions != 3 || p.Invocations != 3*3*5 || p.GETs != 3*3*5*500 || p.AtOnce != 6 {
		t.Errorf("%d executions, %d invocations, %d GETs, %d at once; want 3, 45, 22,500, 6", p.Executions, p.Invocations, p.GETs, p.AtOnce)
	}
	near(t, "S3", p.S3, 22_500*0.0004/1000)
	near(t, "Step Functions", p.StepFunctions, 3*0.00038) // 2.5e-5 x (6 + 3 x 3), to 5 places

	c := threeVariants()
	c.Variants = c.Variants[:1] // sequential
	p, err = stepfunctions.NewEstimate(c, stepfunctions.Target{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	one := (p.Takes - 30*time.Second).Seconds() / 5 // what Power Tuning does around them apart
	if published := 500 * 0.0188; one < published || one > 1.5*published {
		t.Errorf("500 sequential reads take %.1f s, want an estimate from above of the published %.1f", one, published)
	}
	near(t, "Lambda", p.Lambda, 5*one*(512+1024+1769)/1024*0.0000133334+15*0.20e-6)
	near(t, "executors", p.Executors, 3*5*one*128/1024*0.0000166667)
	near(t, "together", p.Dollars(), p.Lambda+p.Executors+p.StepFunctions+p.S3)
}

// A listing costs LISTs as well as GETs, and maxObjects limits both.
func TestTheEstimateCountsAndPricesListings(t *testing.T) {
	c := threeVariants()
	c.Run.Repeat, c.Run.Objects = 2_001, &comparison.Objects{Prefix: new("orders/")}
	c.Variants = c.Variants[1:]
	p, err := stepfunctions.NewEstimate(c, stepfunctions.Target{}, nil)
	if err != nil || p.GETs != 2*3*5*2_001 || p.LISTs != 2*3*5*3 {
		t.Errorf("%d GETs and %d LISTs, %v; want 60,030 and 90: three pages an invocation", p.GETs, p.LISTs, err)
	}
	near(t, "S3", p.S3, 60_030*0.0004/1000+90*0.005/1000)
	c.Run.Objects.Prefix = nil // the payload has the keys
	if p, err = stepfunctions.NewEstimate(c, stepfunctions.Target{}, nil); err != nil || p.LISTs != 0 {
		t.Errorf("of keys %d LISTs, %v; want none", p.LISTs, err)
	}
}

func TestParallelInvocationsShareWhatS3Gives(t *testing.T) {
	c := threeVariants()
	c.Variants, c.Run.ParallelInvocation, c.Run.Repeat = c.Variants[2:], true, 5500
	p, err := stepfunctions.NewEstimate(c, stepfunctions.Target{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	// 15 invocations of 5,500 reads are 15 s of what S3 gives, and at 512 MB the CPU takes 19.
	if want := 5500*time.Millisecond*1769/512 + 30*time.Second; p.Takes.Round(time.Second) != want.Round(time.Second) || p.AtOnce != 18 {
		t.Errorf("takes %s with %d at once, want %s and 18", p.Takes, p.AtOnce, want)
	}
	c.Run.PowerValues = []int{10_240}
	if p, err = stepfunctions.NewEstimate(c, stepfunctions.Target{}, nil); err != nil || p.Takes < 34*time.Second || p.Takes > 38*time.Second {
		t.Errorf("one size alone takes %s, %v; want 5 s of S3, whose refusals take their time, and 30 s around them", p.Takes, err)
	}
}

func TestSizesWhoseMemoryALocalRunFilledAreAtRisk(t *testing.T) {
	c := threeVariants()
	local := threeVariants()
	local.Variants = local.Variants[1:]
	local.Variants[0].Cells = []comparison.Cell{ // unbounded
		{Power: 128, Error: "out of memory", OutOfMemory: true},
		{Power: 768, MaxMemoryMB: 461}, // 512 MB were not measured, and 90 % of them are 460.8
		{Power: 1024, MaxMemoryMB: 1000},
	}
	local.Variants[1].Cells = []comparison.Cell{ // pool (30)
		{Power: 512, MaxMemoryMB: 460},
		{Power: 1769, Error: "out of memory", OutOfMemory: true},
	}
	p, err := stepfunctions.NewEstimate(c, stepfunctions.Target{}, local)
	want := []string{"unbounded at 512 MB", "unbounded at 1,024 MB", "pool (30) at 1,024 MB", "pool (30) at 1,769 MB"}
	if err != nil || !slices.Equal(p.AtRisk, want) {
		t.Fatalf("NewEstimate = %v, at risk %q; want %q", err, p.AtRisk, want)
	}
	var b strings.Builder
	if err := p.WriteText(&b); err != nil || !strings.Contains(b.String(), "memory was short for unbounded at 512 MB, unbounded at 1,024 MB, pool (30) at 1,024 MB and pool (30) at 1,769 MB:") {
		t.Errorf("the estimate does not say so: %v\n%s", err, b.String())
	}
	if p, err := stepfunctions.NewEstimate(c, stepfunctions.Target{}, nil); err != nil || p.AtRisk != nil {
		t.Errorf("NewEstimate without a local run = %v, at risk %q; want none", err, p.AtRisk)
	}
}

func TestTheEstimateSaysWhatAFailingSizeAdds(t *testing.T) {
	c := threeVariants()
	c.Variants = c.Variants[:1]
	p, err := stepfunctions.NewEstimate(c, stepfunctions.Target{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The dearest size, twice more: five invocations at 1,769 MB, their executor, and 2,500 GETs.
	all := (p.Takes - 30*time.Second).Seconds()
	near(t, "retries", p.Retries, 2*(all*1769/1024*0.0000133334+5*0.20e-6+all*128/1024*0.0000166667+2500*0.0004/1000))
}

func TestProcessorsThatTheStacksPowerTuningMayNotInvokeAreRefused(t *testing.T) {
	pulumi(t, `echo '`+outputs+`'`)
	stack, err := stepfunctions.Resolve(t.Context(), "dev", stepfunctions.Target{})
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(function, "reader", "before", 1)
	for _, in := range []powertuning.Input{{PreProcessorARN: other}, {PostProcessorARN: other}} {
		c := threeVariants()
		c.Run.TuningInput = &in
		if _, err := stepfunctions.NewEstimate(c, stack, nil); err == nil || !strings.Contains(err.Error(), other) || !strings.Contains(err.Error(), "may invoke "+function+" alone") {
			t.Errorf("NewEstimate(%+v) = %v, want the processor refused", in, err)
		}
		if _, err := stepfunctions.NewEstimate(c, stepfunctions.Target{StateMachine: machine, Function: function}, nil); err != nil {
			t.Errorf("NewEstimate(%+v) on a Power Tuning of which nothing is known = %v, want nil", in, err)
		}
	}
	c := threeVariants()
	c.Run.TuningInput = &powertuning.Input{PreProcessorARN: function + ":live"}
	if _, err := stepfunctions.NewEstimate(c, stack, nil); err != nil {
		t.Errorf("NewEstimate with the function itself as its processor = %v, want nil", err)
	}
}

func TestTheEstimateSaysHowPowerTuningAltersAPayload(t *testing.T) {
	for payload, want := range map[string]string{
		`{"id": 9007199254740993}`: "Power Tuning rounds 9007199254740993 in the payload to 9007199254740992",
		`0`:                        "Power Tuning sends null in place of the payload 0.",
		`{"id": 1}`:                "",
	} {
		c := threeVariants()
		c.Run.Repeat = 0
		c.Variants = []comparison.Result{{Variant: comparison.Variant{Strategy: comparison.None, Payload: []byte(payload)}}}
		p, err := stepfunctions.NewEstimate(c, stepfunctions.Target{}, nil)
		var b strings.Builder
		if err != nil || p.WriteText(&b) != nil || !strings.Contains(b.String(), want) || want == "" && strings.Contains(b.String(), "the payload") {
			t.Errorf("the estimate of %s: %v\n%s\nwant %q in it", payload, err, b.String(), want)
		}
	}
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-3*want {
		t.Errorf("%s: $%.9f, want $%.9f", what, got, want)
	}
}

func TestTheEstimateOfAResumedComparisonCoversWhatIsLeft(t *testing.T) {
	c := threeVariants()
	c.Variants[0].Error = "it failed"
	c.Variants[1].Execution = "arn:aws:states:eu-west-1:123456789012:execution:m:runs"
	if p, err := stepfunctions.NewEstimate(c, stepfunctions.Target{}, nil); err != nil || p.Executions != 1 || p.Invocations != 15 {
		t.Errorf("NewEstimate = %+v, %v; want the 15 invocations of pool alone", p, err)
	}
}

func TestAComparisonThatCannotEndInTimeIsRefusedWithTheNumbersAndARemedy(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*comparison.Run)
		want   []string
	}{
		"totalExecutionTimeout": {
			func(r *comparison.Run) { r.Num, r.Repeat = 10, 5000 },
			[]string{"sequential: 10 invocations, each of 5000 reads, 1 at once, take at least 1m", " in all, where S3 answers in 16.2ms on average", "totalExecutionTimeout is 10m0s", "lower the reads (--repeat, ", "--parallel"},
		},
		"sleep": {
			func(r *comparison.Run) { r.Repeat, r.SleepBetweenRunsMS = 500, 200_000 },
			[]string{"totalExecutionTimeout", "choose --parallel"},
		},
		"the function's timeout": {
			func(r *comparison.Run) { r.Repeat, r.TimeoutSec, r.ParallelInvocation = 500, 7, true },
			[]string{"each of 500 reads, 1 at once, take at least 8", "the function's timeout is 7s"},
		},
		"totalExecutionTimeout, side by side": {
			func(r *comparison.Run) { r.Repeat, r.TimeoutSec, r.ParallelInvocation = 50_000, 900, true },
			[]string{"sequential: 5 invocations, each of 50000 reads", "the function's timeout is 15m0s", "totalExecutionTimeout is 10m0s", "or raise the timeout that is too short"},
		},
		"autoOptimize": {
			func(r *comparison.Run) { r.TuningInput = &powertuning.Input{AutoOptimize: true} },
			[]string{"autoOptimize", "in the input have no place in a comparison", "remove them"},
		},
		"payloadS3": {func(r *comparison.Run) { r.TuningInput = &powertuning.Input{PayloadS3: "s3://b/k"} }, []string{"payloadS3"}},
		"dryRun":    {func(r *comparison.Run) { r.TuningInput = &powertuning.Input{DryRun: true} }, []string{"dryRun"}},
	} {
		c := threeVariants()
		test.change(&c.Run)
		_, err := stepfunctions.NewEstimate(c, stepfunctions.Target{}, nil)
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: NewEstimate = %v, want %q in it", name, err, want)
			}
		}
	}
}

func TestTheRemediesOfARefusalHelp(t *testing.T) {
	for name, refused := range map[string]func(*comparison.Run){
		"totalExecutionTimeout":  func(r *comparison.Run) { r.Num, r.Repeat = 10, 5000 },
		"the function's timeout": func(r *comparison.Run) { r.Repeat, r.TimeoutSec = 500, 7 },
	} {
		c := threeVariants()
		refused(&c.Run)
		_, err := stepfunctions.NewEstimate(c, stepfunctions.Target{}, nil)
		_, remedy, _ := strings.Cut(fmt.Sprint(err), "maxObjects or keys) to ")
		reads, _, _ := strings.Cut(remedy, ",")
		before := c.Run.Repeat
		if c.Run.Repeat, _ = strconv.Atoi(reads); c.Run.Repeat < before/2 || c.Run.Repeat >= before {
			t.Fatalf("%s: %v: want fewer reads, and no fewer than needed", name, err)
		}
		if _, err := stepfunctions.NewEstimate(c, stepfunctions.Target{}, nil); err != nil {
			t.Errorf("%s: NewEstimate with the %d reads that it says = %v, want nil", name, c.Run.Repeat, err)
		}
	}
	for name, change := range map[string]func(*comparison.Run){
		"parallel":                 func(r *comparison.Run) { r.Num, r.Repeat, r.ParallelInvocation = 10, 5000, true },
		"a function of other make": func(r *comparison.Run) { r.Repeat = 0 },
	} {
		c := threeVariants()
		change(&c.Run)
		if _, err := stepfunctions.NewEstimate(c, stepfunctions.Target{}, nil); err != nil {
			t.Errorf("%s: NewEstimate = %v, want nil", name, err)
		}
	}
	c := threeVariants()
	c.Run.Num, c.Run.Repeat = 10, 5000
	if _, err := stepfunctions.NewEstimate(c, stepfunctions.Target{ExecutionTimeout: 900 * time.Second}, nil); err != nil {
		t.Errorf("totalExecutionTimeout 900 s: NewEstimate = %v, want nil", err)
	}
}

func TestTheEstimateInText(t *testing.T) {
	p, err := stepfunctions.NewEstimate(threeVariants(), stepfunctions.Target{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := p.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	const want = `  On AWS: 3 executions of Power Tuning, one after the other,
  45 invocations, 22,500 S3 GETs
  about 3 min, up to 6 Lambda invocations at once (new accounts: 10 at most)

    Lambda, compute and requests           $0.0031
    Lambda, Power Tuning's own functions   $0.0005
    Step Functions                         $0.0011
    S3                                     $0.0090
    together                               $0.0137

  An upper estimate at list prices. It assumes that S3 answers a read in 24.5 ms,
  a read takes 1 ms of one vCPU, and all sizes share 5,500 GETs a second.
  Power Tuning tries a failing size three times, which adds up to $0.0052. Its
  variant then has no result.
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}
