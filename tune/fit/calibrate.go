package fit

import (
	"fmt"
	"strings"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/profile"
)

// Comparison fits c's calibration, measured on this machine, to a comparison on AWS, which of names. c takes over that
// comparison's question, with its cells as checks.
//
// It leaves out cells that failed, and those during which their execution asked for more than S3 grants: whether S3
// refused some of their reads is not known.
func Comparison(c, aws *comparison.Comparison, of string) error {
	run := aws.Run
	if run.Objects == nil && !run.ParallelInvocation && (run.TuningInput == nil || !run.TuningInput.OnlyColdStarts) {
		for _, v := range aws.Variants {
			for _, cell := range v.Cells {
				asked := 0.0 // reads a second; all sizes of an execution begin at once
				for _, other := range v.Cells {
					asked += 1e3 * float64(run.Repeat) / max(cell.AverageMS, other.AverageMS)
				}
				if _, err := strategies.ByName(v.Strategy); err == nil && cell.AverageMS > 0 && asked <= platform.GetsPerSecond {
					c.Checks = append(c.Checks, comparison.Check{Place: v.Place(cell.Power), Repeat: run.Repeat, MeasuredMS: cell.AverageMS, Why: "fit"})
				}
			}
		}
	}
	if c.Checks == nil {
		return fmt.Errorf("%s: no cell can be fitted to: it takes one that succeeded, of warm invocations one after the other, each of a known number of reads of one object by a strategy, and no more a second than S3 grants", of)
	}
	c.Variants, c.Run.Region, c.Run.Function, c.Run.TimeoutSec = aws.Variants, run.Region, run.Function, run.TimeoutSec
	c.Run.PowerValues, c.Run.Repeat, c.Run.ObjectKey = run.PowerValues, run.Repeat, run.ObjectKey
	return calibrate(c, run.Num, run.DiscardTopBottom, of)
}

// Check turns a measured check on AWS into the map for that Lambda, which is computed on this machine.
func Check(c *comparison.Comparison) error {
	if err := calibrate(c, c.Run.Num, c.Run.DiscardTopBottom, "a check"); err != nil {
		return err
	}
	c.Mode, c.Run.StateMachine = comparison.Local, ""
	return compute.Map(c, compute.Sizes)
}

// calibrate fits c's calibration and S3 to its checks, averages of num invocations, and computes these with them.
func calibrate(c *comparison.Comparison, num int, discard float64, of string) error {
	s3, err := profile.Parse(c.Run.Latency)
	if err != nil {
		return err
	}
	var cells []Cell
	for _, k := range c.Checks {
		if !(k.MeasuredMS > 0) {
			return fmt.Errorf("%s was not measured: make the check again", k.Name())
		}
		cells = append(cells, Cell{compute.OnLambda(c, k.Place, s3, k.Repeat, compute.Middle), num, discard, k.MeasuredMS})
	}
	l, from := To(cells), fmt.Sprintf("%s of %s in %s", prose.Count(len(cells), "cell", "cells"), of, c.Run.Region)
	if !l.CPU.Fitted && !l.Latency.Fitted {
		return fmt.Errorf("%s: they tell neither the CPU time of a read nor S3's latency\nadd %s", from, strings.Join(l.Add, ",\nand "))
	}
	for i := range c.Checks {
		k := &c.Checks[i]
		k.AssumedMS, k.ComputedMS, k.Execution = l.AssumedMS[i], l.ComputedMS[i], ""
		k.LowMS, k.HighMS = k.ComputedMS, k.ComputedMS
	}
	if l.Latency.Fitted {
		s3 = s3.Scaled(l.Latency.Value)
	}
	c.Run.Latency, c.Run.LatencyMeanMS = s3.String(), float64(s3.Mean().Microseconds())/1e3

	// The calibration becomes that of this Lambda, without this machine's core and local S3.
	k := c.Calibration
	scale := func(f *comparison.Figure) {
		if l.CPU.Fitted { // else its interval stays
			*f = l.CPU.figure(f.Value, f.Unit)
		}
	}
	scale(&k.Handshake)
	for i := range k.Reads {
		scale(&k.Reads[i].CPU)
	}
	for i := range k.Crowd {
		scale(&k.Crowd[i].CPU)
	}
	k.WakeUp, k.Late, k.Core = l.WakeUp.figure(1, "ms"), comparison.Figure{Unit: "ms"}, comparison.Figure{Unit: "vCPUs"}
	k.Loads, k.Seconds = len(cells), 0
	k.Source = from + "; how the strategies differ, and what a connection takes: " + k.Source
	median := s3.Median.Seconds() * 1e3 / l.Latency.Value
	k.Fit = &comparison.Fit{CPU: l.CPU.Fitted, Latency: l.Latency.Fitted, WakeUp: l.WakeUp.Fitted, S3Median: l.Latency.figure(median, "ms"), Add: l.Add}
	return nil
}

func (n Number) figure(of float64, unit string) comparison.Figure {
	return comparison.Figure{Value: of * n.Value, Low: of * n.Low, High: of * n.High, Unit: unit}
}
