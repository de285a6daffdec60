package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/serverlessrepository"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// AWS Lambda Power Tuning in the Serverless Application Repository. The
// version is pinned: tune/powertuning is checked against this one.
const (
	powerTuningID      = "arn:aws:serverlessrepo:us-east-1:451282441545:applications/aws-lambda-power-tuning"
	powerTuningVersion = "4.4.0"
	stateMachineOutput = "StateMachineARN"
)

// templateDefaults are the defaults of that version's template (template.yml).
// A parameter that equals its default is left out: the provider drops it when
// it reads the stack (flattenNonDefaultCloudFormationParameters), so that every
// later `pulumi up` would plan it again and fail on an empty change set.
var templateDefaults = map[string]string{
	"PowerValues":           "128,256,512,1024,1536,3008",
	"totalExecutionTimeout": "300",
}

// powerTuning is the application's stack in CloudFormation.
type powerTuning struct {
	stackID      pulumi.StringOutput
	stateMachine pulumi.StringOutput // its ARN
}

// newPowerTuning deploys the application. Its functions may change and invoke
// what has a name that begins with the function's: its versions and aliases,
// too. Its state machine's role may invoke every function (AWSLambdaRole).
func newPowerTuning(ctx *pulumi.Context, cfg config, fn *function) (powerTuning, error) {
	parameters := pulumi.StringMap{"lambdaResource": pulumi.Sprintf("%s*", fn.arn)}
	for name, value := range map[string]string{
		"PowerValues":           join(cfg.powerValues, ","),
		"totalExecutionTimeout": strconv.Itoa(cfg.totalExecutionTimeout),
	} {
		if value != templateDefaults[name] {
			parameters[name] = pulumi.String(value)
		}
	}
	stack, err := serverlessrepository.NewCloudFormationStack(ctx, ctx.Project()+"-power-tuning", &serverlessrepository.CloudFormationStackArgs{
		ApplicationId:   pulumi.String(powerTuningID),
		SemanticVersion: pulumi.String(powerTuningVersion),
		Capabilities:    pulumi.ToStringArray([]string{"CAPABILITY_IAM"}),
		Parameters:      parameters,
	})
	if err != nil {
		return powerTuning{}, err
	}
	return powerTuning{
		stackID:      stack.ID().ToStringOutput(),
		stateMachine: stack.Outputs.ApplyT(stateMachineARN).(pulumi.StringOutput),
	}, nil
}

func stateMachineARN(outputs map[string]string) (string, error) {
	arn := outputs[stateMachineOutput]
	if arn == "" {
		return "", fmt.Errorf("power tuning %s: its stack has no output %s, only %q: look at the stack in the CloudFormation console",
			powerTuningVersion, stateMachineOutput, strings.Join(slices.Sorted(maps.Keys(outputs)), ", "))
	}
	return arn, nil
}
