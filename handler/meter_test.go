package main

import (
	"testing"
	"time"

	"lambda-parallel-io/handler/event"
)

func TestAPercentileIsTheNearestRank(t *testing.T) {
	ms := func(values ...int) []time.Duration {
		var all []time.Duration
		for _, v := range values {
			all = append(all, time.Duration(v)*time.Millisecond)
		}
		return all
	}
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = 100 - i
	}
	for _, c := range []struct {
		all  []time.Duration
		want event.Latency
	}{
		{ms(7), event.Latency{P50: 7, P95: 7, P99: 7, Max: 7}},
		{ms(4, 1, 3, 2), event.Latency{P50: 2, P95: 4, P99: 4, Max: 4}},
		{ms(0, 0, 7, 0), event.Latency{P50: 7, P95: 7, P99: 7, Max: 7}}, // three failed
		{nil, event.Latency{}},
		{ms(hundred...), event.Latency{P50: 50, P95: 95, P99: 99, Max: 100}},
	} {
		if got := latency(c.all); got != c.want {
			t.Errorf("latency of %d values = %+v, want %+v", len(c.all), got, c.want)
		}
	}
}
