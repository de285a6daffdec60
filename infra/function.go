package main

import (
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lambda"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// function is the Lambda function with its role and its log group.
type function struct {
	pulumi.ResourceState

	name pulumi.StringOutput
	arn  pulumi.StringOutput
}

// newFunction deploys the archive at path code as a function that reads from.
func newFunction(ctx *pulumi.Context, cfg config, code string, from source) (*function, error) {
	f := &function{}
	name := ctx.Project()
	if err := ctx.RegisterComponentResource("lambda-parallel-io:infra:Function", name, f); err != nil {
		return nil, err
	}
	child := pulumi.Parent(f)

	// Create the log group first: a function without one creates its own, which
	// never expires and which destroy leaves behind.
	logs, err := cloudwatch.NewLogGroup(ctx, name, &cloudwatch.LogGroupArgs{
		NamePrefix:      pulumi.Sprintf("/aws/lambda/%s-", name),
		RetentionInDays: pulumi.Int(cfg.logRetentionDays),
	}, child)
	if err != nil {
		return nil, err
	}
	trust, err := assumedBy("lambda").document()
	if err != nil {
		return nil, err
	}
	role, err := iam.NewRole(ctx, name, &iam.RoleArgs{AssumeRolePolicy: pulumi.String(trust)}, child)
	if err != nil {
		return nil, err
	}
	allowed, err := iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{
		Role: role.ID(),
		Policy: pulumi.All(from.arn, logs.Arn).ApplyT(func(arns []any) (string, error) {
			return readAndLog(arns[0].(string), from.prefix, arns[1].(string)).document()
		}).(pulumi.StringOutput),
	}, child)
	if err != nil {
		return nil, err
	}

	environment := pulumi.StringMap{"BUCKET": from.bucket}
	if cfg.maxWorkers > 0 { // otherwise the function chooses, by the memory size that Power Tuning sets
		environment["MAX_WORKERS"] = pulumi.String(strconv.Itoa(cfg.maxWorkers))
	}
	fn, err := lambda.NewFunction(ctx, name, &lambda.FunctionArgs{
		Role:          role.Arn,
		Runtime:       lambda.RuntimeCustomAL2023,
		Handler:       pulumi.String(executable),
		Code:          pulumi.NewFileArchive(code),
		Architectures: pulumi.ToStringArray([]string{cfg.architecture.name}),
		MemorySize:    pulumi.Int(cfg.memorySize),
		Timeout:       pulumi.Int(cfg.timeout),
		Environment:   lambda.FunctionEnvironmentArgs{Variables: environment},
		// Power Tuning reads the REPORT line as text, and fails on JSON.
		LoggingConfig: lambda.FunctionLoggingConfigArgs{
			LogFormat: pulumi.String("Text"),
			LogGroup:  logs.ID(), // also waits for the log group
		},
	}, child, pulumi.DependsOn([]pulumi.Resource{allowed}))
	if err != nil {
		return nil, err
	}

	f.name, f.arn = fn.ID().ToStringOutput(), fn.Arn
	return f, ctx.RegisterResourceOutputs(f, pulumi.Map{"functionName": f.name, "functionArn": f.arn})
}
