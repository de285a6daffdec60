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

// newPowerTuning deploys the application, which may touch this function alone,
// and returns the ARN of its state machine.
func newPowerTuning(ctx *pulumi.Context, cfg config, fn *function) (pulumi.StringOutput, error) {
	stack, err := serverlessrepository.NewCloudFormationStack(ctx, ctx.Project()+"-power-tuning", &serverlessrepository.CloudFormationStackArgs{
		ApplicationId:   pulumi.String(powerTuningID),
		SemanticVersion: pulumi.String(powerTuningVersion),
		Capabilities:    pulumi.ToStringArray([]string{"CAPABILITY_IAM"}),
		Parameters: pulumi.StringMap{
			"lambdaResource":        pulumi.Sprintf("%s*", fn.arn), // its versions and aliases too
			"PowerValues":           pulumi.String(join(cfg.powerValues, ",")),
			"totalExecutionTimeout": pulumi.String(strconv.Itoa(cfg.totalExecutionTimeout)),
		},
	})
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return stack.Outputs.ApplyT(stateMachineARN).(pulumi.StringOutput), nil
}

func stateMachineARN(outputs map[string]string) (string, error) {
	arn := outputs[stateMachineOutput]
	if arn == "" {
		return "", fmt.Errorf("power tuning %s: its stack has no output %s, only %q: look at the stack in the CloudFormation console",
			powerTuningVersion, stateMachineOutput, strings.Join(slices.Sorted(maps.Keys(outputs)), ", "))
	}
	return arn, nil
}
