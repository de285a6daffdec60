package main

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/powertuning"
)

// One execution makes ten invocations per power value, of at most 2,000 reads each.
// The slowest strategy, sequential, takes about 40 s an invocation. By default
// totalExecutionTimeout leaves 60 s for each.
const (
	tuningNum   = 10
	tuningReads = 2_000
)

// outputs returns the outputs that `pulumi stack output` shows, with timeouts in
// seconds and sizes in MB. It has objectKey for the sample bucket, or prefix for a
// bucket named in the configuration.
func outputs(cfg config, from source, fn *function, tuning powerTuning, many *batch) pulumi.Map {
	shown := pulumi.Map{
		"bucketName":            from.bucket,
		"functionName":          fn.name,
		"functionArn":           fn.arn,
		"architecture":          pulumi.String(cfg.architecture.name),
		"timeout":               pulumi.Int(cfg.timeout),
		"stateMachineArn":       tuning.stateMachine,
		"powerTuningStackId":    tuning.stackID,
		"totalExecutionTimeout": pulumi.Int(cfg.totalExecutionTimeout),
		"powerValues":           pulumi.ToIntArray(cfg.powerValues),
		"batchStateMachineArn":  many.machine,
		"batchInput":            many.input,
		"resultsPrefix":         many.results,
		"region":                fn.arn.ApplyT(region).(pulumi.StringOutput),
		"tuningInputs": pulumi.All(fn.arn, from.sample).ApplyT(func(known []any) (any, error) {
			return tuningInputs(known[0].(string), known[1].(string), from.prefix, cfg.powerValues)
		}),
	}
	if cfg.bucket == "" {
		shown["objectKey"] = from.sample
	} else {
		shown["prefix"] = pulumi.String(from.prefix)
	}
	return shown
}

// region returns the region of the function. It may come from a flag, a profile,
// the environment or the configuration.
func region(functionARN string) (string, error) {
	parsed, err := arn.Parse(functionARN)
	if err != nil {
		return "", fmt.Errorf("taking the region from the function's ARN %q: %w", functionARN, err)
	}
	return parsed.Region, nil
}

// tuningInputs returns, by the name of each strategy, the input of an execution
// that measures it. The payloads set no concurrency, so the function's default
// applies, which depends on the memory size if maxWorkers is 0.
func tuningInputs(functionARN, sample, prefix string, powerValues []int) (any, error) {
	inputs := map[string]powertuning.Input{}
	for _, name := range strategies.Names() {
		payload, err := json.Marshal(reads(name, sample, prefix))
		if err != nil {
			return nil, err
		}
		inputs[name] = powertuning.Input{
			LambdaARN:            functionARN,
			Num:                  tuningNum,
			PowerValues:          powerValues,
			Payload:              payload,
			Strategy:             powertuning.Balanced,
			IncludeOutputResults: true,
		}
	}
	return plain(inputs)
}

// reads returns a payload that reads the sample tuningReads times, or the objects
// below a prefix. The function refuses a prefix with more than tuningReads objects.
func reads(strategy, sample, prefix string) any {
	if sample != "" {
		return event.Payload{Strategy: strategy, Repeat: tuningReads, ObjectKey: sample}
	}
	return event.Payload{Strategy: strategy, Prefix: &prefix, MaxObjects: tuningReads}
}

// plain converts v, through its JSON, into the maps and lists that Pulumi needs.
func plain(v any) (out any, err error) {
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	return out, err
}
