package stepfunctions

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"lambda-parallel-io/handler/platform"
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
