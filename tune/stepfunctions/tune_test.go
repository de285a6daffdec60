package stepfunctions_test

import (
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-parallel-io/tune/comparison"
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

func TestTheStateMachineGetsTheComparisonsSettings(t *testing.T) {
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
	if !regexp.MustCompile(`^pool-30-20261122T220715Z-[0-9a-f]{1,55}$`).MatchString(e.Name) { // at most 80 of the characters that CloudWatch takes
		t.Errorf("name %q, want it readable and of 80 characters at most", e.Name)
	}
}

func TestOtherFieldsOfAnInputReachTheStateMachine(t *testing.T) {
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

func TestOnlyDocumentedOperationsAreCalledInTheARNsRegion(t *testing.T) {
	srv := serve(t, "pool=killed-at-512")
	signed := regexp.MustCompile(`Credential=[^/]*/[^/]*/eu-west-1/(states|lambda)/`)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if signature := r.Header.Get("Authorization"); !signed.MatchString(signature) {
			t.Errorf("a call is signed by %s, want it in eu-west-1", signature)
		}
		srv.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	environment(t, web.URL)
	if _, err := tune(t, t.Context(), tuner(t, time.Minute), threeVariants()); err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{"ListExecutions": true, "StartExecution": true, "DescribeExecution": true, "GetExecutionHistory": true, "GetFunctionConfiguration": true}
	for _, operation := range srv.Requests() {
		if !allowed[operation] {
			t.Errorf("%s was called; want only %v", operation, allowed)
		}
	}
}

func TestAFailedVariantShowsItsCauseAndTheOthersGoOn(t *testing.T) {
	for end, want := range map[string]string{
		"killed-at-512":              "out of memory: Runtime exited with error: signal: killed; leave 512 out of --power, or lower --concurrency (Executor at 512 MB, running in series; its execution ended as SUCCEEDED)",
		"denied-at-every-size":       `read object "none.json" of bucket "bkt": operation error S3: GetObject, https response error StatusCode: 403, AccessDenied; check that the object exists and that the function may read it (Executor at 1024 MB, running in series; its execution ended as SUCCEEDED)`,
		"denied-in-parallel":         `read object "none.json" of bucket "bkt": operation error S3: GetObject, https response error StatusCode: 403, AccessDenied; check that the object exists and that the function may read it (Executor at 1024 MB, running in parallel; its execution ended as SUCCEEDED)`,
		"killed-at-512-long-payload": `payload: unknown field "note": the fields are strategy, concurrency, repeat, objectKey (Executor at 1024 MB, running in series; its execution ended as SUCCEEDED)`,
		"no-such-function":           "ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:fn-missing (Initializer; its execution ended as FAILED)",
		"num-too-small":              "Missing num or num below 5 (Initializer; its execution ended as FAILED)",
		"fine@37": "somebody stopped it (its execution ended as ABORTED); the function may still get another memory size: " +
			"`aws lambda update-function-configuration --function-name " + function + " --memory-size 2304 --region eu-west-1` gives it back its 2,304; " +
			"aliases RAM<power> and their versions may be left, which the next comparison of these sizes removes",
		"fine@3": "somebody stopped it (its execution ended as ABORTED)", // nothing was published
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
			if !slices.ContainsFunc(told, func(p comparison.Progress) bool {
				return strings.HasPrefix(p.Finished, "unbounded: failed after ") && strings.Contains(p.Finished, want[:20])
			}) {
				t.Errorf("no progress says that unbounded failed: %+v", told)
			}
		})
	}
}

// These failures were not recorded. They differ from the recordings only in the words that Edit replaces.
func TestEveryKindOfCauseIsExplained(t *testing.T) {
	thrown := regexp.MustCompile(`"error": "Error",\s*"cause": "(\\.|[^"\\])*"`)
	cleaned := regexp.MustCompile(`"lambdaFunctionSucceededEventDetails": \{\s*"output": "\\"OK\\"",\s*"outputDetails": \{[^}]*\}\s*\}`)
	instead := func(event string) func(string) string {
		return func(recording string) string { return thrown.ReplaceAllString(recording, event) }
	}
	replaced := func(pairs ...string) func(string) string { return strings.NewReplacer(pairs...).Replace }
	for name, test := range map[string]struct {
		edit func(string) string
		want string
	}{
		"out of memory":       {replaced("Runtime.ExitError", "Runtime.OutOfMemory", "Runtime exited with error: signal: killed", "Memory"), "out of memory: Memory; leave 512 out of --power"},
		"an exit":             {replaced("signal: killed", "exit status 3"), "Runtime.ExitError: Runtime exited with error: exit status 3 (Executor at 512 MB"},
		"the function's time": {replaced("Runtime.ExitError", "Sandbox.Timedout"), "the function's timeout: Runtime exited with error: signal: killed; lower --repeat, or raise the timeout (Executor"},
		"an executor's time":  {instead(`"error": "States.Timeout"`), "the invocations did not end within totalExecutionTimeout: lower --repeat or --num, or choose --parallel (Executor at 512 MB;"},
		"Lambda's, for it":    {instead(`"error": "Sandbox.Timedout", "cause": "{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"RequestId: 6f7f Error: Task timed out after 600.00 seconds\"}"`), "the invocations did not end within totalExecutionTimeout: Task timed out after 600.00 seconds; lower --repeat or --num"},
		"a clean-up that fails": {func(recording string) string {
			return cleaned.ReplaceAllString(recording, `"lambdaFunctionFailedEventDetails": {"error": "TypeError", "cause": "clean-up"}`)
		}, "out of memory: Runtime exited"},
		"a processor":         {replaced("Invocation error (running in series)", "PreProcessor arn:aws:lambda:eu-west-1:123456789012:function:before failed"), "Runtime.ExitError: Runtime exited with error: signal: killed (Executor at 512 MB, PreProcessor arn:aws:lambda:eu-west-1:123456789012:function:before; "},
		"a quote of the form": {replaced("sample.json", `x\\\\\\\" - original error type: \\\\\\\"y`), "out of memory: Runtime exited with error: signal: killed; leave 512"},
		"a long first line":   {replaced("Runtime.ExitError", "E", "signal: killed", strings.Repeat("long ", 200)+`\\nchange it`), "…; change it (Executor at 512 MB"},
	} {
		srv, tuner := setup(t, "pool=killed-at-512")
		srv.Edit = test.edit
		c := threeVariants()
		if _, err := tune(t, t.Context(), tuner, c); err != nil || !strings.Contains(c.Variants[2].Error, test.want) {
			t.Errorf("%s: Tune = %v, error %q; want %q in it", name, err, c.Variants[2].Error, test.want)
		}
	}
}

func TestASizeWithoutDurationsHasFailed(t *testing.T) {
	_, tuner := setup(t, "pool=no-report-line-at-512")
	c := threeVariants()
	c.Run.PowerValues = []int{512, 1024}
	if _, err := tune(t, t.Context(), tuner, c); err != nil {
		t.Fatal(err)
	}
	v := c.Variants[2]
	if v.Tuning == nil || len(v.Cells) != 2 || !strings.Contains(v.Cells[0].Error, "no REPORT line") || v.Cells[1].Error != "" || v.Cells[1].AverageMS != 151.46666666666667 {
		t.Errorf("cells %+v, want the one at 512 MB with an error, and the other one as recorded", v.Cells)
	}
	if got := powertuning.Link("us-east-1", v.Tuning.Stats); got != v.Tuning.StateMachine.Visualization {
		t.Errorf("link of the stats %s, want the recorded one, which leaves 512 MB out: %s", got, v.Tuning.StateMachine.Visualization)
	}
	if c.Recommend(); c.Recommendation == nil || !v.Failed() {
		t.Errorf("recommendation %v, failed %t; want one, and that pool has failed", c.Recommendation, v.Failed())
	}
}

func TestTheResultsOfARealExecutionAreRead(t *testing.T) {
	_, tuner := setup(t, "pool=fine")
	c := threeVariants()
	c.Run.PowerValues = []int{512, 1024}
	if _, err := tune(t, t.Context(), tuner, c); err != nil {
		t.Fatal(err)
	}
	v := c.Variants[2]
	if v.Error != "" || v.Tuning.Power != 1024 || len(v.Cells) != 2 || v.Cells[0].AverageMS != 299.49 || v.Cells[1].AverageCost != 2.1215999999999997e-06 {
		t.Errorf("error %q, tuning %+v, cells %+v; want what was recorded", v.Error, v.Tuning, v.Cells)
	}
}
