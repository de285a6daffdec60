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

// What one execution does: ten invocations a power value, of 2,000 reads each.
// Of the strategies, sequential takes longest: some 40 s an invocation, of the
// 60 s that totalExecutionTimeout leaves by default.
const (
	tuningNum    = 10
	tuningRepeat = 2_000
)

// outputs is what `pulumi stack output` shows.
func outputs(cfg config, bucket *sampleBucket, fn *function, stateMachine pulumi.StringOutput) pulumi.Map {
	return pulumi.Map{
		"bucketName":      bucket.name,
		"objectKey":       bucket.key,
		"functionName":    fn.name,
		"functionArn":     fn.arn,
		"stateMachineArn": stateMachine,
		"region":          fn.arn.ApplyT(region).(pulumi.StringOutput),
		"tuningInputs": pulumi.All(fn.arn, bucket.key).ApplyT(func(known []any) (any, error) {
			return tuningInputs(known[0].(string), known[1].(string), cfg.powerValues)
		}),
	}
}

// region is where the function is, whichever of flag, profile, environment and
// configuration said so.
func region(functionARN string) (string, error) {
	parsed, err := arn.Parse(functionARN)
	if err != nil {
		return "", fmt.Errorf("taking the region from the function's ARN %q: %w", functionARN, err)
	}
	return parsed.Region, nil
}

// tuningInputs holds, under the name of each strategy, what an execution that
// measures it takes. The payloads name no concurrency: the function's own
// MAX_WORKERS holds.
func tuningInputs(functionARN, objectKey string, powerValues []int) (any, error) {
	inputs := map[string]powertuning.Input{}
	for _, name := range strategies.Names() {
		payload, err := json.Marshal(event.Payload{Strategy: name, Repeat: tuningRepeat, ObjectKey: objectKey})
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

// plain turns v, by way of its JSON, into the maps and lists that Pulumi takes.
func plain(v any) (out any, err error) {
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	return out, err
}
