package stepfunctions_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/stepfunctions"
)

// check is that of a map of this machine.
func check(t *testing.T) *comparison.Comparison {
	t.Helper()
	f, err := os.Open("../report/testdata/map/results.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := comparison.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := stepfunctions.NewCheck(c, "map.json", stepfunctions.Target{StateMachine: machine, Function: function}, comparison.DefaultNum); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestACheckCostsAFifthOfItsMapAtMost(t *testing.T) {
	e, err := stepfunctions.NewEstimate(check(t), stepfunctions.Target{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if e.Executions != 2 || e.Invocations != 3*comparison.DefaultNum || e.GETs != comparison.DefaultNum*(1_000+1_000+200) {
		t.Errorf("%d executions, %d invocations, %d GETs; want 2, 18 and 13,200", e.Executions, e.Invocations, e.GETs)
	}
	if e.Whole < 28*6*2_000*0.0004/1_000 || e.Dollars() > e.Whole/5 {
		t.Errorf("$%.4f in place of $%.4f, want a fifth at most, and of every cell its GETs at least", e.Dollars(), e.Whole)
	}
}

// Two executions measure three cells: the answer's variant at two sizes side by
// side, and then sequential.
func TestACheckMeasuresTheAnswerAndSequential(t *testing.T) {
	srv, tuner := setup(t, "")
	c := check(t)
	saved := 0
	if err := tuner.Tune(t.Context(), c, func(p comparison.Progress) error {
		if p.Changed {
			saved++
			return c.Validate() // whatever is saved can be read again
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	all := srv.Executions()
	if len(all) != 2 || srv.Overlaps() != 0 || saved < 4 {
		t.Fatalf("%d executions, %d of them while another ran, saved %d times; want 2, 0, and before and after each", len(all), srv.Overlaps(), saved)
	}
	for i, want := range []string{`"powerValues":[512,3072],"num":6,"payload":{"strategy":"pool","concurrency":160,"repeat":1000,"objectKey":"sample.json"}`,
		`"powerValues":[1769],"num":6,"payload":{"strategy":"sequential","repeat":200,"objectKey":"sample.json"}`} {
		if !strings.Contains(all[i].Input, want) {
			t.Errorf("execution %d has the input %s, want %s in it", i+1, all[i].Input, want)
		}
	}
	if c.Mode != comparison.Local || c.Map == nil || c.Map.Answer == nil || c.Calibration.Fit == nil || c.Unfinished() {
		t.Errorf("mode %s, map %v, calibration %+v: want a map that was fitted", c.Mode, c.Map != nil, c.Calibration)
	}
}

func TestAnExecutionThatFailsEndsACheck(t *testing.T) {
	srv, tuner := setup(t, "pool=killed-at-512")
	c := check(t)
	_, err := tune(t, t.Context(), tuner, c)
	if err == nil || !strings.Contains(err.Error(), "the check has to be made again: pool (160): out of memory") {
		t.Errorf("Tune = %v, want what to do, and why", err)
	}
	if len(srv.Executions()) != 1 || c.Unfinished() || slices.ContainsFunc(c.Checks, func(k comparison.Check) bool { return k.Unchecked == "" }) {
		t.Errorf("%d executions, checks %+v; want one, and all of them unchecked", len(srv.Executions()), c.Checks)
	}
}

func TestWhatHasNoMapOrAnotherObjectIsNoCheck(t *testing.T) {
	f, err := os.ReadFile("../report/testdata/map/results.json")
	if err != nil {
		t.Fatal(err)
	}
	for want, x := range map[string]struct {
		target stepfunctions.Target
		change func(*comparison.Comparison)
	}{
		"make one: go run ./tune --arch arm64": {change: func(c *comparison.Comparison) { c.Map = nil }},
		"the function of x86_64":               {target: stepfunctions.Target{Arch: "x86_64"}},
		"the stack's object is orders.json":    {target: stepfunctions.Target{ObjectKey: "orders.json"}},
	} {
		c, err := comparison.Read(strings.NewReader(string(f)))
		if err != nil {
			t.Fatal(err)
		}
		if x.change != nil {
			x.change(c)
		}
		if err := stepfunctions.NewCheck(c, "map.json", x.target, 6); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("NewCheck = %v, want %q in it", err, want)
		}
	}
}
