package main

import (
	"strings"
	"testing"
	"time"
)

// planned is what a call says that it takes, before it starts.
func planned(t *testing.T, l onThisMachine) (all, most time.Duration, slowest string) {
	t.Helper()
	l.Latency, l.Function, l.Seed = "15ms", "./handler", 1
	spec, _, err := l.describe()
	if err != nil {
		t.Fatal(err)
	}
	return lasts(spec)
}

// What takes minutes is known to: 2,000 objects one after the other are 30 s a
// call at 15 ms, bytes take their time over the network, and a small memory
// size takes long for what it computes.
func TestWhatTakesMinutesIsKnownBefore(t *testing.T) {
	num := 9
	for _, test := range []struct {
		objects, strategies string
		power               []int
		all, most           time.Duration
		slowest             string
	}{
		{"2000x9KB", "sequential,pool", []int{1769, 3008}, 620 * time.Second, 600 * time.Second, "sequential"},
		{"", "sequential", []int{1769}, 7500 * time.Millisecond, 7500 * time.Millisecond, "sequential"},
		{"900x1MB", "unbounded", []int{10240}, 94 * time.Second, 94 * time.Second, "unbounded"},
		{"2000x9KB", "pool", []int{128}, 79 * time.Second, 79 * time.Second, "pool (30)"},
	} {
		l := onThisMachine{Objects: test.objects, Object: "../sample.json"}
		l.Strategies, l.Power, l.Num = strings.Split(test.strategies, ","), test.power, &num
		if test.objects != "" {
			l.Object = ""
		}
		all, most, slowest := planned(t, l)
		if (all-test.all).Abs() > test.all/50 || (most-test.most).Abs() > test.most/50 || slowest != test.slowest {
			t.Errorf("%+v: %v, %v of them for %s", test, all, most, slowest)
		}
	}
}
