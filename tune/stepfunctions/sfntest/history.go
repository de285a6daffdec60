package sfntest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"lambda-parallel-io/tune/powertuning"
)

// entry is an event of a history, as the API answers it.
type entry map[string]any

// recorder writes a history as Step Functions does: each event names the one
// that led to it, so that the branches of a map can be told apart.
type recorder struct {
	at     time.Time
	input  string
	events []entry
	last   int
}

// add appends an event after the last one; details may be nil.
func (r *recorder) add(kind, detailsName string, details map[string]any) {
	r.after(r.last, kind, detailsName, details)
}

// after appends an event that the one of that id led to.
func (r *recorder) after(previous int, kind, detailsName string, details map[string]any) {
	r.at = r.at.Add(time.Second)
	e := entry{"id": len(r.events) + 1, "previousEventId": previous, "timestamp": unix(r.at), "type": kind}
	if details != nil {
		e[detailsName] = details
	}
	r.events = append(r.events, e)
	r.last = len(r.events)
}

func (r *recorder) enter(kind, name string, input any) {
	b, err := json.Marshal(input)
	if err != nil {
		panic(err)
	}
	r.add(kind+"StateEntered", "stateEnteredEventDetails", map[string]any{"name": name, "input": string(b)})
}

// invoke is a state's call of a function of the tuner; with a failure it ends
// in that.
func (r *recorder) invoke(f *failure) {
	r.add("LambdaFunctionScheduled", "lambdaFunctionScheduledEventDetails", map[string]any{"resource": "arn:aws:lambda:us-east-1:123456789012:function:tuner"})
	r.add("LambdaFunctionStarted", "", nil)
	switch {
	case f == nil:
		r.add("LambdaFunctionSucceeded", "lambdaFunctionSucceededEventDetails", map[string]any{"output": "{}"})
	case f.code == "States.Timeout":
		r.add("LambdaFunctionTimedOut", "lambdaFunctionTimedOutEventDetails", map[string]any{"error": f.code})
	default:
		r.add("LambdaFunctionFailed", "lambdaFunctionFailedEventDetails", map[string]any{"error": f.code, "cause": f.message})
	}
}

func (r *recorder) task(name string, input any) {
	r.enter("Task", name, input)
	r.invoke(nil)
	r.exit("Task", name)
}

func (r *recorder) exit(kind, name string) {
	r.add(kind+"StateExited", "stateExitedEventDetails", map[string]any{"name": name})
}

// thrown is an error of one of the tuner's functions, as Lambda reports it.
func thrown(message string) failure {
	b, err := json.Marshal(map[string]any{"errorType": "Error", "errorMessage": message, "trace": []string{"Error: " + message, "    at Runtime.handler (/var/task/executor.js:70:19)"}})
	if err != nil {
		panic(err)
	}
	return failure{"Error", string(b)}
}

func (r *recorder) begin() {
	r.add("ExecutionStarted", "executionStartedEventDetails", map[string]any{"input": r.input})
	r.enter("Task", "Initializer", json.RawMessage(r.input))
}

// publish goes through the power values, and through the function's own
// memory size as the last one; fails is the index of the one that fails, or -1.
func (r *recorder) publish(in powertuning.Input, fails int) {
	r.invoke(nil)
	r.exit("Task", "Initializer")
	var list []map[string]any
	for _, power := range in.PowerValues {
		list = append(list, map[string]any{"powerValue": strconv.Itoa(power), "alias": fmt.Sprintf("RAM%d", power)})
	}
	list = append(list, map[string]any{"powerValue": 2304, "description": "orig"})
	for i := range list {
		r.enter("Task", "Publisher", map[string]any{"lambdaConfigurations": map[string]any{
			"initConfigurations": list, "iterator": map[string]any{"index": i, "count": len(list)},
		}})
		if i == fails {
			f := thrown("Resource conflict: an update is in progress")
			r.invoke(&f)
			return
		}
		r.invoke(nil)
		r.exit("Task", "Publisher")
		r.enter("Choice", "IsCountReached", nil)
		r.exit("Choice", "IsCountReached")
	}
}

// branch runs the executors of all power values at once. With a failure the
// first one fails three times, and the others succeed.
func (r *recorder) branch(in powertuning.Input, f *failure) {
	r.enter("Map", "Branching", nil)
	r.add("MapStateStarted", "mapStateStartedEventDetails", map[string]any{"length": len(in.PowerValues)})
	from := r.last
	for i := len(in.PowerValues) - 1; i >= 0; i-- {
		iteration := map[string]any{"name": "Branching", "index": i}
		r.after(from, "MapIterationStarted", "mapIterationStartedEventDetails", iteration)
		r.enter("Task", "Executor", map[string]any{"input": json.RawMessage(r.input), "value": strconv.Itoa(in.PowerValues[i])})
		if f != nil && i == 0 {
			r.invoke(f)
			r.invoke(f)
			r.invoke(f)
			r.add("MapIterationFailed", "mapIterationFailedEventDetails", iteration)
			r.add("MapStateFailed", "", nil)
			return
		}
		r.invoke(nil)
		r.exit("Task", "Executor")
		r.add("MapIterationSucceeded", "mapIterationSucceededEventDetails", iteration)
	}
	r.add("MapStateSucceeded", "", nil)
	r.exit("Map", "Branching")
}

func (r *recorder) succeed(in powertuning.Input) {
	r.publish(in, -1)
	r.branch(in, nil)
	for _, name := range []string{"Cleaner", "Analyzer", "Optimizer"} {
		r.task(name, nil)
	}
	r.add("ExecutionSucceeded", "executionSucceededEventDetails", nil)
}

func (r *recorder) fail(in powertuning.Input, end string) {
	switch end {
	case publish:
		r.publish(in, 1)
	case timeout:
		r.publish(in, -1)
		r.branch(in, &failure{code: "States.Timeout"})
	default:
		r.publish(in, -1)
		payload := string(in.Payload)
		f := thrown(`Invocation error (running in series): {"errorMessage":"RequestId: 6f7f Error: Runtime exited with error: signal: killed","errorType":"Runtime.ExitError"} with payload ` + strconv.Quote(payload))
		r.branch(in, &f)
	}
	r.task("CleanUpOnError", map[string]any{"error": map[string]any{"Error": "Error"}})
	r.add("ExecutionSucceeded", "executionSucceededEventDetails", map[string]any{"output": "{}"})
}

// failCleanUp is what follows when the initializer fails: the clean-up has no
// power values to go through and fails too, and the execution with it.
func (r *recorder) failCleanUp(wrong string) failure {
	f := thrown(wrong)
	r.invoke(&f)
	r.enter("Task", "CleanUpOnError", map[string]any{"error": map[string]any{"Error": "Error"}})
	b, _ := json.Marshal(map[string]any{"errorType": "TypeError", "errorMessage": "Cannot read properties of undefined (reading 'powerValues')"})
	second := failure{"TypeError", string(b)}
	r.invoke(&second)
	r.add("ExecutionFailed", "executionFailedEventDetails", map[string]any{"error": second.code, "cause": second.message})
	return second
}

// page returns at most 20 events from the token on.
func page(events []entry, token string) any {
	at, _ := strconv.Atoi(token)
	upTo := min(at+20, len(events))
	answer := map[string]any{"events": events[min(at, upTo):upTo]}
	if upTo < len(events) {
		answer["nextToken"] = strconv.Itoa(upTo)
	}
	return answer
}
