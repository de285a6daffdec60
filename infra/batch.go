package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sfn"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lambda-parallel-io/handler/event"
)

// batch is the state machine that reads more objects than one call can, with its
// role and the bucket for its results.
type batch struct {
	pulumi.ResourceState

	machine pulumi.StringOutput // its ARN
	input   pulumi.Output       // of an execution that reads all objects below the prefix
	results pulumi.StringOutput // where executions write results, as s3://BUCKET/PREFIX/
}

// newBatch deploys the state machine, which calls fn with the keys in from.
func newBatch(ctx *pulumi.Context, cfg config, from source, fn *function) (*batch, error) {
	b := &batch{}
	name := ctx.Project() + "-batch"
	if err := ctx.RegisterComponentResource("lambda-parallel-io:infra:Batch", name, b); err != nil {
		return nil, err
	}
	child := pulumi.Parent(b)

	results, protection, err := newResults(ctx, cfg, child)
	if err != nil {
		return nil, err
	}
	trust, err := assumedBy("states").document()
	if err != nil {
		return nil, err
	}
	role, err := iam.NewRole(ctx, name, &iam.RoleArgs{AssumeRolePolicy: pulumi.String(trust)}, child)
	if err != nil {
		return nil, err
	}
	permitted, err := iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{
		Role: role.ID(),
		Policy: pulumi.All(role.Name, from.arn, results.Arn, fn.arn).ApplyT(func(known []any) (string, error) {
			allowed, err := runBatches(known[0].(string), known[1].(string), from.prefix, known[2].(string), known[3].(string), cfg.inventory)
			if err != nil {
				return "", err
			}
			return allowed.document()
		}).(pulumi.StringOutput),
	}, child)
	if err != nil {
		return nil, err
	}
	machine, err := sfn.NewStateMachine(ctx, name, &sfn.StateMachineArgs{
		// Use the role's generated name. It is unique, and short whatever the name of
		// the stack. The policy needs the machine's name before the machine exists.
		Name:    role.Name,
		RoleArn: role.Arn,
		Type:    pulumi.String("STANDARD"), // the only type with a Distributed Map
		Definition: pulumi.All(from.bucket, results.ID().ToStringOutput(), fn.arn).ApplyT(func(known []any) (string, error) {
			return definition(known[0].(string), known[1].(string), cfg.inventory.bucket, known[2].(string), cfg.batch).text()
		}).(pulumi.StringOutput),
	}, child, pulumi.DependsOn(append(protection, permitted))) // an execution fails until its permissions exist
	if err != nil {
		return nil, err
	}

	input, err := plain(cfg.batch)
	if err != nil {
		return nil, err
	}
	b.machine, b.input = machine.Arn, pulumi.ToOutput(input)
	b.results = pulumi.Sprintf("s3://%s/%s/", results.ID(), resultsPrefix)
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{"stateMachineArn": b.machine, "resultsPrefix": b.results})
}

// newResults creates the bucket for the results of executions. It is never the bucket
// whose objects the executions read, because a listing would include the results.
func newResults(ctx *pulumi.Context, cfg config, child pulumi.ResourceOption) (*s3.BucketV2, []pulumi.Resource, error) {
	name := ctx.Project() + "-results"
	bucket, protection, err := newPrivateBucket(ctx, name, child)
	if err != nil {
		return nil, nil, err
	}
	expiring, err := s3.NewBucketLifecycleConfigurationV2(ctx, name, &s3.BucketLifecycleConfigurationV2Args{
		Bucket: bucket.ID(),
		Rules: s3.BucketLifecycleConfigurationV2RuleArray{s3.BucketLifecycleConfigurationV2RuleArgs{
			Id:         pulumi.String("expire"),
			Status:     pulumi.String("Enabled"),
			Filter:     s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("")},
			Expiration: s3.BucketLifecycleConfigurationV2RuleExpirationArgs{Days: pulumi.Int(cfg.batchResultDays)},
			AbortIncompleteMultipartUpload: s3.BucketLifecycleConfigurationV2RuleAbortIncompleteMultipartUploadArgs{
				DaysAfterInitiation: pulumi.Int(1),
			},
		}},
	}, child)
	return bucket, append(protection, expiring), err
}

// runBatches returns the permissions of the state machine. It may list the keys
// that begin with prefix, call the function, start and stop its own child
// executions, redrive its maps, write and read its results, and read the
// inventories, if any. It needs the redrive permission because Step Functions
// redrives a map with the machine's role, whoever redrives the execution. Source:
// AWS Step Functions Developer Guide, "IAM policies for using Distributed Map
// states".
func runBatches(machineName, bucketARN, prefix, resultsARN, functionARN string, from inventory) (policy, error) {
	of, err := arn.Parse(functionARN)
	if err != nil {
		return nil, fmt.Errorf("taking region and account from the function's ARN %q: %w", functionARN, err)
	}
	of.Service = "states"
	named := func(kind, name string) []string {
		of.Resource = kind + ":" + name
		return []string{of.String()}
	}
	p := policy{
		listBelow(bucketARN, prefix),
		{Sid: "Call", Effect: "Allow", Action: []string{"lambda:InvokeFunction"}, Resource: []string{functionARN}},
		{Sid: "Start", Effect: "Allow", Action: []string{"states:StartExecution"}, Resource: named("stateMachine", machineName)},
		{Sid: "Children", Effect: "Allow", Action: []string{"states:DescribeExecution", "states:StopExecution"}, Resource: named("execution", machineName+":*")},
		{Sid: "Redrive", Effect: "Allow", Action: []string{"states:RedriveExecution"}, Resource: named("execution", machineName+"/*:*")}, // MACHINE/LABEL:RUN
		{Sid: "Results", Effect: "Allow", Action: []string{"s3:PutObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"},
			Resource: []string{resultsARN + "/*"}},
	}
	if from.bucket != "" {
		p = append(p, statement{Sid: "Inventory", Effect: "Allow", Action: []string{"s3:GetObject"},
			Resource: []string{"arn:aws:s3:::" + from.bucket + "/" + below(from.prefix)}})
	}
	return p, nil
}

// literal returns an input as a JSONata literal, which has JSON's syntax. It escapes
// %, because %} ends an expression in a definition.
func literal(e event.Execution) expression {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and numbers cannot fail
	}
	return expression(strings.ReplaceAll(string(b), "%", `\u0025`))
}
