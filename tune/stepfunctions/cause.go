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
	where string // "Executor at 512 MB, running in series; "; empty where that is not known
}

// cause returns the failure that ended an execution: the last one before the
// clean-up. A state that is tried again has failures before its last one.
func (h history) cause() failure {
	f := failure{text: "its history does not say why"}
	for _, e := range h {
		s := h.stateOf(&e)
		if s.name == cleanUpOnError {
			break
		}
		d := failed(e)
		switch {
		case e.Type == types.HistoryEventTypeExecutionAborted: // by a caller, who need not say why
			d = cmp.Or(d, &types.ExecutionFailedEventDetails{})
			f = explain(cmp.Or(aws.ToString(d.Error), "somebody stopped it"), aws.ToString(d.Cause), state{})
		case d == nil:
		case e.Type == types.HistoryEventTypeExecutionFailed && f.where != "": // of that state's failure
		case strings.HasPrefix(string(e.Type), "Execution"):
			f = explain(aws.ToString(d.Error), aws.ToString(d.Cause), state{})
		default:
			f = explain(aws.ToString(d.Error), aws.ToString(d.Cause), s)
		}
	}
	return f
}

// failed returns the details of an event that tells of a failure, or nil.
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

// invocationError is how the executor of 4.4.0 tells of an error of the function
// or of a processor: behind the payload, which can be long and in which quotes
// are escaped.
var invocationError = regexp.MustCompile(`(?s)^(?:Invocation error \((running in \w+)\)|(P\w+ \S+) failed) .*? - original error type: "([^"]*)", original error message: "(.*)",\s*trace: "`)

// noise is what precedes the message in an error of Lambda itself.
var noise = regexp.MustCompile(`^RequestId: \S+ (Error: )?`)

// explain tells what an error and its cause mean, and what to do. The cause of
// a Lambda function's error is JSON; the executor's tells within it of another
// error.
func explain(name, cause string, s state) failure {
	var f failure
	var thrown struct{ ErrorType, ErrorMessage string }
	if json.Unmarshal([]byte(cause), &thrown) == nil && thrown.ErrorMessage != "" {
		name, cause = cmp.Or(name, thrown.ErrorType), thrown.ErrorMessage
	}
	ofFunction := false
	where := []string{s.name}
	if s.power != "" {
		where[0] += " at " + s.power + " MB"
	}
	if m := invocationError.FindStringSubmatch(cause); m != nil {
		where = append(where, m[1]+m[2])
		ofFunction, name, cause = m[1] != "", m[3], m[4]
	}
	cause = noise.ReplaceAllString(cause, "")
	timeout := name == "States.Timeout" || name == "Sandbox.Timedout"
	says, remedy := "", ""
	switch {
	case ofFunction && (name == "Runtime.OutOfMemory" || name == "Runtime.ExitError" && strings.Contains(cause, "signal: killed")):
		says, remedy = "out of memory", "leave "+s.power+" out of --power, or lower --concurrency"
	case ofFunction && timeout:
		says, remedy = "the function's timeout", "lower --repeat, or raise the timeout"
	case s.name == executor && timeout:
		says, remedy = "the invocations did not end within totalExecutionTimeout", "lower --repeat or --num, or choose --parallel"
	case !slices.Contains([]string{"Error", "errorString", "wrapError"}, name): // these say nothing
		says = name
	}
	f.text = cmp.Or(joined(": ", says, joined("; ", lines(cause), remedy)), "no cause given")
	if s.name != "" {
		f.where = strings.Join(where, ", ") + "; "
	}
	return f
}

// lines shortens a cause, but not so that its last line, which says what to
// do, is lost.
func lines(cause string) string {
	const most = 300 // characters
	first, rest, _ := strings.Cut(strings.TrimSpace(cause), "\n")
	return joined("; ", prose.OneLine(first, most), prose.OneLine(rest, most))
}

func joined(by string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), by)
}
