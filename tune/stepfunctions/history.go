package stepfunctions

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"lambda-parallel-io/handler/platform"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// The states of Power Tuning that matter here; of the others the names are
// only shown.
const (
	publisher      = "Publisher"      // publishes the function at one size after the other, its own as the last
	executor       = "Executor"       // invokes the function at one power value; tried three times
	cleanUpOnError = "CleanUpOnError" // entered after a failure: the execution then ends as SUCCEEDED, with {}
)

// state is where an event happened; power is empty where there is none.
type state struct{ name, power string }

// history is that of an execution: all its events, in the order of their ids.
type history []types.HistoryEvent

// before returns the event that led to e, or nil.
func (h history) before(e *types.HistoryEvent) *types.HistoryEvent {
	i, found := slices.BinarySearchFunc(h, e.PreviousEventId,
		func(e types.HistoryEvent, id int64) int { return cmp.Compare(e.Id, id) })
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

// mayRunFor returns how long executors may go on after an execution has ended:
// Step Functions stops none of those that run, and they may take
// totalExecutionTimeout. It is 0 where each that began has ended.
func (h history) mayRunFor(stopped, now time.Time) time.Duration {
	running := map[int64]time.Time{} // until when, by the event of the start
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
	for _, until := range running {
		// This machine's clock may be wrong: it can shorten the wait alone.
		longest = max(longest, min(until.Sub(now), until.Sub(stopped)))
	}
	return longest
}

// memoryBefore returns the memory size, in MB, that the function had when the
// execution began: Power Tuning publishes it last, under no alias. It is 0 where
// nothing was published.
func (h history) memoryBefore() int {
	for _, e := range h {
		if entered := e.StateEnteredEventDetails; entered != nil && aws.ToString(entered.Name) == publisher {
			var in struct {
				LambdaConfigurations struct {
					InitConfigurations []struct {
						PowerValue int
						Alias      string
					}
				}
			}
			_ = json.Unmarshal([]byte(aws.ToString(entered.Input)), &in) // of another version of the tool: nothing is known
			for _, c := range in.LambdaConfigurations.InitConfigurations {
				if c.Alias == "" {
					return c.PowerValue
				}
			}
		}
	}
	return 0
}
