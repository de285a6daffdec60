package stepfunctions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// readAnswer fills in the variant from its execution, which has ended. An error leaves the variant as
// it was, so that readAnswer can be called again.
func (x *execution) readAnswer(ctx context.Context, e *sfn.DescribeExecutionOutput) error {
	const tuningFailed = "{}" // Power Tuning ends like this, as SUCCEEDED, when it could not publish or invoke the function
	if output := aws.ToString(e.Output); e.Status == types.ExecutionStatusSucceeded && output != tuningFailed {
		out, err := powertuning.ParseOutput([]byte(output))
		if err == nil && len(out.Stats) == 0 {
			err = errors.New("power tuning output: it has no stats: is the state machine that of version 4.4.0?")
		}
		if err != nil {
			x.v.Error = err.Error()
		} else {
			x.v.Tuning, x.v.Cells = &out, cells(x.run.PowerValues, out.Stats)
		}
		return nil
	}
	var h history
	pages := sfn.NewGetExecutionHistoryPaginator(x.client, &sfn.GetExecutionHistoryInput{ExecutionArn: e.ExecutionArn, MaxResults: 1000})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return x.failed(ctx, "states:GetExecutionHistory", aws.ToString(e.ExecutionArn), err)
		}
		h = append(h, page.Events...)
	}
	left, err := x.afterFailure(ctx, h, e)
	if err == nil {
		cause := h.cause()
		x.v.Error = fmt.Sprintf("%s (%sits execution ended as %s)%s", cause.text, cause.where, e.Status, left)
	}
	return err
}

// cells makes a cell of each power value. Power Tuning returns zeros for a size whose durations it
// could not read.
func cells(powers []int, stats []powertuning.Stat) (cells []comparison.Cell) {
	for _, power := range powers {
		cell := comparison.Cell{Power: power,
			Error: "Power Tuning found no REPORT line in the last 4 KB of the log: the function must log less, and as text"}
		measured := func(s powertuning.Stat) bool { return s.Value == power && s.AverageDuration > 0 }
		if i := slices.IndexFunc(stats, measured); i >= 0 {
			cell = comparison.Cell{Power: power, AverageMS: stats[i].AverageDuration, AverageCost: stats[i].AveragePrice}
		}
		cells = append(cells, cell)
	}
	return cells
}

// afterFailure waits for executors that may still run, if variants follow. It returns what the failed
// execution has left behind: a wrong memory size and, if it was stopped, aliases and versions.
func (x *execution) afterFailure(ctx context.Context, h history, e *sfn.DescribeExecutionOutput) (string, error) {
	if d := h.mayRunFor(aws.ToTime(e.StopDate), x.now()).Round(time.Second); x.more && d > 0 {
		now := fmt.Sprintf("waiting %s for executors that may still run", d)
		if err := x.tell(now, x.v.Label()+": failed, "+now, false); err != nil {
			return "", err
		}
		if err := x.pause(ctx, d); err != nil {
			return "", cmp.Or(context.Cause(ctx), err)
		}
	}
	before := h.memoryBefore()
	if before == 0 {
		return "", nil
	}
	stopped := e.Status == types.ExecutionStatusAborted
	own, left := prose.Thousands(before, 0), ""
	c, err := x.configuration(ctx)
	switch {
	case errors.Is(err, errDenied):
		left = fmt.Sprintf("; whether the function has its %s MB again is not known: %v", own, err)
	case err != nil:
		return "", err
	case int(aws.ToInt32(c.MemorySize)) != before:
		left = fmt.Sprintf("; the function was left at %s MB", prose.Thousands(int(aws.ToInt32(c.MemorySize)), 0))
	case stopped: // a publisher that was running goes on
		left = "; the function may still get another memory size"
	default:
		return "", nil
	}
	left += fmt.Sprintf(": `aws lambda update-function-configuration --function-name %s --memory-size %d --region %s` gives it back its %s",
		x.Function, before, RegionOf(x.Function), own)
	if stopped {
		left += "; aliases RAM<power> and their versions may be left, which the next comparison of these sizes removes"
	}
	return left, nil
}
