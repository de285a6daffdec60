package main

import (
	"strings"
	"testing"
	"time"

	"lambda-parallel-io/tune/local"
)

// What takes minutes is known to: 2,000 objects one after the other are 30 s a
// call at 15 ms, and a small memory size takes long for what it computes.
func TestWhatTakesMinutesIsKnownBefore(t *testing.T) {
	num := 9
	for _, test := range []struct {
		objects, strategies string
		power               []int
		want                time.Duration
	}{
		{"2000x9KB", "sequential,pool", []int{1769, 3008}, 620 * time.Second},
		{"2000x9KB", "pool", []int{128}, 83 * time.Second},
		{"", "sequential", []int{1769}, 15 * time.Second},
	} {
		l := onThisMachine{Function: "./handler", Model: local.Model{Latency: "15ms", Objects: test.objects, Object: "../sample.json", Slow: 1}}
		l.Strategies, l.Power, l.Num = strings.Split(test.strategies, ","), test.power, &num
		q, err := l.question(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := q.Lasts(); (got - test.want).Abs() > test.want/50 {
			t.Errorf("%+v: lasts %v", test, got)
		}
	}
}
