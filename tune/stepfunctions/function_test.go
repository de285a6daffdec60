package stepfunctions_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/stepfunctions"
)

func TestWithoutAStackLambdaIsAskedAboutTheFunction(t *testing.T) {
	_, tuner := setup(t, `function={"Timeout":300,"Architectures":["x86_64"]}`)
	if unknown, err := tuner.Complete(t.Context()); err != nil || unknown != "" || tuner.Arch != "x86_64" || tuner.Timeout != 300*time.Second {
		t.Errorf("Complete = %q, %v with %s, %s; want x86_64 and 5m0s", unknown, err, tuner.Arch, tuner.Timeout)
	}
	for field, flags := range map[string]stepfunctions.Target{"arch": {Arch: "arm64"}, "timeout": {Timeout: time.Minute}} {
		_, tuner := setup(t, `function={"Timeout":300,"Architectures":["x86_64"]}`)
		tuner.Arch, tuner.Timeout = flags.Arch, flags.Timeout
		_, err := tuner.Complete(t.Context())
		var flag *comparison.FieldError
		if !errors.As(err, &flag) || flag.Field != field || !strings.Contains(err.Error(), function) {
			t.Errorf("Complete with %+v = %v, want an error of the field %s", flags, err, field)
		}
	}
	_, tuner = setup(t, "GetFunctionConfiguration=AccessDeniedException")
	if unknown, err := tuner.Complete(t.Context()); err != nil || !strings.Contains(unknown, "architecture and timeout are not known") || !strings.Contains(unknown, "lambda:GetFunctionConfiguration") {
		t.Errorf("Complete without the permission = %q, %v; want it said, and no error", unknown, err)
	}
	_, tuner = setup(t, "GetFunctionConfiguration=ResourceNotFoundException")
	if _, err := tuner.Complete(t.Context()); err == nil || !strings.Contains(err.Error(), "lambda:GetFunctionConfiguration on "+function) || !strings.Contains(err.Error(), "check the ARN") {
		t.Errorf("Complete of a function that is not there = %v, want what to do", err)
	}
}

func TestLambdaIsNotAskedIfTheStackKnowsTheFunction(t *testing.T) {
	srv, _ := setup(t, "")
	pulumi(t, `echo '`+deployed(`"architecture": "x86_64", "timeout": 300`)+`'`)
	target, err := stepfunctions.Resolve(t.Context(), "dev", stepfunctions.Target{})
	if err != nil {
		t.Fatal(err)
	}
	tuner, err := stepfunctions.New(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tuner.Complete(t.Context()); err != nil || tuner.Arch != "x86_64" || len(srv.Requests()) != 0 {
		t.Errorf("Complete = %v with %s after %d calls, want x86_64 and none", err, tuner.Arch, len(srv.Requests()))
	}
}

// In the denied recordings one executor was running when the execution ended; in killed-at-512 all had ended.
func TestTheNextVariantWaitsForExecutorsThatMayStillRun(t *testing.T) {
	for end, want := range map[string]time.Duration{
		"denied-at-every-size": 10 * time.Minute, "denied-in-parallel": 10 * time.Minute, "fine@37": 9*time.Minute + 59*time.Second,
		"killed-at-512": 0, "no-such-function": 0, "fine@16": 0,
	} {
		srv, tuner := setup(t, "unbounded="+end)
		var waited time.Duration
		c := threeVariants()
		tuner.SetClock(func() time.Time { return time.Time{} }, func(_ context.Context, d time.Duration) error {
			if count(srv, "StartExecution") != 2 || c.Variants[1].Ended() {
				t.Errorf("%s: waited after %d starts, ended %t; want it after the second, which is not settled", end, count(srv, "StartExecution"), c.Variants[1].Ended())
			}
			waited += d
			return nil
		})
		told, err := tune(t, t.Context(), tuner, c)
		said := slices.ContainsFunc(told, func(p comparison.Progress) bool {
			return strings.HasPrefix(p.Finished, "unbounded: failed, waiting ") && strings.Contains(p.Finished, "executors that may still run")
		})
		if err != nil || waited > want || waited < want-time.Second || said != (want > 0) {
			t.Errorf("%s: Tune = %v, waited %s, said so: %t; want %s, said", end, err, waited, said, want)
		}
	}
}

func TestThereIsNoWaitAfterTheLastVariantOrOnceTheTimeIsOver(t *testing.T) {
	for script, now := range map[string]time.Time{"pool=denied-at-every-size": {}, "unbounded=denied-at-every-size": time.Now().AddDate(10, 0, 0)} {
		_, tuner := setup(t, script)
		tuner.SetClock(func() time.Time { return now }, func(_ context.Context, d time.Duration) error {
			t.Errorf("%s at %s: waited %s, want no wait", script, now, d)
			return nil
		})
		if _, err := tune(t, t.Context(), tuner, threeVariants()); err != nil {
			t.Errorf("%s: Tune = %v, want nil", script, err)
		}
	}
}

func TestAnInterruptedWaitForExecutorsIsResumed(t *testing.T) {
	srv, tuner := setup(t, "sequential=denied-at-every-size")
	cause := errors.New("interrupt")
	tuner.SetClock(func() time.Time { return time.Time{} }, func(context.Context, time.Duration) error { return cause })
	c := threeVariants()
	for range 2 {
		if _, err := tune(t, t.Context(), tuner, c); !errors.Is(err, cause) || c.Variants[0].Ended() || len(srv.Executions()) != 1 {
			t.Errorf("Tune = %v with %d executions, ended: %t; want the wait again, and nothing started", err, len(srv.Executions()), c.Variants[0].Ended())
		}
	}
}

func TestTheErrorSaysThatTheFunctionWasLeftAtAnotherSize(t *testing.T) {
	command := "`aws lambda update-function-configuration --function-name " + function + " --memory-size 2304 --region eu-west-1`"
	for script, want := range map[string]string{
		`unbounded=fine@16 function={"MemorySize":512}`:        "the function was left at 512 MB: " + command,
		`unbounded=killed-at-512 function={"MemorySize":1024}`: "the function was left at 1,024 MB: " + command,
		"unbounded=fine@16": "",
		"unbounded=fine@16 GetFunctionConfiguration=AccessDeniedException": "whether the function has its 2,304 MB again is not known: the caller may not call lambda:GetFunctionConfiguration",
		`unbounded=num-too-small function={"MemorySize":512}`:              "", // nothing was published
	} {
		_, tuner := setup(t, script)
		c := threeVariants()
		if _, err := tune(t, t.Context(), tuner, c); err != nil || c.Variants[1].Error == "" || c.Variants[2].Tuning == nil {
			t.Fatalf("%s: Tune = %v, error %q; want the variant's, and the next one whole", script, err, c.Variants[1].Error)
		}
		if got := c.Variants[1].Error; !strings.Contains(got, want) || want == "" && strings.Contains(got, "MB") {
			t.Errorf("%s: error %q, want %q in it", script, got, want)
		}
	}
}
