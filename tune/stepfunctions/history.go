package stepfunctions

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/handler/prose"
)

// States of Power Tuning that need special treatment.
const (
	publisher      = "Publisher"      // publishes a version at each size, the function's own last
	executor       = "Executor"       // invokes the function at one power value; tried three times
	cleanUpOnError = "CleanUpOnError" // entered after a failure: the execution then ends as SUCCEEDED, with {}
)

// state is where an event happened; power is empty where there is none.
type state struct{ name, power string }

// history is all events of an execution, ordered by ID.
type history []types.HistoryEvent

// before returns the event that led to e, or nil.
func (h history) before(e *types.HistoryEvent) *types.HistoryEvent {
	byID := func(e types.HistoryEvent, id int64) int { return cmp.Compare(e.Id, id) }
	if i, found := slices.BinarySearchFunc(h, e.PreviousEventId, byID); found {
		return &h[i]
	}
	return nil
}

// stateOf follows the events that led to e back to where its state was entered.
func (h history) stateOf(e *types.HistoryEvent) state {
	for ; e != nil; e = h.before(e) {
		if entered := e.StateEnteredEventDetails; entered != nil {
			var in struct{ Value json.Number } // the power value, in the executor's input
			_ = json.Unmarshal([]byte(aws.ToString(entered.Input)), &in)
			return state{aws.ToString(entered.Name), string(in.Value)}
		}
	}
	return state{}
}

// mayRunFor returns how long executors may go on after the execution has ended, at most
// totalExecutionTimeout: Step Functions does not stop a Lambda invocation.
func (h history) mayRunFor(stopped, now time.Time) time.Duration {
	running := map[int64]time.Time{} // latest end, by ID of the start event
	for _, e := range h {
		switch e.Type {
		case types.HistoryEventTypeLambdaFunctionStarted:
			if h.stateOf(&e).name == executor {
				timeout := int64(platform.MaxTimeout.Seconds())
				if scheduled := h.before(&e).LambdaFunctionScheduledEventDetails; scheduled != nil {
					timeout = *cmp.Or(scheduled.TimeoutInSeconds, &timeout)
				}
				running[e.Id] = aws.ToTime(e.Timestamp).Add(time.Duration(timeout) * time.Second)
			}
		case types.HistoryEventTypeLambdaFunctionSucceeded, types.HistoryEventTypeLambdaFunctionFailed, types.HistoryEventTypeLambdaFunctionTimedOut:
			delete(running, e.PreviousEventId)
		}
	}
	var longest time.Duration
	for _, until := range running { // a wrong clock on this machine can only shorten the wait
		longest = max(longest, min(until.Sub(now), until.Sub(stopped)))
	}
	return longest
}

// memoryBefore returns the memory size, in MB, that the function had before the execution: Power
// Tuning publishes it last, without an alias. It is 0 where nothing was published.
func (h history) memoryBefore() int {
	for _, e := range h {
		entered := e.StateEnteredEventDetails
		if entered == nil || aws.ToString(entered.Name) != publisher {
			continue
		}
		var in struct {
			LambdaConfigurations struct {
				InitConfigurations []struct {
					PowerValue int
					Alias      string
				}
			}
		}
		_ = json.Unmarshal([]byte(aws.ToString(entered.Input)), &in) // stays empty for another version of the tool
		for _, c := range in.LambdaConfigurations.InitConfigurations {
			if c.Alias == "" {
				return c.PowerValue
			}
		}
	}
	return 0
}

// failure is what failed in an execution.
type failure struct {
	text  string // the cause, and what to do about it, on one line
	where string // "Executor at 512 MB, running in series; "; empty if not known
}

// cause returns the failure that ended an execution: the last one before the clean-up, because a state
// that is retried fails several times.
func (h history) cause() failure {
	f := failure{text: "its history does not say why"}
	for _, e := range h {
		s := h.stateOf(&e)
		if s.name == cleanUpOnError {
			break
		}
		d, name := failed(e), ""
		if e.Type == types.HistoryEventTypeExecutionAborted { // by a caller, who need not give a reason
			d, name = cmp.Or(d, &types.ExecutionFailedEventDetails{}), "somebody stopped it"
		}
		if d == nil || e.Type == types.HistoryEventTypeExecutionFailed && f.where != "" { // it only repeats the state's failure
			continue
		}
		if strings.HasPrefix(string(e.Type), "Execution") {
			s = state{}
		}
		f = explain(cmp.Or(aws.ToString(d.Error), name), aws.ToString(d.Cause), s)
	}
	return f
}

// failed returns the details of an event that reports a failure, or nil.
func failed(e types.HistoryEvent) *types.ExecutionFailedEventDetails {
	type details = types.ExecutionFailedEventDetails
	return cmp.Or(
		e.ExecutionFailedEventDetails,
		(*details)(e.ExecutionAbortedEventDetails),
		(*details)(e.LambdaFunctionFailedEventDetails),
		(*details)(e.LambdaFunctionTimedOutEventDetails),
		(*details)(e.LambdaFunctionScheduleFailedEventDetails),
		(*details)(e.LambdaFunctionStartFailedEventDetails),
	)
}

// invocationError matches how the executor of 4.4.0 reports an error of the function or of a processor:
// after the payload, which can be long and contains escaped quotes.
var invocationError = regexp.MustCompile(`(?s)^(?:Invocation error \((running in \w+)\)|(P\w+ \S+) failed) .*? - original error type: "([^"]*)", original error message: "(.*)",\s*trace: "`)

// noise precedes the message in an error of Lambda itself.
var noise = regexp.MustCompile(`^RequestId: \S+ (Error: )?`)

// explain says what an error and its cause mean, and what to do. The cause of a Lambda function's error
// is JSON; the executor's contains the error of the function that it invoked.
func explain(name, cause string, s state) (f failure) {
	var thrown struct{ ErrorType, ErrorMessage string }
	if json.Unmarshal([]byte(cause), &thrown) == nil && thrown.ErrorMessage != "" {
		name, cause = cmp.Or(name, thrown.ErrorType), thrown.ErrorMessage
	}
	where := s.name
	if s.power != "" {
		where += " at " + s.power + " MB"
	}
	byFunction := false
	if m := invocationError.FindStringSubmatch(cause); m != nil {
		where += ", " + m[1] + m[2]
		byFunction, name, cause = m[1] != "", m[3], m[4]
	}
	cause = noise.ReplaceAllString(cause, "")
	timeout := name == "States.Timeout" || name == "Sandbox.Timedout"
	says, remedy := "", ""
	switch {
	case byFunction && (name == "Runtime.OutOfMemory" || name == "Runtime.ExitError" && strings.Contains(cause, "signal: killed")):
		says, remedy = "out of memory", "leave "+s.power+" out of --power, or lower --concurrency"
	case byFunction && timeout:
		says, remedy = "the function's timeout", "lower --repeat, or raise the timeout"
	case s.name == executor && timeout:
		says, remedy = "the invocations did not end within totalExecutionTimeout", "lower --repeat or --num, or choose --parallel"
	case !slices.Contains([]string{"Error", "errorString", "wrapError"}, name): // these say nothing
		says = name
	}
	const most = 300                                              // characters of the first line, and of the others
	first, rest, _ := strings.Cut(strings.TrimSpace(cause), "\n") // the last line says what to do
	text := joined("; ", prose.OneLine(first, most), prose.OneLine(rest, most), remedy)
	f.text = cmp.Or(joined(": ", says, text), "no cause given")
	if s.name != "" {
		f.where = where + "; "
	}
	return f
}

func joined(by string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), by)
}
