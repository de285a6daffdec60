// Package platform holds what AWS grants and charges: each number once, with
// its unit and its source. It imports nothing of this project, so that the
// function, the deployment and the comparison can all use it.
package platform

import "time"

// The architectures of Lambda, as its API and Power Tuning name them.
const (
	ARM64 = "arm64"
	X8664 = "x86_64"
)

// What Lambda grants a function. Sources: AWS Lambda Developer Guide, "Lambda
// quotas" and "Configure Lambda function memory" (configuration-memory), and
// where they say nothing the one that is named.
const (
	MinMemory        = 128    // MB
	MaxMemory        = 10_240 // MB
	NewAccountMemory = 3_008  // MB: the most that a new account gets

	// MemoryPerVCPU is the memory size, in MB, that buys one vCPU in full.
	// Processor time is in proportion to memory.
	MemoryPerVCPU = 1_769

	// Period is how long a quota of processor time lasts. A function that has used
	// its quota stands still until the next period begins. Source: measured from
	// outside by pwrdrvr/lambda-throttling.
	Period = 20 * time.Millisecond

	// InitVCPUs is what INIT runs on, whatever the memory size.
	InitVCPUs = 2

	// MaxInit is how long INIT may take before Lambda gives it up and runs it
	// again inside the invocation.
	MaxInit = 10 * time.Second

	// Shutdown is how long a process with an internal extension has between SIGTERM
	// and SIGKILL; one without has nothing. Source: Lambda Developer Guide,
	// "Understanding the Lambda execution environment lifecycle".
	Shutdown = 500 * time.Millisecond

	MaxTimeout      = 900 * time.Second // of an invocation
	FileDescriptors = 1_024             // the hard limit of a process

	// MaxRequest and MaxResponse are the largest payload of a synchronous
	// invocation and the largest answer, in bytes, as Lambda's own errors name
	// them.
	MaxRequest  = 6_291_456
	MaxResponse = 6_291_556

	// In an account without other limits Lambda starts so many environments of a
	// function at once, and as many again in each EnvironmentsEvery.
	Environments      = 1_000
	EnvironmentsEvery = 10 * time.Second
)

// VCPUs returns the processors that a memory size in MB buys: 1 is one vCPU in
// full.
func VCPUs(memoryMB int) float64 { return float64(memoryMB) / MemoryPerVCPU }

// ThreadVCPUs returns the most that one thread gets of an architecture, in
// vCPUs. On x86_64 a thread gains nothing above 1,769 MB, on arm64 nothing above
// 2,424, since a core of Graviton is more than a vCPU. Source:
// cebert/aws-lambda-performance-benchmarks, December 2025.
func ThreadVCPUs(arch string) float64 {
	if arch == ARM64 {
		return 1.37
	}
	return 1
}

// VisibleCores returns how many cores a function of that memory size in MB sees.
// Go sets GOMAXPROCS to it: Lambda applies the quota outside of the function's
// virtual machine (the latter is inferred).
func VisibleCores(memoryMB int) int {
	cores := 2
	for _, most := range []int{3_008, 5_307, 7_076, 8_845} {
		if memoryMB > most {
			cores++
		}
	}
	return cores
}
