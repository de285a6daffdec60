// Package lambda is a local model of AWS Lambda: it runs a function as a real
// process behind the Lambda Runtime API, with the CPU time, the limits,
// the errors and the billing of its memory size.
//
// It needs Linux and no privilege. It leaves out the limit of 1,024 processes and
// threads; package s3 models the network's bandwidth. Processes that the function
// starts are reported but not throttled. They end with the function, unless
// SIGKILL ends this program: then only the function's own process ends.
package lambda

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Invocation is what Lambda reports about one call of the function.
type Invocation struct {
	RequestID string
	Response  []byte         // nil if Err is set
	Err       *FunctionError // nil if the function answered

	Duration    time.Duration // from handing over the event to receiving the answer
	Init        time.Duration // of a cold start, before Duration; 0 for a warm one
	BilledMS    int           // Duration and INIT in ms, rounded up (AWS Lambda pricing: every runtime since August 2025)
	MaxMemoryMB int           // the process's highest resident memory so far
	OutOfMemory bool          // the process was killed because it outgrew its memory size

	CPU      time.Duration // CPU time used during Duration
	RunDelay time.Duration // time that its threads were ready to run but had no core, summed
	Children bool          // the function started processes of its own, which are not throttled

	Log []byte // the last 4 KB that the process printed

	begin time.Time // of Duration; zero before that
}

// Report returns the line that Lambda would log for the invocation.
func (inv Invocation) Report(memoryMB int) string {
	s := fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t",
		inv.RequestID, Milliseconds(inv.Duration), inv.BilledMS, memoryMB, inv.MaxMemoryMB)
	if inv.Init > 0 {
		s += fmt.Sprintf("Init Duration: %.2f ms\t", Milliseconds(inv.Init))
	}
	return s
}

// Milliseconds returns d in ms with two decimals, as Lambda reports it.
func Milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(10*time.Microsecond)) / 100
}

// FunctionError is an invocation's failure in Lambda's own words.
type FunctionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (e *FunctionError) Error() string {
	return strings.TrimPrefix(e.Type+": "+e.Message, ": ")
}
