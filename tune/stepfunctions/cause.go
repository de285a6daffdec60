package stepfunctions

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/prose"
)

// The states of Power Tuning that matter here; of the others the names are
// only shown.
const (
	executor       = "Executor"       // invokes the function at one power value; tried three times
	cleanUpOnError = "CleanUpOnError" // entered after a failure: the execution then ends as SUCCEEDED, with {}
)

// cause digs out of an execution's history why it failed.
// Its error is one after which it can be asked again.
func (t *Tuner) cause(ctx context.Context, v comparison.Result, e *sfn.DescribeExecutionOutput) (string, error) {
	var events []types.HistoryEvent
	pages := sfn.NewGetExecutionHistoryPaginator(t.client, &sfn.GetExecutionHistoryInput{ExecutionArn: e.ExecutionArn, MaxResults: 1000})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx, patient)
		if ctx.Err() != nil {
			return "", t.interrupted(ctx, v)
		}
		if err != nil {
			err = t.failed("GetExecutionHistory", aws.ToString(e.ExecutionArn), err)
			if IsCredentials(err) {
				return "", err
			}
			said := describe(aws.ToString(e.Error), aws.ToString(e.Cause))
			return fmt.Sprintf("%s (its history could not be read: %v)", said, err), nil
		}
		events = append(events, page.Events...)
	}
	return causeIn(events), nil
}

// causeIn returns the failure that ended an execution: the last one before
// the clean-up, else the last one of a state, else what the execution itself
// ended with. A state that is tried again has failures before its last one.
func causeIn(events []types.HistoryEvent) string {
	h := history{byID: make(map[int64]types.HistoryEvent, len(events))}
	var cause, cleanUp, end string
	for _, e := range events {
		h.byID[e.Id] = e
		name, said, ok := failure(e)
		switch {
		case !ok:
		case strings.HasPrefix(string(e.Type), "Execution"):
			end = describe(name, said)
		case h.state(e).name == cleanUpOnError:
			cleanUp = describe(name, said)
		default:
			cause = h.state(e).String() + describe(name, said)
			if h.state(e).name == executor && name == "States.Timeout" {
				cause += ": its invocations did not end within totalExecutionTimeout, so lower -repeat or -num, or choose -parallel"
			}
		}
	}
	switch {
	case cleanUp != "":
		return cause + "; then its clean-up failed, so aliases RAM<power> may be left: " + cleanUp
	case cause != "":
		return cause
	}
	return cmp.Or(end, "its history does not say why")
}

type history struct{ byID map[int64]types.HistoryEvent }

// state is where an event happened.
type state struct{ name, power string }

func (s state) String() string {
	switch {
	case s.name == "":
		return ""
	case s.power == "":
		return s.name + ": "
	}
	return s.name + " at " + s.power + " MB: "
}

// state follows the events that led to e back to the state's beginning.
func (h history) state(e types.HistoryEvent) state {
	var s state
	for ok := true; ok && s.name == ""; e, ok = h.byID[e.PreviousEventId] {
		var input *string
		if entered := e.StateEnteredEventDetails; entered != nil {
			s.name, input = aws.ToString(entered.Name), entered.Input
		} else if scheduled := e.LambdaFunctionScheduledEventDetails; scheduled != nil {
			input = scheduled.Input
		}
		s.power = cmp.Or(s.power, power(aws.ToString(input)))
	}
	return s
}

// power reads the power value from a state's input: that of the executor, or
// of the publisher, which goes through a list. The tool has it as a number in
// some places and as a string in others.
func power(input string) string {
	var in struct {
		Value                json.RawMessage
		LambdaConfigurations struct {
			Iterator           struct{ Index int }
			InitConfigurations []struct{ PowerValue json.RawMessage }
		}
	}
	if json.Unmarshal([]byte(input), &in) != nil {
		return ""
	}
	value, list := in.Value, in.LambdaConfigurations
	if i := list.Iterator.Index; value == nil && i >= 0 && i < len(list.InitConfigurations) {
		value = list.InitConfigurations[i].PowerValue
	}
	return strings.Trim(string(value), `"`)
}

// failure returns error and cause of an event that tells of a failure.
func failure(e types.HistoryEvent) (name, cause string, ok bool) {
	var n, c *string
	switch {
	case e.LambdaFunctionFailedEventDetails != nil:
		n, c = e.LambdaFunctionFailedEventDetails.Error, e.LambdaFunctionFailedEventDetails.Cause
	case e.LambdaFunctionTimedOutEventDetails != nil:
		n, c = e.LambdaFunctionTimedOutEventDetails.Error, e.LambdaFunctionTimedOutEventDetails.Cause
	case e.LambdaFunctionScheduleFailedEventDetails != nil:
		n, c = e.LambdaFunctionScheduleFailedEventDetails.Error, e.LambdaFunctionScheduleFailedEventDetails.Cause
	case e.LambdaFunctionStartFailedEventDetails != nil:
		n, c = e.LambdaFunctionStartFailedEventDetails.Error, e.LambdaFunctionStartFailedEventDetails.Cause
	case e.TaskFailedEventDetails != nil:
		n, c = e.TaskFailedEventDetails.Error, e.TaskFailedEventDetails.Cause
	case e.TaskTimedOutEventDetails != nil:
		n, c = e.TaskTimedOutEventDetails.Error, e.TaskTimedOutEventDetails.Cause
	case e.ExecutionFailedEventDetails != nil:
		n, c = e.ExecutionFailedEventDetails.Error, e.ExecutionFailedEventDetails.Cause
	case e.ExecutionTimedOutEventDetails != nil:
		n, c = e.ExecutionTimedOutEventDetails.Error, e.ExecutionTimedOutEventDetails.Cause
	case e.ExecutionAbortedEventDetails != nil:
		n, c = e.ExecutionAbortedEventDetails.Error, e.ExecutionAbortedEventDetails.Cause
	default:
		return "", "", false
	}
	return aws.ToString(n), aws.ToString(c), true
}

// describe puts an error and its cause into a line. The cause of a Lambda
// function's error is JSON, and of the tuner's, which tells of another
// function's error, JSON within text within JSON.
func describe(name, cause string) string {
	var inner struct{ ErrorType, ErrorMessage string }
	if json.Unmarshal([]byte(cause), &inner) == nil && inner.ErrorMessage != "" {
		cause = inner.ErrorMessage
		if name == "" || name == "Error" {
			name = inner.ErrorType
		}
	}
	if m := invocationError.FindStringSubmatch(cause); m != nil {
		return m[1] + describe("", m[2])
	}
	switch {
	case name == "" && cause == "":
		return "no cause given"
	case cause == "":
		return shorten(name)
	case name == "" || name == "Error":
		return shorten(cause)
	}
	return shorten(name + ": " + cause)
}

// invocationError is how the tuner's executor tells of the error that the
// function answered; the payload behind it is the variant's own.
var invocationError = regexp.MustCompile(`(?s)^(Invocation error \(running in \w+\): )(.*?)( with payload .*)?$`)

// maxMessage bounds an error, in runes.
const maxMessage = 600

func shorten(s string) string { return prose.OneLine(s, maxMessage) }
