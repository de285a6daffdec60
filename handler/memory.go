package main

import (
	"runtime/debug"
	"strconv"
)

// gcPercent lets the heap grow to five times what is in use before it is
// collected. What is in use is small, some 3 MB at 30 reads at a time, and
// much of what a read allocates is the SDK's: collecting it at the default of
// 100 costs a tenth of all CPU.
const gcPercent = 400

// tuneMemory sets the garbage collector for a process that has one memory
// size to itself, unless the environment has GOGC or GOMEMLIMIT.
func tuneMemory(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if getenv("GOMEMLIMIT") == "" {
		if mb := memorySize(getenv); mb > 0 {
			debug.SetMemoryLimit(int64(mb) << 20 * 3 / 4)
		}
	}
}

// memorySize is the function's power value in MB, or 0 outside Lambda.
func memorySize(getenv func(string) string) int {
	mb, err := strconv.Atoi(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	if err != nil || mb < 1 {
		return 0
	}
	return mb
}
