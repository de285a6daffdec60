package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/serverlessrepository"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// AWS Lambda Power Tuning in the Serverless Application Repository. The version is
// pinned, because tune/powertuning is checked against it.
const (
	powerTuningID      = "arn:aws:serverlessrepo:us-east-1:451282441545:applications/aws-lambda-power-tuning"
	powerTuningVersion = "4.4.0"
	stateMachineOutput = "StateMachineARN"
)

// templateDefaults holds the defaults of that version's template (template.yml). A
// parameter that equals its default must be omitted. The provider drops it when it
// reads the stack (flattenNonDefaultCloudFormationParameters), so every later
// `pulumi up` would plan it again and fail because of an empty change set.
var templateDefaults = map[string]string{
	"PowerValues":           "128,256,512,1024,1536,3008",
	"totalExecutionTimeout": "300",
}

// repositoryRegions lists the regions with the Serverless Application Repository.
// AWS adds regions. Source: AWS General Reference, "AWS Serverless Application
// Repository endpoints and quotas".
var repositoryRegions = []string{
	"us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1", "eu-central-1", "eu-north-1", "eu-west-1",
	"eu-west-2", "eu-west-3", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "me-south-1",
}

// warnAboutRegion warns, before anything is deployed, that the region may lack
// Power Tuning, which is deployed last. It gives no warning if neither the
// configuration nor the environment names a region, because only the provider
// knows it then.
func warnAboutRegion(ctx *pulumi.Context) error {
	configured, _ := ctx.GetConfig("aws:region")
	region := cmp.Or(configured, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	if region == "" || slices.Contains(repositoryRegions, region) {
		return nil
	}
	return ctx.Log.Warn(fmt.Sprintf("region %s is not known to have the Serverless Application Repository, from which Power Tuning comes: "+
		"without it the deployment fails at its end; docs/deploy.md lists the regions, and `pulumi config set aws:region us-east-1` chooses one", region), nil)
}

// powerTuning is the application's stack in CloudFormation.
type powerTuning struct {
	stackID      pulumi.StringOutput
	stateMachine pulumi.StringOutput // its ARN
}

// newPowerTuning deploys the application. Its functions may change and invoke
// every function whose ARN begins with that of fn, including versions and aliases.
// The role of its state machine may invoke every function (AWSLambdaRole).
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

// stateMachineARN returns the ARN of Power Tuning's state machine from the outputs
// of its stack.
func stateMachineARN(outputs map[string]string) (string, error) {
	arn := outputs[stateMachineOutput]
	if arn == "" {
		return "", fmt.Errorf("the stack of Power Tuning %s has no output %s, only %q: look at the stack in the CloudFormation console",
			powerTuningVersion, stateMachineOutput, strings.Join(slices.Sorted(maps.Keys(outputs)), ", "))
	}
	return arn, nil
}
