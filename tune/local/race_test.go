//go:build linux

package local

import (
	"testing"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local/lambda"
)

// Two variants whose invocations take a second each have had three rounds of
// two seconds: the first look, after eight, is ten seconds away.
func TestARaceEndsWhereTheNextLookWouldComeTooLate(t *testing.T) {
	for _, tt := range []struct {
		what   string
		rounds int
		passed time.Duration
		share  time.Duration // of the whole time, which is 45 s
		pause  time.Duration
		want   bool
	}{
		{"the look is within the share", 3, 6 * time.Second, 17 * time.Second, 0, false},
		{"it is within a third of the whole time more, and nothing is known", 3, 6 * time.Second, 2 * time.Second, 0, false},
		{"it is not", 3, 6 * time.Second, 500 * time.Millisecond, 0, true},
		{"a pause before each turn counts", 3, 6 * time.Second, 2 * time.Second, time.Second, true},
		{"there have been too few rounds to end", 2, time.Minute, 0, 0, false},
		{"after the first look the share is all", 8, 16 * time.Second, 29 * time.Second, 0, true},
		{"which may be enough", 8, 16 * time.Second, 31 * time.Second, 0, false},
	} {
		c := comparison.New(comparison.Spec{Num: 30, ForSec: 45}, time.Now())
		r := &race{Comparison: c, begin: time.Now().Add(-tt.passed), time: tt.share, pause: tt.pause}
		for range 2 {
			r.racers = append(r.racers, &racer{f: &lambda.Function{}, total: time.Duration(tt.rounds) * time.Second})
		}
		if got := r.over(tt.rounds); got != tt.want {
			t.Errorf("%s: after %d rounds and %s of a share of %s it is over: %t, want %t", tt.what, tt.rounds, tt.passed, tt.share, got, tt.want)
		}
	}
}
