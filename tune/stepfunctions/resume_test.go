package stepfunctions_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-parallel-io/tune/comparison"
)

func TestResumeWaitsForWhatRunsAndRunsWhatIsLeft(t *testing.T) {
	srv, tuner := setup(t, "sequential=killed-at-512 unbounded=runs")
	ctx, cancel := context.WithCancel(t.Context())
	var results *comparison.Comparison // what stands on disk when the process dies
	c := threeVariants()
	_ = tuner.Tune(ctx, c, func(p comparison.Progress) error {
		if p.Changed {
			results = saved(t, c)
		}
		if strings.HasPrefix(p.Now, "unbounded, RUNNING") {
			cancel()
		}
		return nil
	})
	running := srv.Executions()[1].ARN
	if results.Variants[0].Error == "" || results.Variants[1].Execution != running || results.Variants[1].Error != "" {
		t.Fatalf("saved: %+v, want sequential with its error, and the execution %s of unbounded", results.Variants, running)
	}

	succeed(t, srv)
	first := saved(t, results).Variants[0]
	told, err := tune(t, t.Context(), tuner, results)
	if err != nil {
		t.Fatalf("Tune = %v, want nil", err)
	}
	if n := count(srv, "StartExecution"); n != 3 || len(srv.Executions()) != 3 || srv.Overlaps() != 0 {
		t.Errorf("%d starts of %d executions, %d at once; want 3 of 3 and 0", n, len(srv.Executions()), srv.Overlaps())
	}
	if results.Variants[0].Error != first.Error || results.Variants[1].Execution != running || results.Variants[1].Tuning == nil || results.Variants[2].Tuning == nil {
		t.Errorf("got %+v, want sequential as it was, unbounded waited for, and pool", results.Variants)
	}
	if told[0].Done != 1 || told[0].Total != 3 {
		t.Errorf("the first progress is %+v, want 1 of 3 done", told[0])
	}
}

// A process may die between StartExecution and saving its answer. The execution is then found by its name,
// running or ended.
func TestResumeFindsAnExecutionWhoseARNWasNotSaved(t *testing.T) {
	for _, meanwhile := range []string{"running", "ended"} {
		t.Run(meanwhile, func(t *testing.T) {
			srv, tuner := setup(t, "sequential=runs")
			ctx, cancel := context.WithCancel(t.Context())
			var results *comparison.Comparison
			c := threeVariants()
			_ = tuner.Tune(ctx, c, func(p comparison.Progress) error {
				if results == nil && p.Changed {
					results = saved(t, c) // of before anything was started, and never again
				}
				if strings.HasPrefix(p.Now, "sequential, RUNNING") {
					cancel()
				}
				return nil
			})
			if results == nil || results.Variants[0].Execution != "" {
				t.Fatalf("nothing was saved before the first start: %+v", results)
			}
			succeed(t, srv)
			if meanwhile == "ended" { // someone else looks, too
				again := saved(t, c)
				if _, err := tune(t, t.Context(), tuner, again); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := tune(t, t.Context(), tuner, results); err != nil {
				t.Fatalf("Tune = %v, want nil", err)
			}
			if n := len(srv.Executions()); n != 3 || srv.Overlaps() != 0 {
				t.Errorf("%d executions were started, %d at once; want 3 and 0", n, srv.Overlaps())
			}
			for i, v := range results.Variants {
				if v.Tuning == nil || v.Execution != srv.Executions()[i].ARN {
					t.Errorf("%s: execution %s, tuning %v; want that of %s", v.Label(), v.Execution, v.Tuning, srv.Executions()[i].ARN)
				}
			}
		})
	}
}

func TestAnotherComparisonStartsExecutionsOfItsOwn(t *testing.T) {
	srv, tuner := setup(t, "")
	now := time.Date(2026, 11, 22, 22, 7, 15, 0, time.UTC)
	begun := func(at time.Time, num int) *comparison.Comparison {
		spec := threeVariants().Run.Spec
		for _, v := range threeVariants().Variants {
			spec.Variants = append(spec.Variants, v.Variant)
		}
		spec.Num = num
		return comparison.New(spec, at)
	}
	a, b, other := begun(now, 5), begun(now.Add(time.Millisecond), 5), begun(now, 6)
	for _, c := range []*comparison.Comparison{a, b, other} {
		if _, err := tune(t, t.Context(), tuner, c); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(srv.Executions()); n != 9 {
		t.Errorf("%d executions were started for three comparisons of 3, want 9", n)
	}
}

func TestAnExecutionThatAWSHasDeletedIsTheVariantsError(t *testing.T) {
	srv, tuner := setup(t, "")
	c := threeVariants()
	c.Variants[0].Execution = strings.Replace(machine, "stateMachine", "execution", 1) + ":long-ago"
	if _, err := tune(t, t.Context(), tuner, c); err != nil {
		t.Fatal(err)
	}
	if got := c.Variants[0].Error; !strings.Contains(got, ":long-ago does not exist") || len(srv.Executions()) != 2 {
		t.Errorf("error %q, %d executions; want that it does not exist, and the other 2", got, len(srv.Executions()))
	}
}

func TestEveryStepOfAVariantIsReported(t *testing.T) {
	_, tuner := setup(t, "looks=2")
	c := threeVariants()
	c.Variants = c.Variants[2:]
	told, err := tune(t, t.Context(), tuner, c)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range told {
		now, _, _ := strings.Cut(p.Now, " for ") // how long depends on this machine's clock
		got = append(got, now+"/"+p.Finished)
	}
	want := []string{"pool (30), starting/", "pool (30), started/", "pool (30), RUNNING/", "pool (30), RUNNING/", "/pool (30): 3 sizes in 1m32s"}
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}
