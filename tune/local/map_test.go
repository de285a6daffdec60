//go:build linux

package local_test

import (
	"bytes"
	"os"
	"testing"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/local"
)

// The answer is checked against sequential reads, also where --strategies leaves them out.
func TestAMapWithoutSequentialReadsIsChecked(t *testing.T) {
	raw, err := os.ReadFile("../report/testdata/map/results.json")
	if err != nil {
		t.Fatal(err)
	}
	c, err := comparison.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	again := comparison.New(c.Run.Spec, c.Run.Time)
	again.Run.CPUs, again.Calibration, again.Run.Variants, again.Variants = c.Run.CPUs, c.Calibration, nil, nil
	again.Add(comparison.Variant{Strategy: "pool"})
	if err := compute.Map(again, nil); err != nil {
		t.Fatal(err)
	}
	again.Checks = compute.Checks(again)
	again.Calibration.Handshake.Value = 1e6 // ms, so that nothing is measured
	for i := range again.Checks {
		again.Checks[i].Repeat = 1
	}
	if err := new(local.Tuner).Check(t.Context(), again, func(comparison.Progress) error { return nil }); err != nil {
		t.Fatal(err)
	}
	second := again.Checks[1]
	if second.Why != "sequential" || second.Unchecked != "there was no time" {
		t.Errorf("%+v, want the check of sequential, without time for it", second)
	}
}
