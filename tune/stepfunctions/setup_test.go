package stepfunctions_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/internal/sfntest"
	"lambda-parallel-io/tune/stepfunctions"
)

const (
	machine  = "arn:aws:states:eu-west-1:123456789012:stateMachine:powerTuningStateMachine-1a2b"
	function = "arn:aws:lambda:eu-west-1:123456789012:function:reader"
)

// environment gives the SDK credentials and an endpoint, and hides the machine's own configuration.
func environment(t *testing.T, endpoint string) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(name, value)
	}
}

// setup serves a script on loopback and makes a Tuner for it that never waits.
func setup(t *testing.T, script string) (*sfntest.Server, *stepfunctions.Tuner) {
	t.Helper()
	srv := serve(t, script)
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)
	environment(t, web.URL)
	return srv, tuner(t, time.Minute)
}

// tuner makes a Tuner that waits only for answers, each for at most timeout.
func tuner(t *testing.T, timeout time.Duration) *stepfunctions.Tuner {
	t.Helper()
	target, err := stepfunctions.Resolve(t.Context(), "", stepfunctions.Target{StateMachine: machine, Function: function})
	if err != nil {
		t.Fatal(err)
	}
	tuner, err := stepfunctions.NewTuner(t.Context(), target, noDelay, timeout)
	if err != nil {
		t.Fatal(err)
	}
	tuner.SetClock(time.Now, func(context.Context, time.Duration) error { return nil })
	return tuner
}

var noDelay = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })

func serve(t *testing.T, script string) *sfntest.Server {
	t.Helper()
	srv, err := sfntest.New(script)
	if err != nil {
		t.Fatal(err)
	}
	return srv
}

// succeed makes everything succeed from now on.
func succeed(t *testing.T, srv *sfntest.Server) {
	t.Helper()
	if err := srv.Follow(""); err != nil {
		t.Fatal(err)
	}
}

// threeVariants compares sequential, unbounded and pool at three sizes.
func threeVariants() *comparison.Comparison {
	one, thirty := 1, 30
	return &comparison.Comparison{
		Schema: comparison.Schema, Mode: comparison.AWS,
		Run: comparison.Run{
			Time: time.Date(2026, 11, 22, 22, 7, 15, 123, time.UTC),
			Spec: comparison.Spec{
				Arch: "arm64", Region: "eu-west-1",
				PowerValues: []int{512, 1024, 1769}, Num: 5, Repeat: 500, Function: function, StateMachine: machine, TimeoutSec: 600,
				TuningStrategy: "balanced", BalancedWeight: 0.5, DiscardTopBottom: 0.2,
			},
		},
		Variants: []comparison.Result{
			{Variant: comparison.Variant{Strategy: "sequential", Concurrency: &one, Payload: payload("sequential", 1)}},
			{Variant: comparison.Variant{Strategy: "unbounded", Payload: payload("unbounded", 1)}},
			{Variant: comparison.Variant{Strategy: "pool", Concurrency: &thirty, Payload: payload("pool", 30)}},
		},
	}
}

func payload(strategy string, concurrency int) json.RawMessage {
	b, err := json.Marshal(map[string]any{"strategy": strategy, "concurrency": concurrency, "repeat": 500, "objectKey": "sample.json"})
	if err != nil {
		panic(err)
	}
	return b
}

// tune runs a comparison and returns its progress.
func tune(t *testing.T, ctx context.Context, tuner *stepfunctions.Tuner, c *comparison.Comparison) (told []comparison.Progress, err error) {
	t.Helper()
	err = tuner.Tune(ctx, c, func(p comparison.Progress) error { told = append(told, p); return nil })
	return told, err
}

// saved is c written to results.json and read again.
func saved(t *testing.T, c *comparison.Comparison) *comparison.Comparison {
	t.Helper()
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var again comparison.Comparison
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	return &again
}

func count(srv *sfntest.Server, operation string) (n int) {
	for _, requested := range srv.Requests() {
		if requested == operation {
			n++
		}
	}
	return n
}
