package sfntest

import (
	"encoding/json"
	"math"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/powertuning"
)

// finish ends an execution as the real state machine would.
func (e *Execution) finish(end string) {
	in, err := powertuning.ParseInput([]byte(e.Input))
	wrong := "ResourceNotFoundException: Function not found: " + in.LambdaARN
	switch {
	case err != nil:
		end, wrong = failed, err.Error()
	case in.LambdaARN == "":
		end, wrong = failed, "Missing or empty lambdaARN"
	case in.Num == 0: // ParseInput refuses what lies below the minimum
		end, wrong = failed, "Missing num or num below 5"
	}
	e.stopped = e.started.Add(92 * time.Second)
	h := &recorder{at: e.started, input: e.Input}
	h.begin()
	switch end {
	case ok, dropped:
		e.Status, e.Output = "SUCCEEDED", answer(in, end == dropped)
		h.succeed(in)
	case empty, timeout, publish:
		e.Status, e.Output = "SUCCEEDED", "{}"
		h.fail(in, end)
	case failed:
		e.Status, e.err = "FAILED", h.failCleanUp(wrong)
	case timedOut:
		e.Status, e.err = "TIMED_OUT", failure{"States.Timeout", ""}
		h.add("ExecutionTimedOut", "executionTimedOutEventDetails", map[string]any{"error": "States.Timeout"})
	case aborted:
		e.Status, e.err = "ABORTED", failure{"", "stopped by a person"}
		h.add("ExecutionAborted", "executionAbortedEventDetails", map[string]any{"cause": e.err.message})
	}
	e.history = h.events
}

// answer is what Power Tuning answers to that input for a function that waits
// for S3 18.8 ms a read and needs 0.3 ms of CPU.
func answer(in powertuning.Input, dropFirst bool) string {
	powers := in.PowerValues
	if dropFirst {
		powers = powers[1:]
	}
	var runs []powertuning.Measured
	for _, power := range powers {
		m := powertuning.Measured{Value: power}
		for i := range in.Num {
			d := duration(in, power) * (1 + float64(i%3)/100)
			m.DurationsMS = append(m.DurationsMS, math.Round(d*100)/100)
			m.BilledMS = append(m.BilledMS, int(math.Ceil(d)))
		}
		runs = append(runs, m)
	}
	out, err := powertuning.Analyze(in.Goal(), "us-east-1", powertuning.ARM64, runs)
	if err != nil {
		return "{}"
	}
	if !in.IncludeOutputResults {
		out.Stats = nil
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func duration(in powertuning.Input, power int) float64 {
	p, err := event.Decode(in.Event(), event.DefaultConcurrency)
	if err != nil {
		return 100
	}
	reads, atOnce := float64(p.Repeat), float64(p.Concurrency)
	switch p.Strategy {
	case "sequential":
		atOnce = 1
	case "unbounded":
		atOnce = min(reads, event.MaxConcurrency)
	}
	return max(18.8*reads/atOnce, 0.3*reads*1769/float64(power))
}
