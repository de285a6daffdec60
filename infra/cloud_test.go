package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/esc"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	resconfig "github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	project = "lambda-parallel-io"
	stack   = "dev"

	bucketType    = "aws:s3/bucketV2:BucketV2"
	accessType    = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
	encryptType   = "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2"
	tlsType       = "aws:s3/bucketPolicy:BucketPolicy"
	objectType    = "aws:s3/bucketObjectv2:BucketObjectv2"
	logGroupType  = "aws:cloudwatch/logGroup:LogGroup"
	roleType      = "aws:iam/role:Role"
	permitType    = "aws:iam/rolePolicy:RolePolicy"
	functionType  = "aws:lambda/function:Function"
	tuningType    = "aws:serverlessrepository/cloudFormationStack:CloudFormationStack"
	budgetType    = "aws:budgets/budget:Budget"
	expireType    = "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2"
	machineType   = "aws:sfn/stateMachine:StateMachine"
	bucketParts   = "lambda-parallel-io:infra:SampleBucket"
	functionParts = "lambda-parallel-io:infra:Function"
	batchParts    = "lambda-parallel-io:infra:Batch"

	stateMachine = "arn:aws:states:eu-west-1:123456789012:stateMachine:powerTuning"
)

// registered is a resource that the program registered.
type registered struct {
	urn, kind, name string
	id              string
	inputs, state   resource.PropertyMap
	parent          string   // the type of the parent, empty for the stack
	after           []string // the types of the resources that must exist before
}

// cloud answers registrations as AWS would, and records them.
type cloud struct {
	noStateMachine bool

	mu        sync.Mutex
	resources []registered
}

// create records a resource and returns the id and state that AWS would give it.
func (c *cloud) create(kind, name, parentURN string, dependencies []string, inputs resource.PropertyMap) (registered, resource.PropertyMap) {
	r := registered{kind: kind, name: name, id: name + "-1a2b3c4", inputs: inputs, parent: typeOf(parentURN)}
	for _, d := range dependencies {
		r.after = append(r.after, typeOf(d))
	}
	r.urn = string(resource.NewURN(stack, project, tokens.Type(r.parent), tokens.Type(kind), name))
	state := inputs.Copy()
	switch kind {
	case bucketType:
		state["arn"] = resource.NewStringProperty("arn:aws:s3:::" + r.id)
	case logGroupType:
		r.id = inputs["namePrefix"].StringValue() + "20260101"
		state["arn"] = resource.NewStringProperty("arn:aws:logs:eu-west-1:123456789012:log-group:" + r.id)
	case roleType:
		state["name"] = resource.NewStringProperty(r.id)
		state["arn"] = resource.NewStringProperty("arn:aws:iam::123456789012:role/" + r.id)
	case functionType:
		state["arn"] = resource.NewStringProperty("arn:aws:lambda:eu-west-1:123456789012:function:" + r.id)
	case machineType:
		r.id = "arn:aws:states:eu-west-1:123456789012:stateMachine:" + inputs["name"].StringValue()
		state["arn"] = resource.NewStringProperty(r.id)
	case tuningType:
		state["parameters"] = withoutDefaults(inputs["parameters"])
		outputs := resource.PropertyMap{"Something": resource.NewStringProperty("else")}
		if !c.noStateMachine {
			outputs[stateMachineOutput] = resource.NewStringProperty(stateMachine)
		}
		state["outputs"] = resource.NewObjectProperty(outputs)
	}
	r.state = state
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resources = append(c.resources, r)
	return r, state
}

// withoutDefaults returns the parameters of an application that the provider reads
// back: those that differ from the defaults in the template of version 4.4.0.
func withoutDefaults(parameters resource.PropertyValue) resource.PropertyValue {
	read := parameters.ObjectValue().Copy()
	for name, value := range map[resource.PropertyKey]string{
		"PowerValues": "128,256,512,1024,1536,3008", "totalExecutionTimeout": "300", "lambdaResource": "*", "logGroupRetentionInDays": "7",
	} {
		if v, ok := read[name]; ok && v.IsString() && v.StringValue() == value {
			delete(read, name)
		}
	}
	return resource.NewObjectProperty(read)
}

// planned lists the properties that an up with the registrations of next would
// change, each as "type: property". Like the provider, it compares the registrations
// with the state that was read.
func (c *cloud) planned(t *testing.T, next *cloud) (changes []string) {
	t.Helper()
	if len(c.resources) != len(next.resources) {
		t.Errorf("%d resources after %d", len(next.resources), len(c.resources))
	}
	for _, r := range c.resources {
		i := slices.IndexFunc(next.resources, func(n registered) bool { return n.urn == r.urn })
		if i < 0 {
			t.Fatalf("%s is not registered again", r.urn)
		}
		for key, value := range next.resources[i].inputs {
			if read, ok := r.state[key]; !ok || !read.DeepEquals(value) {
				changes = append(changes, r.kind+": "+string(key))
			}
		}
	}
	return changes
}

func typeOf(urn string) string {
	if urn == "" || resource.URN(urn).QualifiedType() == resource.RootStackType {
		return ""
	}
	return string(resource.URN(urn).Type())
}

// NewResource and Call make cloud a pulumi.MockResourceMonitor.
func (c *cloud) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	rpc := args.RegisterRPC
	r, state := c.create(args.TypeToken, args.Name, rpc.GetParent(), rpc.GetDependencies(), args.Inputs)
	return r.id, state, nil
}

func (c *cloud) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	panic("the program asked the provider for " + args.Token + ": it should need nothing but what it registers")
}

// one returns the only resource of a type, not counting those of the state machine.
func (c *cloud) one(t *testing.T, kind string) registered {
	t.Helper()
	return c.only(t, kind, false)
}

// ofBatch returns the state machine's only resource of a type.
func (c *cloud) ofBatch(t *testing.T, kind string) registered {
	t.Helper()
	return c.only(t, kind, true)
}

func (c *cloud) only(t *testing.T, kind string, ofBatch bool) registered {
	t.Helper()
	all := slices.DeleteFunc(c.all(kind), func(r registered) bool { return (r.parent == batchParts) != ofBatch })
	if len(all) != 1 {
		t.Fatalf("%d resources of type %s (of the state machine: %v), want 1", len(all), kind, ofBatch)
	}
	return all[0]
}

func (c *cloud) all(kind string) []registered {
	return slices.DeleteFunc(slices.Clone(c.resources), func(r registered) bool { return r.kind != kind })
}

// deployment runs the whole program under mocks and returns the resources that it
// registered and its outputs. The configuration is that of the files at the root,
// except for the keys in set.
func deployment(t *testing.T, c *cloud, set map[string]string) (map[string]any, error) {
	t.Helper()
	return deploymentWith(t, c, configured(t, set))
}

func deploymentWith(t *testing.T, c *cloud, settings map[string]string) (outs map[string]any, err error) {
	t.Helper()
	root := repository(t)
	built := func(_ context.Context, _ string, a architecture) (string, error) {
		archive := filepath.Join(t.TempDir(), a.name+".zip") // two of no content are equal, two that do not exist are not
		return archive, os.WriteFile(archive, nil, 0o600)
	}
	err = pulumi.RunErr(func(ctx *pulumi.Context) error {
		m, err := deploy(ctx, built)
		if err != nil {
			return err
		}
		ctx.Export("all", m.ToMapOutput().ApplyT(func(known map[string]any) any { outs = known; return nil }))
		return nil
	}, pulumi.WithMocks(project, stack, c), func(info *pulumi.RunInfo) {
		info.Config, info.RootDirectory = settings, root
	})
	return outs, err
}

func mustDeploy(t *testing.T, set map[string]string) (*cloud, map[string]any) {
	t.Helper()
	c := &cloud{}
	outs, err := deployment(t, c, set)
	if err != nil {
		t.Fatalf("deploying with %v: %v", set, err)
	}
	return c, outs
}

func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func loadProject(t *testing.T) (*workspace.Project, *workspace.ProjectStack) {
	t.Helper()
	root := repository(t)
	proj, err := workspace.LoadProject(filepath.Join(root, "Pulumi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	sink := diag.DefaultSink(&said, &said, diag.FormatOptions{Color: colors.Never})
	ps, err := workspace.LoadProjectStack(sink, proj, filepath.Join(root, "Pulumi.dev.yaml"))
	if err != nil || said.Len() > 0 {
		t.Fatalf("reading Pulumi.dev.yaml: %v\n%s", err, said.String())
	}
	return proj, ps
}

// configured returns stackConfig with the values of set in place of its own.
func configured(t *testing.T, set map[string]string) map[string]string {
	t.Helper()
	settings := stackConfig(t)
	for key, value := range set {
		if !strings.Contains(key, ":") {
			key = project + ":" + key
		}
		settings[key] = value
	}
	return settings
}

// stackConfig returns the configuration that the engine's own code makes from
// Pulumi.yaml and Pulumi.dev.yaml.
func stackConfig(t *testing.T) map[string]string {
	t.Helper()
	proj, ps := loadProject(t)
	err := workspace.ValidateStackConfigAndApplyProjectConfig(t.Context(), stack, proj, esc.Value{}, ps.Config, resconfig.NopEncrypter, resconfig.NopDecrypter)
	if err != nil {
		t.Fatalf("Pulumi.yaml with Pulumi.dev.yaml: %v", err)
	}
	plain, err := ps.Config.Decrypt(resconfig.NopDecrypter)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for key, value := range plain {
		settings[key.String()] = value
	}
	return settings
}
