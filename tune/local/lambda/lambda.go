// Package lambda is a local model of AWS Lambda: it runs a function as a real
// process behind the Lambda Runtime API, with the processor time, the limits,
// the errors and the billing of its memory size.
//
// It needs Linux and no privilege. What it leaves out: the limit of 1,024
// processes and threads; the network's bandwidth is S3's model's. Processes that
// the function itself starts are not held back; an invocation tells of them. They
// end with the function, but where this program is killed by SIGKILL the
// function's own process alone does.
package lambda

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Invocation is what Lambda tells of one call of the function.
type Invocation struct {
	RequestID string
	Response  []byte         // what the function answered; nil when Err is set
	Err       *FunctionError // nil when the function answered

	Duration    time.Duration // from the event being handed over to the answer received
	Init        time.Duration // of a cold start, before Duration; 0 on a warm one
	BilledMS    int           // begun ms, INIT included: since August 2025 for every runtime (AWS Lambda pricing)
	MaxMemoryMB int           // the process's highest resident memory so far
	OutOfMemory bool          // Err is the end of a process that was killed because it outgrew its memory

	CPU      time.Duration // processor time used during Duration
	RunDelay time.Duration // time its threads were ready to run and had no processor, summed
	Children bool          // the function has started processes of its own, which nothing here holds back

	Log []byte // the last 4 KB of what the process has printed

	begin time.Time // of Duration; zero as long as nothing counts
}

// Report is the line that Lambda would log for the invocation.
func (inv Invocation) Report(memoryMB int) string {
	s := fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t",
		inv.RequestID, Milliseconds(inv.Duration), inv.BilledMS, memoryMB, inv.MaxMemoryMB)
	if inv.Init > 0 {
		s += fmt.Sprintf("Init Duration: %.2f ms\t", Milliseconds(inv.Init))
	}
	return s
}

// Milliseconds returns d in ms, as Lambda reports it: with two decimals.
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

// exited says how a process ended before it answered.
func exited(id string, state error) *FunctionError {
	reason := "Runtime exited without providing a reason"
	if state != nil {
		reason = "Runtime exited with error: " + state.Error()
	}
	return &FunctionError{"Runtime.ExitError", fmt.Sprintf("RequestId: %s Error: %s", id, reason)}
}
