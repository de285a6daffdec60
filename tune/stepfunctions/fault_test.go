package stepfunctions_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/stepfunctions"
)

func TestTemporaryFaultsAreRetried(t *testing.T) {
	for _, script := range []string{
		"StartExecution=ThrottlingException:3",
		"StartExecution=ServiceUnavailable:3",
		"StartExecution=cut:2",
		"StartExecution=half:2", // the executions were started, and no ARN was read
		"StartExecution=lost:2",
		"StartExecution=lost looks=0", // the repeated start finds that it has ended
		"ListExecutions=ThrottlingException:3",
		"ListExecutions=half",
		"DescribeExecution=ThrottlingException:3@1",
		"DescribeExecution=InternalServerError:10@1",
		"DescribeExecution=cut:10@1",
		"DescribeExecution=half:10@1",
		"DescribeExecution=ExecutionDoesNotExist:3", // not seen yet
		"GetExecutionHistory=ThrottlingException:3 sequential=killed-at-512",
		"GetExecutionHistory=half:3@1 sequential=killed-at-512",
	} {
		t.Run(script, func(t *testing.T) {
			srv, tuner := setup(t, script)
			c := threeVariants()
			if _, err := tune(t, t.Context(), tuner, c); err != nil {
				t.Fatalf("Tune = %v, want nil", err)
			}
			if n := len(srv.Executions()); n != 3 || srv.Overlaps() != 0 {
				t.Errorf("%d executions were started, %d at once; want 3, one after the other", n, srv.Overlaps())
			}
			for _, v := range c.Variants {
				failed := strings.Contains(script, v.Strategy+"=killed-at-512")
				if (v.Error != "") != failed || (v.Tuning == nil) != failed || failed && !strings.Contains(v.Error, "signal: killed") {
					t.Errorf("%s: error %q, tuning %v", v.Label(), v.Error, v.Tuning)
				}
			}
		})
	}
}

// The SDK by itself would pause for 5 s after each of these refusals.
func TestNoHeaderLengthensThePauseBeforeAnotherAttempt(t *testing.T) {
	srv := serve(t, "StartExecution=ThrottlingException:3 DescribeExecution=ServiceUnavailable:3")
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Retry-After", "60000")
		w.Header().Set("Retry-After", "60")
		srv.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	environment(t, web.URL)
	began := time.Now()
	if _, err := tune(t, t.Context(), tuner(t, time.Minute), threeVariants()); err != nil || time.Since(began) >= 5*time.Second {
		t.Errorf("Tune = %v after %v, want nil without any of six pauses of 5 s", err, time.Since(began))
	}
}

func TestACallWithoutAnAnswerIsRepeated(t *testing.T) {
	_, _ = setup(t, "DescribeExecution=stall@1 StartExecution=stall")
	c := threeVariants()
	if _, err := tune(t, t.Context(), tuner(t, 50*time.Millisecond), c); err != nil || c.Variants[2].Tuning == nil {
		t.Errorf("Tune = %v, want nil", err)
	}
}

// executions is the prefix of the ARN of every execution of machine.
const executions = "arn:aws:states:eu-west-1:123456789012:execution:powerTuningStateMachine-1a2b:"

// The cause is requested again on resuming: an error without it would be final.
func TestAFailureWhoseCauseCouldNotBeReadCanBeResumed(t *testing.T) {
	for _, code := range []string{"ExpiredTokenException", "InvalidToken"} {
		srv, tuner := setup(t, "sequential=killed-at-512 GetExecutionHistory="+code)
		c := threeVariants()
		_, err := tune(t, t.Context(), tuner, c)
		if err == nil || !strings.Contains(err.Error(), code) || stepfunctions.IsCredentials(err) != (code == "ExpiredTokenException") {
			t.Errorf("%s: Tune = %v, want it said", code, err)
		}
		if c.Variants[0].Error != "" || c.Variants[0].Execution == "" {
			t.Fatalf("%s: error %q, execution %q; want the variant to be taken up again", code, c.Variants[0].Error, c.Variants[0].Execution)
		}
		if _, err := tune(t, t.Context(), tuner, c); err != nil || c.Variants[0].Error == "" {
			t.Errorf("%s: Tune once more = %v, error %q; want the cause", code, err, c.Variants[0].Error)
		}
		if got := len(srv.Executions()); got != len(c.Variants) {
			t.Errorf("%s: %d executions of %d variants", code, got, len(c.Variants))
		}
	}
}

func TestLastingFaultsEndTheComparisonWithARemedy(t *testing.T) {
	for _, test := range []struct {
		script string
		want   []string
	}{
		{"ListExecutions=StateMachineDoesNotExist", []string{"states:ListExecutions on " + machine + ": StateMachineDoesNotExist", "`pulumi up` deploys"}},
		{"StartExecution=StateMachineDeleting", []string{"StateMachineDeleting", "`pulumi up` deploys"}},
		{"StartExecution=ThrottlingException:1000", []string{"ThrottlingException", "states:StartExecution on " + machine}},
		{"ListExecutions=cut:1000", []string{"AWS could not be reached", "check the network"}},
		{"DescribeExecution=cut:1000@1", []string{"AWS could not be reached", "the execution of sequential goes on", "aws stepfunctions describe-execution --execution-arn ", "aws stepfunctions stop-execution --execution-arn "}},
	} {
		t.Run(test.script, func(t *testing.T) {
			srv, tuner := setup(t, test.script)
			c := threeVariants()
			_, err := tune(t, t.Context(), tuner, c)
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Tune = %v, want %q in it", err, want)
				}
			}
			if stepfunctions.IsCredentials(err) || len(srv.Executions()) > 1 || c.Variants[0].Error != "" {
				t.Errorf("credentials %t, %d executions, error %q; want no fault of credentials, nothing started after it, and the variant as it was",
					stepfunctions.IsCredentials(err), len(srv.Executions()), c.Variants[0].Error)
			}
		})
	}
}

func TestNothingStartsWhileAnotherExecutionRunsForTheFunction(t *testing.T) {
	for script, name := range map[string]string{
		"busy=" + function:                             ":someone-else-1",
		"busy=" + function + ":RAM512":                 ":someone-else-1",
		"busy=" + function + "2 busy=" + function:      ":someone-else-2", // on the list's second page
		"busy=" + function + " DescribeExecution=half": ":someone-else-1",
	} {
		srv, tuner := setup(t, script)
		told, err := tune(t, t.Context(), tuner, threeVariants())
		if slices.ContainsFunc(told, func(p comparison.Progress) bool { return p.Changed }) {
			t.Errorf("told %+v, want nothing to save: what an earlier comparison has left would be lost", told)
		}
		if err == nil || !strings.Contains(err.Error(), name+" runs for the same function") || !strings.Contains(err.Error(), "stop-execution") {
			t.Errorf("Tune = %v, want the execution %s and the command that stops it", err, name)
		}
		if n := count(srv, "StartExecution"); n != 0 {
			t.Errorf("%d executions were started", n)
		}
	}
}

func TestAnExecutionForAnotherFunctionDoesNotMatter(t *testing.T) {
	srv, tuner := setup(t, "busy="+function+"2 busy=arn:aws:lambda:eu-west-1:123456789012:function:other")
	if _, err := tune(t, t.Context(), tuner, threeVariants()); err != nil || len(srv.Executions()) != 3 {
		t.Errorf("Tune = %v, %d executions; want 3", err, len(srv.Executions()))
	}
}

func TestAFailedSaveStartsNothingAndNamesWhatRuns(t *testing.T) {
	full := errors.New("no space left on device")
	for at, starts := range map[string]int{"sequential, starting": 0, "sequential, started": 1} {
		srv, tuner := setup(t, "")
		c := threeVariants()
		err := tuner.Tune(t.Context(), c, func(p comparison.Progress) error {
			if p.Changed && p.Now == at {
				return full
			}
			return nil
		})
		if !errors.Is(err, full) || count(srv, "StartExecution") != starts {
			t.Errorf("%s: Tune = %v after %d starts, want the error and %d", at, err, count(srv, "StartExecution"), starts)
		}
		for _, command := range []string{"describe-execution", "stop-execution"} {
			if want := "aws stepfunctions " + command + " --execution-arn " + executions + "sequential-1-"; strings.Contains(err.Error(), want) != (starts > 0) {
				t.Errorf("%s: Tune = %v with %d running, want %q only where one runs", at, err, starts, want)
			}
		}
	}
}

func TestCtrlCStartsNothingFurtherAndNamesWhatRuns(t *testing.T) {
	srv, tuner := setup(t, "unbounded=runs")
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("interrupt")
	c := threeVariants()
	looks := 0
	err := tuner.Tune(ctx, c, func(p comparison.Progress) error {
		if strings.HasPrefix(p.Now, "unbounded, RUNNING for ") {
			if looks++; looks == 3 {
				cancel(cause)
			}
		}
		return nil
	})
	execution := c.Variants[1].Execution
	if !errors.Is(err, cause) || execution == "" {
		t.Fatalf("Tune = %v, execution %q; want the context's cause", err, execution)
	}
	for _, want := range []string{
		"interrupt during unbounded",
		"aws stepfunctions describe-execution --execution-arn " + execution + " --region eu-west-1\n",
		"aws stepfunctions stop-execution --execution-arn " + execution + " --region eu-west-1\n",
		"RAM<power>", "$LATEST", "`pulumi refresh`, then `pulumi up`",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
	if n := len(srv.Executions()); n != 2 || c.Variants[0].Tuning == nil || c.Variants[1].Error != "" {
		t.Errorf("%d executions, first %v, error of the second %q; want 2, the first whole, and the second without an error", n, c.Variants[0].Tuning, c.Variants[1].Error)
	}
}

func TestCtrlCBeforeTheStartStartsNothing(t *testing.T) {
	srv, tuner := setup(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := tune(t, ctx, tuner, threeVariants())
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "no execution of this comparison runs") || len(srv.Requests()) != 0 {
		t.Errorf("Tune = %v with %d requests, want that nothing runs, and no request", err, len(srv.Requests()))
	}
}

func TestCtrlCWhileAnExecutionIsStartedSaysThatItMayRun(t *testing.T) {
	srv := serve(t, "StartExecution=stall")
	ctx, cancel := context.WithCancel(t.Context())
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".StartExecution") {
			cancel()
		}
		srv.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	environment(t, web.URL)
	c := threeVariants()
	_, err := tune(t, ctx, tuner(t, time.Minute), c)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "--execution-arn "+executions+"sequential-1-") || !strings.Contains(err.Error(), "its execution may run") {
		t.Errorf("Tune = %v, want it to name the execution that may run", err)
	}
	if c.Variants[0].Execution != "" {
		t.Errorf("execution %q is in the comparison, want none: it is not known to exist", c.Variants[0].Execution)
	}
}
