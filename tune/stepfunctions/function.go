package stepfunctions

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"

	"lambda-parallel-io/tune/prose"
)

// errDenied is that the caller may not ask for the function's configuration.
// Nothing depends on it but what can be told.
var errDenied = errors.New("the caller may not call lambda:GetFunctionConfiguration")

// configuration asks for the function's.
func (t *Tuner) configuration(ctx context.Context) (*lambda.GetFunctionConfigurationOutput, error) {
	out, err := t.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &t.Function})
	var api smithy.APIError
	if errors.As(err, &api) && (api.ErrorCode() == "AccessDeniedException" || api.ErrorCode() == "AccessDenied") {
		return nil, errDenied
	}
	if err != nil {
		return nil, t.failed(ctx, "lambda:GetFunctionConfiguration", t.Function, err)
	}
	return out, nil
}

// Complete asks Lambda what the function is where no stack has told its
// architecture and timeout. A flag that says otherwise is a
// [*comparison.FieldError]. Where the caller may not ask, nothing becomes known,
// and unknown says so in a line that should be shown.
func (t *Tuner) Complete(ctx context.Context) (unknown string, err error) {
	if t.told {
		return "", nil
	}
	c, err := t.configuration(ctx)
	if errors.Is(err, errDenied) {
		return "the function's architecture and timeout are not known, and taken to be what --arch and --timeout say: " + errDenied.Error(), nil
	}
	if err != nil {
		return "", err
	}
	known := Target{Timeout: time.Duration(aws.ToInt32(c.Timeout)) * time.Second, Arch: string(lambdatypes.ArchitectureX8664)}
	if len(c.Architectures) > 0 {
		known.Arch = string(c.Architectures[0])
	}
	return "", t.learn(known, "the function "+t.Function)
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
				timeout := int64(maxSeconds)
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

// afterFailure looks after what a failed execution has left: it waits for
// executors that may still run if the function is needed again, and returns
// what is to be said of the function's memory size.
func (t *turn) afterFailure(ctx context.Context, h history, stopped time.Time) (string, error) {
	if d := h.mayRunFor(stopped, t.now()).Round(time.Second); t.needed && d > 0 {
		now := fmt.Sprintf("waiting %s for executors that may still run", d)
		if err := t.tell(now, t.v.Label()+": failed, "+now, false); err != nil {
			return "", err
		}
		if err := t.pause(ctx, d); err != nil {
			return "", err
		}
	}
	before := h.memoryBefore()
	if before == 0 {
		return "", nil
	}
	c, err := t.configuration(ctx)
	switch {
	case errors.Is(err, errDenied):
		return fmt.Sprintf("; whether the function has its %s MB again is not known: %v", prose.Thousands(before, 0), err), nil
	case err != nil:
		return "", err
	case int(aws.ToInt32(c.MemorySize)) == before:
		return "", nil
	}
	return fmt.Sprintf("; the function was left at %s MB: `aws lambda update-function-configuration --function-name %s --memory-size %d --region %s` gives it back its %s",
		prose.Thousands(int(aws.ToInt32(c.MemorySize)), 0), t.Function, before, RegionOf(t.Function), prose.Thousands(before, 0)), nil
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
