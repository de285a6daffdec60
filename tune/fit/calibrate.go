package fit

import (
	"errors"
	"fmt"
	"strings"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/profile"
)

// Measured are the cells of a comparison on AWS that can be fitted to: averages of
// warm invocations, each a known number of reads of one object. Cells that failed
// are left out, and those during which their execution asked for more than S3
// grants: whether S3 refused some of their reads is not known. The error says why
// there are none.
func Measured(c *comparison.Comparison) (checks []comparison.Check, err error) {
	run := c.Run
	if run.Repeat == 0 || run.Objects != nil || run.ParallelInvocation || run.TuningInput != nil && run.TuningInput.OnlyColdStarts {
		return nil, errors.New("no cell can be fitted to: it takes warm invocations, one after the other, that read one object a known number of times")
	}
	for _, v := range c.Variants {
		if _, err := strategies.ByName(v.Strategy); err != nil {
			continue // a payload that was sent as it is
		}
		for _, cell := range v.Cells {
			asked := 0.0 // reads a second; the sizes of an execution run side by side from its beginning
			for _, other := range v.Cells {
				if other.AverageMS > 0 {
					asked += 1e3 * float64(run.Repeat) / max(cell.AverageMS, other.AverageMS)
				}
			}
			if cell.AverageMS > 0 && asked <= platform.GetsPerSecond {
				checks = append(checks, comparison.Check{Place: v.Place(cell.Power), Repeat: run.Repeat, MeasuredMS: cell.AverageMS, Why: "fit"})
			}
		}
	}
	if checks == nil {
		err = errors.New("no cell can be fitted to: each has failed, was sent a payload as it is, or asks for more than S3 grants")
	}
	return checks, err
}

// Calibrate makes the calibration of c and its S3 those of the Lambda on which its
// checks were measured, as run says, and computes the checks with them. What the
// checks cannot tell stays: the ratios between the strategies always do. of says
// where the checks are from.
func Calibrate(c *comparison.Comparison, run comparison.Run, of string) error {
	s3, err := profile.Parse(c.Run.Latency)
	if err != nil {
		return err
	}
	var cells []Cell
	var checks []*comparison.Check
	for i := range c.Checks {
		if k := &c.Checks[i]; k.MeasuredMS > 0 {
			costs := compute.OnLambda(compute.Costs(c.Calibration, k.Strategy, compute.Middle), c.Calibration.OnLambda())
			cells = append(cells, Cell{compute.Invocation(k.Place, costs, s3, c.Run.Arch, k.Repeat), run.Num, run.DiscardTopBottom, []float64{k.MeasuredMS}})
			checks = append(checks, k)
		}
	}
	l, err := To(cells)
	if err != nil {
		return err
	}
	if !l.CPU.Fitted && !l.Latency.Fitted {
		return fmt.Errorf("%s of %s: they tell neither the processor nor S3's latency\nadd %s", prose.Count(len(cells), "cell", "cells"), of, strings.Join(l.Add, ",\nand "))
	}
	for i, k := range checks {
		k.AssumedMS, k.ComputedMS = l.AssumedMS[i], l.ComputedMS[i]
		k.LowMS, k.HighMS = k.ComputedMS, k.ComputedMS
	}
	there := l.calibration(c.Calibration)
	if l.Latency.Fitted {
		s3 = s3.Scaled(l.Latency.Value)
	}
	median := s3.Median().Seconds() * 1e3
	there.Fit.S3Median = comparison.Figure{Value: median, Low: median * l.Latency.Low / l.Latency.Value, High: median * l.Latency.High / l.Latency.Value, Unit: "ms"}
	there.Source = fmt.Sprintf("%s of %s in %s; the ratios between the strategies and what a connection takes: %s",
		prose.Count(len(cells), "cell", "cells"), of, run.Region, c.Calibration.Source)
	there.Loads = len(cells)
	c.Calibration, c.Run.Latency, c.Run.LatencyMeanMS = there, s3.String(), float64(s3.Mean().Microseconds())/1e3
	return nil
}

// calibration is one as it is on that Lambda. There is no core of this machine in
// it, nor the local S3.
func (l Lambda) calibration(here *comparison.Calibration) *comparison.Calibration {
	there := *here
	times := func(f comparison.Figure) comparison.Figure {
		if l.CPU.Fitted { // the level is known from there alone
			f.Low, f.Value, f.High = l.CPU.Low*f.Value, l.CPU.Value*f.Value, l.CPU.High*f.Value
		}
		return f
	}
	there.Reads, there.Crowd = nil, nil
	for _, r := range here.Reads {
		there.Reads = append(there.Reads, comparison.StrategyCost{Strategy: r.Strategy, CPU: times(r.CPU)})
	}
	for _, k := range here.Crowd {
		there.Crowd = append(there.Crowd, comparison.CrowdCost{InFlight: k.InFlight, CPU: times(k.CPU)})
	}
	there.Handshake = times(here.Handshake)
	there.WakeUp = comparison.Figure{Value: l.WakeUp.Value, Low: l.WakeUp.Low, High: l.WakeUp.High, Unit: "ms"}
	there.Late, there.Core, there.Seconds = comparison.Figure{Unit: "ms"}, comparison.Figure{Unit: "vCPUs"}, 0
	there.Fit = &comparison.Fit{CPU: l.CPU.Fitted, Latency: l.Latency.Fitted, WakeUp: l.WakeUp.Fitted, Add: l.Add}
	return &there
}
