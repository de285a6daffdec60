package stepfunctions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// fill puts into v what its execution, which has ended, has to say. After an
// error v is as it was, and fill can be called again.
func (t *Tuner) fill(ctx context.Context, run comparison.Run, v *comparison.Result, e *sfn.DescribeExecutionOutput) error {
	if e.Status != types.ExecutionStatusSucceeded {
		cause, err := t.cause(ctx, *v, e)
		if err != nil {
			return err
		}
		v.Error = fmt.Sprintf("the execution ended as %s: %s", e.Status, cause)
		if e.Status == types.ExecutionStatusAborted {
			v.Error += "; its clean-up was skipped: `pulumi refresh`, then `pulumi up`, sets the function's memory size right"
		}
		return nil
	}
	out, err := powertuning.ParseOutput([]byte(aws.ToString(e.Output)))
	switch {
	case errors.Is(err, powertuning.ErrEmptyOutput):
		cause, err := t.cause(ctx, *v, e)
		if err != nil {
			return err
		}
		v.Error = "Power Tuning failed, though its execution ended as SUCCEEDED: " + cause
	case err != nil:
		v.Error = err.Error()
	case len(out.Stats) == 0:
		v.Error = "Power Tuning answered without stats: is the state machine its version 4.4.0?"
	default:
		v.Tuning = &out
		v.Cells = cells(run.PowerValues, out.Stats)
	}
	return nil
}

// cells makes a cell of each power value. Power Tuning drops a size without a
// word when it finds no REPORT line in the log of its invocations.
func cells(powers []int, stats []powertuning.Stat) []comparison.Cell {
	var cells []comparison.Cell
	for _, s := range stats {
		cells = append(cells, comparison.Cell{Power: s.Value, AverageMS: s.AverageDuration, AverageCost: s.AveragePrice})
	}
	for _, power := range powers {
		if !slices.ContainsFunc(stats, func(s powertuning.Stat) bool { return s.Value == power }) {
			cells = append(cells, comparison.Cell{Power: power, Error: "Power Tuning answered nothing for this size: it found no REPORT line in the last 4 KB of the log, so the function must log less"})
		}
	}
	slices.SortFunc(cells, func(a, b comparison.Cell) int { return cmp.Compare(a.Power, b.Power) })
	return cells
}
