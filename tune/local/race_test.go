//go:build linux

package local

import (
	"slices"
	"testing"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local/lambda"
)

// Two variants whose turns take a second each have had three rounds of
// two seconds: the first look, after eight, is ten seconds away.
func TestARaceEndsIfTheNextLookWouldBeTooLate(t *testing.T) {
	for _, tt := range []struct {
		what   string
		rounds int
		passed time.Duration
		share  time.Duration // of the whole time, which is 45 s
		want   bool
	}{
		{"the look is within the share", 3, 6 * time.Second, 17 * time.Second, false},
		{"it is within a third of the whole time more, and nothing is known", 3, 6 * time.Second, 2 * time.Second, false},
		{"it is not", 3, 6 * time.Second, 500 * time.Millisecond, true},
		{"there have been too few rounds to end", 2, time.Minute, 0, false},
		{"after the first look the share is all", 8, 16 * time.Second, 29 * time.Second, true},
		{"which may be enough", 8, 16 * time.Second, 31 * time.Second, false},
	} {
		c := comparison.New(comparison.Spec{Num: 30, ForSec: 45}, time.Now())
		r := &race{c: c, end: time.Now().Add(tt.share - tt.passed)}
		for range 2 {
			r.racers = append(r.racers, &racer{f: &lambda.Function{}, took: time.Duration(tt.rounds) * time.Second})
		}
		if got := r.over(tt.rounds); got != tt.want {
			t.Errorf("%s: after %d rounds and %s of a share of %s it is over: %t, want %t", tt.what, tt.rounds, tt.passed, tt.share, got, tt.want)
		}
	}
}

// A speed that was given is not measured.
func TestTheSpeedIsMeasuredAnewForEachTurn(t *testing.T) {
	factor := func(cpu comparison.CPU) comparison.CPU {
		c := comparison.New(comparison.Spec{Arch: "arm64"}, time.Now())
		c.Run.CPU = &cpu
		var tuner Tuner
		for range 11 {
			if speed := tuner.coreSpeed(c.Run); speed < comparison.MinFactor || cpu.Scale == 0 && speed != cpu.Factor {
				t.Errorf("a turn has a speed of %g, %+v", speed, cpu)
			}
		}
		return cpu
	}
	if got := factor(comparison.CPU{Factor: 1.3}); got != (comparison.CPU{Factor: 1.3}) {
		t.Errorf("a speed that was given became %+v", got)
	}
	// They alternate, because a machine's speed changes from minute to minute.
	var whole, half []float64
	for range 5 {
		whole = append(whole, factor(comparison.CPU{Factor: 1, Scale: 1}).Factor)
		half = append(half, factor(comparison.CPU{Factor: 1, Scale: 0.5}).Factor)
	}
	// The fastest ones are of this machine alone: other programs make it slower.
	if ratio := slices.Max(half) / slices.Max(whole); ratio < 0.35 || ratio > 0.7 {
		t.Errorf("half of the speed measured is %.2f times of it: %v, %v", ratio, half, whole)
	}
	if got := factor(comparison.CPU{Factor: 1, Scale: 1}); !(got.Low > 0 && got.Low <= got.Factor && got.Factor <= got.High) {
		t.Errorf("eleven turns gave %+v, want a median between a low and a high one", got)
	}
}

func TestOneOutlierOfTheSpeedSetsNoQuota(t *testing.T) {
	c := comparison.New(comparison.Spec{Arch: "arm64"}, time.Now())
	c.Run.CPU = &comparison.CPU{Factor: 1, Scale: 1}
	var tuner Tuner
	for range latest - 1 {
		tuner.measured = append(tuner.measured, 9) // which no machine has
	}
	if speed := tuner.coreSpeed(c.Run); speed != 9 {
		t.Errorf("after %d measurements of 9 one more gives %g, want 9", latest-1, speed)
	}
}
