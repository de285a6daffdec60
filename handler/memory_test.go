package main

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestMemoryIsTunedToTheSizeUnlessTheEnvironmentSaysOtherwise(t *testing.T) {
	defer func(percent int, limit int64) {
		ballast = nil
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}(debug.SetGCPercent(100), debug.SetMemoryLimit(-1))
	const size = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
	for _, c := range []struct {
		name    string
		env     map[string]string
		percent int
		limit   int64
	}{
		{"512 MB", map[string]string{size: "512"}, gcPercent, 384<<20 + ballastBytes},
		{"outside Lambda", nil, gcPercent, math.MaxInt64},
		{"GOGC given", map[string]string{size: "512", "GOGC": "100"}, 100, 384 << 20},
		{"GOMEMLIMIT given", map[string]string{size: "512", "GOMEMLIMIT": "1GiB"}, gcPercent, math.MaxInt64},
	} {
		ballast = nil
		debug.SetGCPercent(100)
		debug.SetMemoryLimit(math.MaxInt64)
		tuneMemory(func(name string) string { return c.env[name] })
		if percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1); percent != c.percent || limit != c.limit {
			t.Errorf("%s: GC percent %d, memory limit %d; want %d, %d", c.name, percent, limit, c.percent, c.limit)
		}
	}
}
