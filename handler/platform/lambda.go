// Package platform holds AWS's limits and prices: each number once, with its unit
// and its source. It imports no other package of this project, so that the
// function, the deployment and the comparison can all use it.
package platform

import "time"

// The architectures of Lambda, in the spelling of its API and Power Tuning.
const (
	ARM64 = "arm64"
	X8664 = "x86_64"
)

// Limits of a Lambda function. Sources, unless a constant names its own: AWS
// Lambda Developer Guide, "Lambda quotas" and "Configure Lambda function memory"
// (configuration-memory).
const (
	MinMemory        = 128    // MB
	MaxMemory        = 10_240 // MB
	NewAccountMemory = 3_008  // MB: the maximum of a new account

	// MemoryPerVCPU is the memory size, in MB, that buys one full vCPU. CPU time is
	// proportional to memory.
	MemoryPerVCPU = 1_769

	// Period is the period of the CPU quota. A function that has used up its quota
	// is stopped until the next period begins. Source: measured from outside by
	// pwrdrvr/lambda-throttling.
	Period = 20 * time.Millisecond

	// InitVCPUs is the number of vCPUs for INIT, whatever the memory size.
	InitVCPUs = 2

	// MaxInit is how long INIT may take before Lambda aborts it and runs it again
	// within the invocation.
	MaxInit = 10 * time.Second

	// Shutdown is how long a process with an internal extension has between SIGTERM
	// and SIGKILL. A process without one has no time. Source: Lambda Developer Guide,
	// "Understanding the Lambda execution environment lifecycle".
	Shutdown = 500 * time.Millisecond

	MaxTimeout      = 900 * time.Second // of an invocation
	FileDescriptors = 1_024             // the hard limit of a process

	// MaxRequest and MaxResponse are the largest payload of a synchronous
	// invocation and the largest answer, in bytes, as Lambda's own errors name
	// them.
	MaxRequest  = 6_291_456
	MaxResponse = 6_291_556

	// Environments is how many environments of a function Lambda starts at once in
	// an account with default limits. It allows as many again in each
	// EnvironmentsEvery.
	Environments      = 1_000
	EnvironmentsEvery = 10 * time.Second
)

// VCPUs returns how many vCPUs a memory size in MB buys.
func VCPUs(memoryMB int) float64 { return float64(memoryMB) / MemoryPerVCPU }

// ThreadVCPUs returns the most vCPUs that one thread can use on an architecture.
// More memory does not speed up a thread above 1,769 MB on x86_64 and above
// 2,424 MB on arm64, because a Graviton core is more than a vCPU. Source:
// cebert/aws-lambda-performance-benchmarks, December 2025.
func ThreadVCPUs(arch string) float64 {
	if arch == ARM64 {
		return 1.37
	}
	return 1
}

// VisibleCores returns how many cores a function of that memory size in MB sees.
// Go sets GOMAXPROCS to it, because Lambda applies the CPU quota outside the
// function's virtual machine (the place of the quota is inferred).
func VisibleCores(memoryMB int) int {
	cores := 2
	for _, most := range []int{3_008, 5_307, 7_076, 8_845} {
		if memoryMB > most {
			cores++
		}
	}
	return cores
}
