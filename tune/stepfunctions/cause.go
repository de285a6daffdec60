package stepfunctions

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"lambda-parallel-io/handler/prose"
)

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
