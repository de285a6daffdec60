package stepfunctions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// readAnswer puts into the variant what its execution, which has ended, has to
// say. After an error the variant is as it was, and it can be called again.
func (t *turn) readAnswer(ctx context.Context, e *sfn.DescribeExecutionOutput) error {
	const tuningFailed = "{}" // so Power Tuning ends, as SUCCEEDED, when it could not publish a version or invoke the function
	if output := aws.ToString(e.Output); e.Status == types.ExecutionStatusSucceeded && output != tuningFailed {
		out, err := powertuning.ParseOutput([]byte(output))
		if err == nil && len(out.Stats) == 0 {
			err = errors.New("power tuning output: it has no stats: is the state machine that of version 4.4.0?")
		}
		if err != nil {
			t.v.Error = err.Error()
		} else {
			t.v.Tuning, t.v.Cells = &out, cells(t.run.PowerValues, out.Stats)
		}
		return nil
	}
	h, err := t.history(ctx, e)
	if err != nil {
		return err
	}
	cause := h.cause()
	amiss, err := t.afterFailure(ctx, h, e)
	if err != nil {
		return err
	}
	t.v.Error = fmt.Sprintf("%s (%sits execution ended as %s)%s", cause.text, cause.where, e.Status, amiss)
	return nil
}

// cells makes a cell of each power value. Power Tuning answers zeros for a size
// of which it has read no duration.
func cells(powers []int, stats []powertuning.Stat) []comparison.Cell {
	var cells []comparison.Cell
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

// history reads that of an execution.
func (t *turn) history(ctx context.Context, e *sfn.DescribeExecutionOutput) (h history, err error) {
	pages := sfn.NewGetExecutionHistoryPaginator(t.client,
		&sfn.GetExecutionHistoryInput{ExecutionArn: e.ExecutionArn, MaxResults: 1000})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, t.failed(ctx, "states:GetExecutionHistory", aws.ToString(e.ExecutionArn), err)
		}
		h = append(h, page.Events...)
	}
	return h, nil
}

// afterFailure looks after what a failed execution has left: it waits for
// executors that may still run if the function is needed again, and returns
// what is to be said of the function's memory size and, where the execution was
// stopped, of what Power Tuning has not removed.
func (t *turn) afterFailure(ctx context.Context, h history, e *sfn.DescribeExecutionOutput) (string, error) {
	if d := h.mayRunFor(aws.ToTime(e.StopDate), t.now()).Round(time.Second); t.needed && d > 0 {
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
	stopped := e.Status == types.ExecutionStatusAborted
	own, amiss := prose.Thousands(before, 0), ""
	c, err := t.configuration(ctx)
	switch {
	case errors.Is(err, errDenied):
		amiss = fmt.Sprintf("; whether the function has its %s MB again is not known: %v", own, err)
	case err != nil:
		return "", err
	case int(aws.ToInt32(c.MemorySize)) != before:
		amiss = fmt.Sprintf("; the function was left at %s MB", prose.Thousands(int(aws.ToInt32(c.MemorySize)), 0))
	case stopped: // a publisher that was running goes on
		amiss = "; the function may still get another memory size"
	default:
		return "", nil
	}
	amiss += fmt.Sprintf(": `aws lambda update-function-configuration --function-name %s --memory-size %d --region %s` gives it back its %s",
		t.Function, before, RegionOf(t.Function), own)
	if stopped {
		amiss += "; aliases RAM<power> and their versions may be left, which the next comparison of these sizes removes"
	}
	return amiss, nil
}

// outcome tells in a line how a variant ended.
func outcome(v comparison.Result, took time.Duration) string {
	if v.Error != "" {
		return fmt.Sprintf("%s: failed after %s: %s", v.Label(), took, v.Error)
	}
	return fmt.Sprintf("%s: %d sizes in %s", v.Label(), len(v.Tuning.Stats), took)
}
