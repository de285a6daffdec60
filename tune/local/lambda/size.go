// Package lambda is a local model of AWS Lambda: it runs a function as a real
// process behind the Lambda Runtime API, with the processor time, the limits,
// the errors and the billing of its memory size.
//
// It needs Linux and no privilege. What it leaves out: network bandwidth by
// memory size, arm64's own speed, and the limit of 1,024 processes and
// threads. Processes that the function itself starts are not held back; an
// invocation tells of them. They end with the function, but where this program
// is killed by SIGKILL the function's own process alone does.
package lambda

import "time"

// What Lambda grants and bills. Sources: AWS Lambda Developer Guide, "Lambda
// quotas" and "Configure Lambda function memory" (configuration-memory).
const (
	MinMemoryMB = 128
	MaxMemoryMB = 10_240
	MaxTimeout  = 900 * time.Second

	// MemoryPerVCPU is the memory size that buys one vCPU; processor time is in
	// proportion to memory.
	MemoryPerVCPU = 1_769

	// FileDescriptors is the hard limit of a function's process.
	FileDescriptors = 1_024

	// maxRequest is the largest payload of a synchronous invocation. Lambda's
	// own error names this number.
	maxRequest = 6_291_456
	// maxResponse is the largest answer: 6 MB and 100 bytes, as Lambda's own
	// error names it.
	maxResponse = 6_291_556

	// maxInit is how long INIT may take before Lambda gives it up and runs it
	// again inside the invocation.
	maxInit = 10 * time.Second
)

// Period is the time in which a function may use its quota of processor time,
// measured from outside by pwrdrvr/lambda-throttling: 20 ms.
const Period = 20 * time.Millisecond

// VCPUs returns the processors that a memory size buys: 1 is one vCPU in full.
func VCPUs(memoryMB int) float64 { return float64(memoryMB) / MemoryPerVCPU }

// Quota returns the processor time that a memory size may use in a Period,
// over all its threads.
func Quota(memoryMB int) time.Duration {
	return time.Duration(VCPUs(memoryMB) * float64(Period))
}

// VisibleCores returns how many cores a function of that memory size sees. Go
// sets GOMAXPROCS to it: Lambda's quota is applied outside of the function's
// virtual machine (the latter is inferred).
func VisibleCores(memoryMB int) int {
	switch {
	case memoryMB <= 3_008:
		return 2
	case memoryMB <= 5_307:
		return 3
	case memoryMB <= 7_076:
		return 4
	case memoryMB <= 8_845:
		return 5
	default:
		return 6
	}
}
