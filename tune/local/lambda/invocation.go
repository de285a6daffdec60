package lambda

import (
	"errors"
	"fmt"
	"math"
	"os/exec"
	"time"

	"lambda-parallel-io/tune/powertuning"
)

// Invocation is what Lambda tells of one call of the function.
type Invocation struct {
	RequestID string
	Response  []byte         // what the function answered; nil when Err is set
	Err       *FunctionError // nil when the function answered

	Duration    time.Duration // from the event being handed over to the answer received
	Init        time.Duration // of a cold start, before Duration; 0 on a warm one
	BilledMS    int           // whole ms, INIT included
	MaxMemoryMB int           // the process's highest resident memory so far
	OutOfMemory bool          // Err is the end of a process that outgrew its memory

	CPU      time.Duration // processor time used during Duration
	RunDelay time.Duration // time its threads were ready to run and had no processor, summed
	Children bool          // the function has started processes of its own, which nothing here holds back

	Log []byte // the last 4 KB of what the process has printed
}

// FunctionError is an invocation's failure in Lambda's own words.
type FunctionError struct {
	Type    string // errorType
	Message string // errorMessage
}

func (e *FunctionError) Error() string {
	if e.Type == "" {
		return e.Message
	}
	return e.Type + ": " + e.Message
}

// Report is the line that Lambda would log for the invocation.
func (inv Invocation) Report(memoryMB int) powertuning.Report {
	return powertuning.Report{
		RequestID:   inv.RequestID,
		DurationMS:  Milliseconds(inv.Duration),
		BilledMS:    inv.BilledMS,
		MemoryMB:    memoryMB,
		MaxMemoryMB: inv.MaxMemoryMB,
		InitMS:      Milliseconds(inv.Init),
	}
}

// Milliseconds returns d in ms, as Lambda reports it: with two decimals.
func Milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(10*time.Microsecond)) / 100
}

// billed rounds up to whole ms, as Lambda bills: since August 2025 INIT is
// billed for every runtime. Source: AWS Lambda pricing.
func billed(duration, init time.Duration) int {
	return int(math.Ceil(float64(duration+init) / float64(time.Millisecond)))
}

func timedOut(id string, after time.Duration) *FunctionError {
	return &FunctionError{"Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", id, after.Seconds())}
}

// exited says how a process ended that owed an answer.
func exited(id string, state error) *FunctionError {
	reason := "Runtime exited without providing a reason"
	if exit := (*exec.ExitError)(nil); errors.As(state, &exit) {
		reason = "Runtime exited with error: " + exit.Error()
	} else if state != nil {
		reason = "Runtime exited with error: " + state.Error()
	}
	return &FunctionError{"Runtime.ExitError", fmt.Sprintf("RequestId: %s Error: %s", id, reason)}
}
