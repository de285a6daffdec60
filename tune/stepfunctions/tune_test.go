package stepfunctions_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"lambda-parallel-io/tune/powertuning"
)

func TestAComparisonIsWhatPowerTuningAnswersForEachVariant(t *testing.T) {
	srv, tuner := setup(t, "")
	c := threeVariants()
	told, err := tune(t, t.Context(), tuner, c)
	if err != nil {
		t.Fatalf("Tune = %v, want nil", err)
	}
	if got := srv.Executions(); len(got) != 3 || srv.Overlaps() != 0 {
		t.Fatalf("%d executions, %d overlaps; want 3 and 0", len(got), srv.Overlaps())
	}
	for i, e := range srv.Executions() {
		v := c.Variants[i]
		if v.Error != "" || v.Execution != e.ARN || len(v.Cells) != 3 || v.Tuning == nil {
			t.Fatalf("%s: error %q, execution %s, %d cells; want none, %s, 3", v.Label(), v.Error, v.Execution, len(v.Cells), e.ARN)
		}
		answered, err := powertuning.ParseOutput([]byte(e.Output))
		if err != nil {
			t.Fatal(err)
		}
		for j, s := range answered.Stats {
			if cell := v.Cells[j]; cell.Power != s.Value || cell.AverageMS != s.AverageDuration || cell.AverageCost != s.AveragePrice {
				t.Errorf("%s: cell %+v, want the figures of %+v", v.Label(), cell, s)
			}
		}
		if b, _ := json.Marshal(v.Cells); strings.Contains(string(b), "durations_ms") || strings.Contains(string(b), "billed_ms") || strings.Contains(string(b), "cpu_share") {
			t.Errorf("%s: figures that Power Tuning does not answer: %s", v.Label(), b)
		}
	}
	if seq, pool := c.Variants[0].Cells[2].AverageMS, c.Variants[2].Cells[2].AverageMS; math.Abs(seq/pool-30) > 1 {
		t.Errorf("sequential takes %g ms and pool (30) %g ms, want a ratio of 30 as the server was told", seq, pool)
	}
	last := told[len(told)-1]
	if last.Done != 3 || last.Total != 3 || !last.Changed || last.Finished != "pool (30): 3 sizes in 1m32s" {
		t.Errorf("the last progress is %+v, want 3 of 3, changed, and how pool ended", last)
	}
}

func TestTheStateMachineIsToldWhatTheComparisonSays(t *testing.T) {
	srv, tuner := setup(t, "")
	c := threeVariants()
	c.Run.SleepBetweenRunsMS, c.Run.ParallelInvocation, c.Run.DiscardTopBottom = 250, true, 0
	if _, err := tune(t, t.Context(), tuner, c); err != nil {
		t.Fatal(err)
	}
	e := srv.Executions()[2]
	const want = `{"lambdaARN":"` + function + `","powerValues":[512,1024,1769],"num":5,` +
		`"payload":{"concurrency":30,"objectKey":"sample.json","repeat":500,"strategy":"pool"},` +
		`"strategy":"balanced","balancedWeight":0.5,"discardTopBottom":0,"sleepBetweenRunsMs":250,"parallelInvocation":true,"includeOutputResults":true}`
	if e.Input != want {
		t.Errorf("input\n%s, want\n%s", e.Input, want)
	}
	if !strings.HasPrefix(e.Name, "pool-30-20261122T220715Z-") || len(e.Name) > 80 {
		t.Errorf("name %q, want it readable and of 80 characters at most", e.Name)
	}
}

func TestAnInputsFurtherFieldsReachTheStateMachine(t *testing.T) {
	srv, tuner := setup(t, "")
	c := threeVariants()
	in, err := powertuning.ParseInput([]byte(`{"lambdaARN": "` + function + `-old", "num": 50, "payload": {}, "onlyColdStarts": true, "disablePayloadLogs": true}`))
	if err != nil {
		t.Fatal(err)
	}
	c.Run.TuningInput = &in
	if _, err := tune(t, t.Context(), tuner, saved(t, c)); err != nil {
		t.Fatal(err)
	}
	got, err := powertuning.ParseInput([]byte(srv.Executions()[0].Input))
	if err != nil || !got.OnlyColdStarts || !got.DisablePayloadLogs || got.Num != 5 || got.LambdaARN != function {
		t.Errorf("input %s, want onlyColdStarts and disablePayloadLogs, and the comparison's function and num", srv.Executions()[0].Input)
	}
}

func TestNothingButStepFunctionsInTheARNsRegionIsCalled(t *testing.T) {
	srv, tuner := setup(t, "pool=empty")
	if _, err := tune(t, t.Context(), tuner, threeVariants()); err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{"ListExecutions": true, "StartExecution": true, "DescribeExecution": true, "GetExecutionHistory": true}
	for _, r := range srv.Requests() {
		if !allowed[r.Operation] || r.Region != "eu-west-1" {
			t.Errorf("%s was called, signed for %q; want only %v in eu-west-1", r.Operation, r.Region, allowed)
		}
	}
}

func TestAFailedVariantShowsItsCauseAndTheOthersGoOn(t *testing.T) {
	for end, want := range map[string]string{
		"empty":     "Power Tuning failed, though its execution ended as SUCCEEDED: Executor at 512 MB: Invocation error (running in series): Runtime.ExitError: RequestId: 6f7f Error: Runtime exited with error: signal: killed",
		"timeout":   "Power Tuning failed, though its execution ended as SUCCEEDED: Executor at 512 MB: States.Timeout: its invocations did not end within totalExecutionTimeout, so lower -repeat or -num, or choose -parallel",
		"publish":   "Power Tuning failed, though its execution ended as SUCCEEDED: Publisher at 1024 MB: Resource conflict: an update is in progress",
		"failed":    "the execution ended as FAILED: Initializer: ResourceNotFoundException: Function not found: " + function + "; then its clean-up failed, so aliases RAM<power> may be left: TypeError: Cannot read properties of undefined (reading 'powerValues')",
		"timed-out": "the execution ended as TIMED_OUT: States.Timeout",
		"aborted":   "the execution ended as ABORTED: stopped by a person; its clean-up was skipped: `pulumi refresh`, then `pulumi up`, sets the function's memory size right",
	} {
		t.Run(end, func(t *testing.T) {
			_, tuner := setup(t, "unbounded="+end)
			c := threeVariants()
			told, err := tune(t, t.Context(), tuner, c)
			if err != nil {
				t.Fatalf("Tune = %v, want nil: the failure is the variant's", err)
			}
			v := c.Variants[1]
			if v.Error != want || v.Tuning != nil || len(v.Cells) != 0 {
				t.Errorf("error\n%s, want\n%s\nwith no tuning and no cells, got %v and %d", v.Error, want, v.Tuning, len(v.Cells))
			}
			if c.Variants[0].Tuning == nil || c.Variants[2].Tuning == nil {
				t.Error("the other variants did not go on")
			}
			var said bool
			for _, p := range told {
				said = said || strings.HasPrefix(p.Finished, "unbounded: failed after 1m32s: ")
			}
			if !said {
				t.Errorf("no progress says that unbounded failed: %+v", told)
			}
		})
	}
}

func TestASizeThatPowerTuningDropsIsACellThatFailed(t *testing.T) {
	_, tuner := setup(t, "pool=dropped")
	c := threeVariants()
	if _, err := tune(t, t.Context(), tuner, c); err != nil {
		t.Fatal(err)
	}
	v := c.Variants[2]
	if len(v.Cells) != 3 || v.Cells[0].Power != 512 || !strings.Contains(v.Cells[0].Error, "no REPORT line") || v.Tuning == nil {
		t.Errorf("cells %+v, want the one at 512 MB with an error", v.Cells)
	}
}
