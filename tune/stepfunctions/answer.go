package stepfunctions

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// readAnswer fills in the variant from its ended execution. An error leaves it as it was: it can be read again.
func (x *execution) readAnswer(ctx context.Context, e *sfn.DescribeExecutionOutput) error {
	const tuningFailed = "{}" // Power Tuning ends like this, as SUCCEEDED, when it could not publish or invoke the function
	if output := aws.ToString(e.Output); e.Status == types.ExecutionStatusSucceeded && output != tuningFailed {
		switch out, err := powertuning.ParseOutput([]byte(output)); {
		case err != nil:
			x.v.Error = err.Error()
		case len(out.Stats) == 0:
			x.v.Error = "power tuning output: it has no stats: is the state machine that of version 4.4.0?"
		default:
			x.v.Tuning, x.v.Cells = &out, cells(x.run.PowerValues, out.Stats)
		}
		return nil
	}
	var events []types.HistoryEvent
	pages := sfn.NewGetExecutionHistoryPaginator(x.client, &sfn.GetExecutionHistoryInput{ExecutionArn: e.ExecutionArn, MaxResults: 1000})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return x.failed(ctx, "states:GetExecutionHistory", x.v.Execution, err)
		}
		events = append(events, page.Events...)
	}
	h := read(events)
	// A wrong clock on this machine can only shorten the wait.
	if d := min(h.busy.Sub(x.now()), h.busy.Sub(aws.ToTime(e.StopDate))).Round(time.Second); x.more && d > 0 {
		now := fmt.Sprintf("waiting %s for executors that may still run", d)
		err := x.tell(now, x.v.Label()+": failed, "+now, false)
		if err == nil {
			err = x.pause(ctx, d)
		}
		if err != nil {
			return cmp.Or(context.Cause(ctx), err)
		}
	}
	if h.Memory > 0 {
		c, err := x.configuration(ctx)
		if err != nil {
			return err
		}
		h.Left = int(aws.ToInt32(c.MemorySize))
	}
	h.Status, h.Function, h.Region = e.Status, x.Function, RegionOf(x.Function)
	x.v.Error = say("failure", h)
	return nil
}

// cells makes a cell of each power value. Power Tuning returns zeros for a size whose durations it could not read.
func cells(powers []int, stats []powertuning.Stat) (cells []comparison.Cell) {
	for _, power := range powers {
		cell := comparison.Cell{Power: power,
			Error: "Power Tuning found no REPORT line in the last 4 KB of the log: the function must log less, and as text"}
		for _, s := range stats {
			if s.Value == power && s.AverageDuration > 0 {
				cell = comparison.Cell{Power: power, AverageMS: s.AverageDuration, AverageCost: s.AveragePrice}
			}
		}
		cells = append(cells, cell)
	}
	return cells
}

// history is what the events of an execution tell, and what it has left behind.
type history struct {
	Cause  string    // of the failure that ended it, and what to do about it, on one line
	Where  string    // "Executor at 512 MB, running in series"; empty if not known
	Memory int       // MB that the function had before; 0 if nothing was published
	busy   time.Time // until when executors may run: Step Functions does not stop a Lambda invocation

	Left             int // MB that the function has now; 0 if not known
	Status           types.ExecutionStatus
	Function, Region string
}

// executor is Power Tuning's state that invokes the function at one power value. It is tried three times.
const executor = "Executor"

// state is where an event happened. Its exported fields are those of its input.
type state struct {
	name    string
	timeout time.Duration // of its Lambda function
	until   time.Time     // when that ends at the latest; zero unless it runs

	Value                json.Number // MB, of an executor
	LambdaConfigurations struct {
		InitConfigurations []struct{ PowerValue int } // the sizes to publish; the last is the function's own
	}
}

// read reads events in the order of their IDs. A state that is retried fails several times: the last failure counts.
func read(events []types.HistoryEvent) history {
	h := history{Cause: "its history does not say why"}
	states := map[int64]*state{} // by the ID of an event, which is in the state of the one that led to it
	for _, e := range events {
		s, d, name := cmp.Or(states[e.PreviousEventId], &state{}), failed(e), ""
		if entered := e.StateEnteredEventDetails; entered != nil {
			s = &state{name: aws.ToString(entered.Name), timeout: platform.MaxTimeout}
			_ = json.Unmarshal([]byte(aws.ToString(entered.Input)), s) // what another version of the tool lacks stays empty
			if all := s.LambdaConfigurations.InitConfigurations; len(all) > 0 {
				h.Memory = all[len(all)-1].PowerValue
			}
			if s.name == "CleanUpOnError" {
				break // the execution ends as SUCCEEDED, with {}
			}
		}
		if d := e.LambdaFunctionScheduledEventDetails; d != nil && d.TimeoutInSeconds != nil {
			s.timeout = time.Duration(*d.TimeoutInSeconds) * time.Second
		}
		states[e.Id] = s
		switch e.Type {
		case types.HistoryEventTypeLambdaFunctionStarted:
			s.until = aws.ToTime(e.Timestamp).Add(s.timeout)
		case types.HistoryEventTypeLambdaFunctionSucceeded, types.HistoryEventTypeLambdaFunctionFailed,
			types.HistoryEventTypeLambdaFunctionTimedOut:
			s.until = time.Time{}
		case types.HistoryEventTypeExecutionAborted: // by a caller, who need not give a reason
			d, name, s = cmp.Or(d, &types.ExecutionFailedEventDetails{}), "somebody stopped it", &state{}
		case types.HistoryEventTypeExecutionFailed:
			if h.Where != "" {
				continue // it only repeats the state's failure
			}
		}
		if d != nil {
			h.Cause, h.Where = explain(cmp.Or(aws.ToString(d.Error), name), aws.ToString(d.Cause), s)
		}
	}
	for _, s := range states {
		if s.name == executor && s.until.After(h.busy) {
			h.busy = s.until
		}
	}
	return h
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

// invocationError matches how the executor of 4.4.0 reports an error of the function or of a processor: after the
// payload, which can be long and contains escaped quotes.
var invocationError = regexp.MustCompile(`(?s)^(?:Invocation error \((running in \w+)\)|(P\w+ \S+) failed) .*? - original error type: "([^"]*)", original error message: "(.*)",\s*trace: "`)

// noise precedes the message in an error of Lambda itself.
var noise = regexp.MustCompile(`^RequestId: \S+ (Error: )?`)

// explain says what an error and its cause mean and what to do, and where it happened. The cause of a Lambda
// function's error is JSON; the executor's contains the error of the function that it invoked.
func explain(name, cause string, s *state) (text, where string) {
	var thrown struct{ ErrorType, ErrorMessage string }
	if json.Unmarshal([]byte(cause), &thrown) == nil && thrown.ErrorMessage != "" {
		name, cause = cmp.Or(name, thrown.ErrorType), thrown.ErrorMessage
	}
	where = s.name
	if s.Value != "" {
		where += " at " + s.Value.String() + " MB"
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
		says, remedy = "out of memory", fmt.Sprintf("leave %s out of --power, or lower --concurrency", s.Value)
	case byFunction && timeout:
		says, remedy = "the function's timeout", "lower --repeat, or raise the timeout"
	case s.name == executor && timeout:
		says, remedy = "the invocations did not end within totalExecutionTimeout", "lower --repeat or --num, or choose --parallel"
	case !slices.Contains([]string{"Error", "errorString", "wrapError"}, name): // these say nothing
		says = name
	}
	const most = 300                                              // characters of the first line, and of the others
	first, rest, _ := strings.Cut(strings.TrimSpace(cause), "\n") // the last line says what to do
	text = joined("; ", prose.OneLine(first, most), prose.OneLine(rest, most), remedy)
	return cmp.Or(joined(": ", says, text), "no cause given"), where
}

func joined(by string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), by)
}
