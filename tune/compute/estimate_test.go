package compute_test

import (
	"testing"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/profile"
)

func TestACallIsEstimatedByWhatHoldsItUp(t *testing.T) {
	for name, test := range map[string]struct {
		spec     comparison.Spec
		inFlight int
		power    int
		latency  string
		cpu      float64
		want     time.Duration
	}{
		"S3's latency":                     {comparison.Spec{Repeat: 3_000}, 30, 1_769, "20ms", 0, 2 * time.Second},
		"the processor":                    {comparison.Spec{Repeat: 3_000}, 30, 512, "20ms", 1, 3 * time.Second * 1_769 / 512},
		"more reads than are simulated":    {comparison.Spec{Repeat: 300_000}, 30, 1_769, "20ms", 0, 200 * time.Second},
		"the bytes":                        {comparison.Spec{Repeat: 3_000, ObjectBytes: 1 << 20}, 30, 1_769, "20ms", 0, 40 * time.Second},
		"the bytes of many objects":        {comparison.Spec{Repeat: 3_000, Objects: &comparison.Objects{Bytes: 3_000 << 20}}, 30, 1_769, "20ms", 0, 40 * time.Second},
		"S3's limit":                       {comparison.Spec{Repeat: 5_500}, 120, 1_769, "20ms", 0, time.Second},
		"S3's limit, by the sizes on AWS":  {comparison.Spec{Repeat: 5_500, StateMachine: "arn", PowerValues: []int{512, 1_769}}, 68, 1_769, "20ms", 0, 2 * time.Second},
		"S3's limit, by calls in parallel": {comparison.Spec{Repeat: 5_500, StateMachine: "arn", PowerValues: []int{512, 1_769}, ParallelInvocation: true, Num: 5}, 20, 1_769, "20ms", 0, 10 * time.Second},
		"nothing is known of the reads":    {comparison.Spec{}, 30, 1_769, "20ms", 1, 0},
	} {
		test.spec.Arch = "x86_64"
		v := comparison.Place{Strategy: "pool", Concurrency: &test.inFlight}.Variant("sample.json", test.spec.Repeat)
		got := compute.Estimate(test.spec, v, test.power, profile.MustParse(test.latency), test.cpu)
		if got < 5*test.want/6 || got > 7*test.want/4 { // S3 grants a tenth at once, and what it refuses waits
			t.Errorf("%s: a call of %d reads is estimated to take %s, want %s", name, test.spec.Repeat, got, test.want)
		}
	}
}
