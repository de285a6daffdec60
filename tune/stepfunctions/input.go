package stepfunctions

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// input is what the state machine is given for a variant: the input that was
// given, if one was, and over it what the comparison says.
func input(run comparison.Run, v comparison.Result) (string, error) {
	var in powertuning.Input
	if run.TuningInput != nil {
		in = *run.TuningInput
	}
	in.LambdaARN = run.Function
	in.PowerValues, in.Num, in.Payload = run.PowerValues, run.Num, v.Payload
	in.Strategy, in.BalancedWeight, in.DiscardTopBottom = run.TuningStrategy, &run.BalancedWeight, &run.DiscardTopBottom
	in.SleepBetweenMS, in.ParallelInvocation = run.SleepBetweenRunsMS, run.ParallelInvocation
	in.IncludeOutputResults = true
	b, err := json.Marshal(in)
	if err != nil {
		return "", fmt.Errorf("the execution's input: %w", err)
	}
	return string(b), nil
}

// checkInput refuses an input that would make a comparison something else.
func checkInput(in powertuning.Input) error {
	for _, f := range []struct {
		set       bool
		name, why string
	}{
		{in.AutoOptimize, "autoOptimize", "it changes the function's memory size after each variant"},
		{in.AutoOptimizeAlias != "", "autoOptimizeAlias", "it changes the function after each variant"},
		{in.DryRun, "dryRun", "it measures nothing (-dry-run shows the plan alone)"},
		{in.PayloadS3 != "", "payloadS3", "every variant would be sent the same payload"},
	} {
		if f.set {
			return fmt.Errorf("%s in the input has no place in a comparison: %s\nremove it", f.name, f.why)
		}
	}
	return nil
}

// executionName names the execution of a variant, readably, and the same
// again for the same variant of the same comparison. So an execution whose
// start was cut off before its ARN was saved is found by its name, and
// StartExecution, idempotent for the same name and input, never starts it
// twice. The input is part of the name, since another input would be refused
// under it.
func executionName(run comparison.Run, v comparison.Result, input string) string {
	label := v.Strategy
	if v.Concurrency != nil {
		label += "-" + strconv.Itoa(*v.Concurrency)
	}
	label = notInNames.ReplaceAllString(label, "-")
	at := run.Time.UTC()
	sum := sha256.Sum256([]byte(run.StateMachine + at.Format(time.RFC3339Nano) + label + input))
	return fmt.Sprintf("%.46s-%s-%x", label, at.Format("20060102T150405Z"), sum[:8])
}

// notInNames is all but the characters that an execution's name may have
// where its log goes to CloudWatch. A name has at most 80 of them.
var notInNames = regexp.MustCompile(`[^0-9A-Za-z_-]`)
