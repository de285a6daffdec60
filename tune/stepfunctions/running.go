package stepfunctions

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// BusyError says that the function is being tuned by someone else. Two
// executions on one function rewrite each other's memory size and aliases, and
// the figures of both go wrong without a word.
type BusyError struct {
	Execution string // ARN of the one that runs
	Function  string // empty where its input does not say
	Since     time.Time
	remedy    string
}

func (e *BusyError) Error() string {
	what := "runs for the same function, " + e.Function
	if e.Function == "" {
		what = "runs, and its input does not say for which function"
	}
	return fmt.Sprintf("the execution %s %s, since %s: two at once would spoil each other's figures\n%s",
		e.Execution, what, e.Since.UTC().Format(time.DateTime+" UTC"), e.remedy)
}

// idle returns nil when no execution of the state machine runs for the
// function but the caller's own, and a [*BusyError] for one that does.
//
// What it sees may be some seconds old (ListExecutions is eventually
// consistent), and of another Power Tuning it sees nothing.
func (t *Tuner) idle(ctx context.Context, own string) error {
	pages := sfn.NewListExecutionsPaginator(t.client, &sfn.ListExecutionsInput{
		StateMachineArn: &t.StateMachine,
		StatusFilter:    types.ExecutionStatusRunning,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return t.failed("ListExecutions", t.StateMachine, err)
		}
		for _, e := range page.Executions {
			if arn := aws.ToString(e.ExecutionArn); arn != own {
				if err := t.harmless(ctx, arn); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// harmless looks at a running execution that is not the caller's.
func (t *Tuner) harmless(ctx context.Context, execution string) error {
	e, err := t.client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &execution})
	if err != nil {
		return t.failed("DescribeExecution", execution, err)
	}
	if ended(e.Status) {
		return nil
	}
	var in struct {
		LambdaARN string `json:"lambdaARN"`
	}
	// An input that cannot be read leaves the name empty: it may be the same.
	_ = json.Unmarshal([]byte(aws.ToString(e.Input)), &in)
	if in.LambdaARN != "" && !sameFunction(in.LambdaARN, t.Function) {
		return nil
	}
	return &BusyError{
		Execution: execution,
		Function:  in.LambdaARN,
		Since:     aws.ToTime(e.StartDate),
		remedy:    "wait until it has ended, or stop it:\n" + t.commands(execution),
	}
}

func ended(s types.ExecutionStatus) bool {
	switch s {
	case types.ExecutionStatusSucceeded, types.ExecutionStatusFailed, types.ExecutionStatusTimedOut, types.ExecutionStatusAborted:
		return true
	}
	return false
}

// commands are those that show and stop an execution, and what stopping
// leaves behind.
func (t *Tuner) commands(execution string) string {
	rest := execution + " --region " + t.Region
	if t.Profile != "" {
		rest += " --profile " + t.Profile
	}
	return strings.Join([]string{
		"  show it: aws stepfunctions describe-execution --execution-arn " + rest,
		"  stop it: aws stepfunctions stop-execution --execution-arn " + rest,
		"  Stopping it skips Power Tuning's clean-up: the function keeps the aliases RAM<power> and their versions,",
		"  and may keep another memory size on $LATEST, which `pulumi refresh`, then `pulumi up`, sets right.",
	}, "\n")
}
