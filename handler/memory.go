package main

import (
	"runtime"
	"runtime/debug"
	"strconv"
)

// The collector runs when the heap has grown by gcPercent of what is in use,
// the ballast included, which counts and takes no memory because nothing ever
// touches it. So a small heap may grow by some 14 MB, and a large one by a
// third. Measured over 10,000 reads, each by GetObject: at 30 at a time that
// costs as little CPU as a gcPercent of 400 (a tenth less than the default of
// 100) in the same 30 MB; at all 10,000 at once, where 400 took 410 MB and 100
// took 215, it took 180. GOMEMLIMIT alone as the bound of the latter would keep
// the collector running all the time where the objects themselves outgrow it.
const (
	gcPercent    = 33
	ballastBytes = 40 << 20
)

var ballast []byte

// tuneMemory sets the collector for a process that has one memory size to
// itself, unless the environment has GOGC or GOMEMLIMIT.
func tuneMemory(getenv func(string) string) {
	if getenv("GOGC") == "" {
		ballast = make([]byte, ballastBytes)
		debug.SetGCPercent(gcPercent)
		runtime.GC() // the heap that may grow by gcPercent is what the last collection left
	}
	if getenv("GOMEMLIMIT") == "" {
		if mb := memorySize(getenv); mb > 0 {
			debug.SetMemoryLimit(memoryLimit(mb) + int64(len(ballast)))
		}
	}
}

// memoryLimit is what the runtime may use of a memory size in MB: the rest is
// for the binary's pages and for what the collector is late.
func memoryLimit(mb int) int64 { return int64(mb) << 20 * 3 / 4 }

// architecture is the processor's, as AWS spells it.
func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH // arm64
}

// memorySize is the function's power value in MB, or 0 outside Lambda.
func memorySize(getenv func(string) string) int {
	mb, err := strconv.Atoi(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	if err != nil || mb < 1 {
		return 0
	}
	return mb
}
