package stepfunctions

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/prose"
)

// readAnswer puts into v what its execution, which has ended, has to say. After an
// error v is as it was, and it can be called again.
func (t *Tuner) readAnswer(ctx context.Context, run comparison.Run, v *comparison.Result, e *sfn.DescribeExecutionOutput, needed bool, tell teller) error {
	if e.Status == types.ExecutionStatusSucceeded {
		out, err := powertuning.ParseOutput([]byte(aws.ToString(e.Output)))
		switch {
		case errors.Is(err, powertuning.ErrEmptyOutput):
		case err != nil:
			v.Error = err.Error()
			return nil
		case len(out.Stats) == 0:
			v.Error = "Power Tuning answered without stats: is the state machine its version 4.4.0?"
			return nil
		default:
			v.Tuning, v.Cells = &out, cells(run.PowerValues, out.Stats)
			return nil
		}
	}
	cause, events, err := t.cause(ctx, e)
	if err != nil {
		return err
	}
	amiss, err := t.afterFailure(ctx, events, aws.ToTime(e.StopDate), needed, tell, v.Label())
	if err != nil {
		return err
	}
	v.Error = fmt.Sprintf("%s (%sits execution ended as %s)", cause.text, cause.where, e.Status)
	if e.Status == types.ExecutionStatusAborted {
		v.Error += "; its clean-up was skipped, so aliases RAM<power> are left, which the next execution over the same sizes takes over"
	}
	v.Error += amiss
	return nil
}

// cells makes a cell of each power value. Power Tuning answers zeros for a size
// of which it has read no duration.
func cells(powers []int, stats []powertuning.Stat) []comparison.Cell {
	var cells []comparison.Cell
	for _, power := range powers {
		cell := comparison.Cell{Power: power, Error: "Power Tuning found no REPORT line in the last 4 KB of the log: the function must log less, and as text"}
		for _, s := range stats {
			if s.Value == power && s.AverageDuration > 0 {
				cell = comparison.Cell{Power: power, AverageMS: s.AverageDuration, AverageCost: s.AveragePrice}
			}
		}
		cells = append(cells, cell)
	}
	return cells
}

// The states of Power Tuning that matter here; of the others the names are
// only shown.
const (
	publisher      = "Publisher"      // publishes the function at one size after the other, its own as the last
	executor       = "Executor"       // invokes the function at one power value; tried three times
	cleanUpOnError = "CleanUpOnError" // entered after a failure: the execution then ends as SUCCEEDED, with {}
)

// failure is what failed in an execution.
type failure struct {
	text  string // the cause, and what to do about it, on one line
	where string // "Executor at 512 MB, running in series; "; empty where that is not known
}

// cause digs out of an execution's history why it failed. After an error it can
// be asked again. There are no events where they cannot be read.
func (t *Tuner) cause(ctx context.Context, e *sfn.DescribeExecutionOutput) (failure, []types.HistoryEvent, error) {
	var events []types.HistoryEvent
	pages := sfn.NewGetExecutionHistoryPaginator(t.client, &sfn.GetExecutionHistoryInput{ExecutionArn: e.ExecutionArn, MaxResults: 1000})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx, t.outliveNetworkLoss)
		if ctx.Err() != nil {
			return failure{}, nil, context.Cause(ctx)
		}
		if err != nil {
			err = t.failed("states:GetExecutionHistory", aws.ToString(e.ExecutionArn), err)
			if IsCredentials(err) {
				return failure{}, nil, err
			}
			f := explain(aws.ToString(e.Error), aws.ToString(e.Cause), state{})
			f.text += prose.OneLine(fmt.Sprintf("; its history could not be read: %v", err), 300)
			return f, nil, nil
		}
		events = append(events, page.Events...)
	}
	return causeIn(events), events, nil
}

// causeIn returns the failure that ended an execution: the last one before
// the clean-up. A state that is tried again has failures before its last one.
func causeIn(events []types.HistoryEvent) failure {
	f := failure{text: "its history does not say why"}
	before := make(map[int64]types.HistoryEvent, len(events))
	for _, e := range events {
		before[e.Id] = e
		s := stateOf(e, before)
		if s.name == cleanUpOnError {
			break
		}
		name, said, ok := failureOf(e)
		switch {
		case !ok:
		case e.Type == types.HistoryEventTypeExecutionFailed && f.where != "": // of that state's failure
		case strings.HasPrefix(string(e.Type), "Execution"):
			f = explain(name, said, state{})
		default:
			f = explain(name, said, s)
		}
	}
	return f
}

// state is where an event happened; power is empty where there is none.
type state struct{ name, power string }

// stateOf follows the events that led to e back to the state's beginning.
func stateOf(e types.HistoryEvent, before map[int64]types.HistoryEvent) (s state) {
	for ok := true; ok && s.name == ""; e, ok = before[e.PreviousEventId] {
		if entered := e.StateEnteredEventDetails; entered != nil {
			s = state{aws.ToString(entered.Name), power(aws.ToString(entered.Input))}
		}
	}
	return s
}

// power reads the power value from a state's input, which the executor's has.
func power(input string) string {
	var in struct{ Value json.Number }
	_ = json.Unmarshal([]byte(input), &in) // another state's has none
	return string(in.Value)
}

// failureOf returns error and cause of an event that tells of a failure.
func failureOf(e types.HistoryEvent) (name, cause string, ok bool) {
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
	case e.ExecutionFailedEventDetails != nil:
		n, c = e.ExecutionFailedEventDetails.Error, e.ExecutionFailedEventDetails.Cause
	case e.ExecutionAbortedEventDetails != nil:
		n, c = e.ExecutionAbortedEventDetails.Error, e.ExecutionAbortedEventDetails.Cause
	default:
		return "", "", false
	}
	return aws.ToString(n), aws.ToString(c), true
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

// outcome tells in a line how a variant ended.
func outcome(v comparison.Result, took time.Duration) string {
	if v.Error != "" {
		return fmt.Sprintf("%s: failed after %s: %s", v.Label(), took, v.Error)
	}
	return fmt.Sprintf("%s: %d sizes in %s", v.Label(), len(v.Tuning.Stats), took)
}
