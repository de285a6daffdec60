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

// readAnswer puts into the variant what its execution, which has ended, has to
// say. After an error the variant is as it was, and it can be called again.
func (t *turn) readAnswer(ctx context.Context, e *sfn.DescribeExecutionOutput) error {
	if e.Status == types.ExecutionStatusSucceeded {
		out, err := powertuning.ParseOutput([]byte(aws.ToString(e.Output)))
		if err == nil && len(out.Stats) == 0 {
			err = errors.New("power tuning output: it has no stats: is the state machine that of version 4.4.0?")
		}
		switch {
		case err == nil:
			t.v.Tuning, t.v.Cells = &out, cells(t.run.PowerValues, out.Stats)
			return nil
		case !errors.Is(err, powertuning.ErrEmptyOutput):
			t.v.Error = err.Error()
			return nil
		}
	}
	cause, h, err := t.cause(ctx, e)
	if err != nil {
		return err
	}
	amiss, err := t.afterFailure(ctx, h, aws.ToTime(e.StopDate))
	if err != nil {
		return err
	}
	t.v.Error = fmt.Sprintf("%s (%sits execution ended as %s)", cause.text, cause.where, e.Status)
	if e.Status == types.ExecutionStatusAborted {
		t.v.Error += "; its clean-up was skipped, so aliases RAM<power> are left, which the next execution over the same sizes takes over"
	}
	t.v.Error += amiss
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

// history is that of an execution: all its events, in the order of their ids.
type history []types.HistoryEvent

// before returns the event that led to e, or nil.
func (h history) before(e *types.HistoryEvent) *types.HistoryEvent {
	i, found := slices.BinarySearchFunc(h, e.PreviousEventId, func(e types.HistoryEvent, id int64) int { return cmp.Compare(e.Id, id) })
	if !found {
		return nil
	}
	return &h[i]
}

// stateOf follows the events that led to e back to the state's beginning.
func (h history) stateOf(e *types.HistoryEvent) state {
	for ; e != nil; e = h.before(e) {
		if entered := e.StateEnteredEventDetails; entered != nil {
			var in struct{ Value json.Number } // the power value, which the executor's input has
			_ = json.Unmarshal([]byte(aws.ToString(entered.Input)), &in)
			return state{aws.ToString(entered.Name), string(in.Value)}
		}
	}
	return state{}
}

// cause digs out of an execution's history why it failed. After an error it can
// be asked again. The history is empty where it cannot be read.
func (t *turn) cause(ctx context.Context, e *sfn.DescribeExecutionOutput) (failure, history, error) {
	var h history
	pages := sfn.NewGetExecutionHistoryPaginator(t.client, &sfn.GetExecutionHistoryInput{ExecutionArn: e.ExecutionArn, MaxResults: 1000})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx, t.outliveNetworkLoss)
		if err != nil {
			err = t.failed(ctx, "states:GetExecutionHistory", aws.ToString(e.ExecutionArn), err)
			if ctx.Err() != nil || IsCredentials(err) {
				return failure{}, nil, err
			}
			f := explain(aws.ToString(e.Error), aws.ToString(e.Cause), state{})
			f.text += prose.OneLine(fmt.Sprintf("; its history could not be read: %v", err), 300)
			return f, nil, nil
		}
		h = append(h, page.Events...)
	}
	return h.cause(), h, nil
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

// state is where an event happened; power is empty where there is none.
type state struct{ name, power string }

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

// outcome tells in a line how a variant ended.
func outcome(v comparison.Result, took time.Duration) string {
	if v.Error != "" {
		return fmt.Sprintf("%s: failed after %s: %s", v.Label(), took, v.Error)
	}
	return fmt.Sprintf("%s: %d sizes in %s", v.Label(), len(v.Tuning.Stats), took)
}
