package main

import (
	"runtime"
	"runtime/debug"
	"strconv"
)

// The collector runs when the heap has grown by gcPercent of the live heap. The
// ballast counts as live, but takes no memory because nothing ever touches it.
// So a small heap may grow by some 14 MB, and a large one by a third.
//
// Measured over 10,000 reads, each by GetObject: with 30 at a time this costs as
// little CPU as a gcPercent of 400 (a tenth less than the default of 100) and
// takes the same 30 MB. With all 10,000 at once it took 180 MB, where 400 took
// 410 MB and 100 took 215 MB. A GOMEMLIMIT alone would also bound the second
// case, but would keep the collector running all the time once the objects
// themselves outgrow it.
const (
	gcPercent    = 33
	ballastBytes = 40 << 20
)

var ballast []byte

// tuneMemory configures the garbage collector for a process that has a Lambda
// memory size to itself. GOGC and GOMEMLIMIT of the environment take precedence.
func tuneMemory(getenv func(string) string) {
	if getenv("GOGC") == "" {
		ballast = make([]byte, ballastBytes)
		debug.SetGCPercent(gcPercent)
		runtime.GC() // gcPercent applies to the heap that the last collection left
	}
	if getenv("GOMEMLIMIT") == "" {
		if mb := memorySize(getenv); mb > 0 {
			debug.SetMemoryLimit(memoryLimit(mb) + int64(len(ballast)))
		}
	}
}

// memoryLimit returns how many bytes the Go runtime may use of a memory size in
// MB. The rest is for the binary's pages and for garbage not yet collected.
func memoryLimit(mb int) int64 { return int64(mb) << 20 * 3 / 4 }

// architecture returns the processor architecture in AWS's spelling.
func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH // arm64
}

// memorySize returns the function's memory size in MB, or 0 outside Lambda.
func memorySize(getenv func(string) string) int {
	mb, err := strconv.Atoi(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	if err != nil || mb < 1 {
		return 0
	}
	return mb
}
