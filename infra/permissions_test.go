package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// need holds the actions that creating, reading, changing and deleting a resource
// require, and a name that the resource could have on AWS.
type need struct{ on, actions string }

// needs holds, by type, the actions that the provider of pulumi-aws 6.83.2 calls
// (terraform-provider-aws 5.100), including default tags. For Power Tuning it holds
// the actions that CloudFormation calls in the caller's name for the resources of
// its template (the handlers of their schemas).
var needs = map[string][]need{
	bucketType: {
		{"arn:aws:s3:::lambda-parallel-io-sample-1a2b3c4", `s3:CreateBucket s3:DeleteBucket s3:ListBucket s3:GetBucketLocation
			s3:GetAccelerateConfiguration s3:GetBucketAcl s3:GetBucketCORS s3:GetBucketLogging s3:GetBucketObjectLockConfiguration
			s3:GetBucketPolicy s3:GetBucketRequestPayment s3:GetBucketVersioning s3:GetBucketWebsite s3:GetEncryptionConfiguration
			s3:GetLifecycleConfiguration s3:GetReplicationConfiguration s3:GetBucketTagging s3:PutBucketTagging s3:ListBucketVersions`},
		{"arn:aws:s3:::lambda-parallel-io-sample-1a2b3c4/sample.json", "s3:DeleteObject s3:DeleteObjectVersion"}, // forceDestroy
	},
	accessType:  {{"arn:aws:s3:::lambda-parallel-io-sample-1a2b3c4", "s3:GetBucketPublicAccessBlock s3:PutBucketPublicAccessBlock"}},
	encryptType: {{"arn:aws:s3:::lambda-parallel-io-sample-1a2b3c4", "s3:GetEncryptionConfiguration s3:PutEncryptionConfiguration"}},
	tlsType:     {{"arn:aws:s3:::lambda-parallel-io-sample-1a2b3c4", "s3:GetBucketPolicy s3:PutBucketPolicy s3:DeleteBucketPolicy"}},
	expireType:  {{"arn:aws:s3:::lambda-parallel-io-results-1a2b3c4", "s3:GetLifecycleConfiguration s3:PutLifecycleConfiguration"}},
	machineType: {
		{"arn:aws:states:eu-west-1:123456789012:stateMachine:lambda-parallel-io-batch-1a2b3c4", machineActions + " states:ListStateMachineVersions"},
		{"*", "states:ValidateStateMachineDefinition"},
	},
	objectType: {{"arn:aws:s3:::lambda-parallel-io-sample-1a2b3c4/sample.json", "s3:PutObject s3:GetObject s3:DeleteObject s3:PutObjectTagging s3:GetObjectTagging"}},
	logGroupType: {
		{"arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/lambda-parallel-io-20260101", groupActions},
		{"*", "logs:DescribeLogGroups"},
	},
	roleType: {
		{"arn:aws:iam::123456789012:role/lambda-parallel-io-1a2b3c4", roleActions + " iam:ListInstanceProfilesForRole iam:PassRole"},
	},
	permitType:   {{"arn:aws:iam::123456789012:role/lambda-parallel-io-1a2b3c4", "iam:PutRolePolicy iam:GetRolePolicy iam:DeleteRolePolicy"}},
	functionType: {{"arn:aws:lambda:eu-west-1:123456789012:function:lambda-parallel-io-1a2b3c4", functionActions + " lambda:ListVersionsByFunction"}},
	tuningType: {
		{"arn:aws:serverlessrepo:us-east-1:451282441545:applications/aws-lambda-power-tuning", "serverlessrepo:CreateCloudFormationChangeSet serverlessrepo:GetApplication"},
		{"arn:aws:cloudformation:eu-west-1:aws:transform/Serverless-2016-10-31", "cloudformation:CreateChangeSet"},
		{"arn:aws:cloudformation:eu-west-1:123456789012:stack/serverlessrepo-lambda-parallel-io-power-tuning-1a2b3c4/5c3e", `cloudformation:CreateChangeSet
			cloudformation:DescribeChangeSet cloudformation:ExecuteChangeSet cloudformation:DescribeStacks cloudformation:DescribeStackEvents
			cloudformation:DeleteStack cloudformation:TagResource cloudformation:DescribeStackResource cloudformation:DescribeStackResources`},
		{"arn:aws:s3:::awsserverlessrepo-changesets-1a2b3c4d5e6/key", "s3:GetObject"},
		// CloudFormation shortens a stack's name so that a generated name has at most 64 characters.
		{"arn:aws:lambda:eu-west-1:123456789012:function:serverlessrepo-lambda-parallel-io-power-t-initializer-1a2b3c4d5e6f",
			functionActions + " lambda:GetFunctionRecursionConfig lambda:GetRuntimeManagementConfig"},
		{"arn:aws:lambda:eu-west-1:123456789012:layer:AWS-SDK-v3", "lambda:PublishLayerVersion"},
		{"arn:aws:lambda:eu-west-1:123456789012:layer:AWS-SDK-v3:1", "lambda:GetLayerVersion lambda:DeleteLayerVersion"}, // deleted manually
		{"arn:aws:iam::123456789012:role/serverlessrepo-lambda-parallel-io-statemachineRole-1a2b3c4d5e6f", roleActions +
			" iam:PutRolePolicy iam:GetRolePolicy iam:DeleteRolePolicy iam:AttachRolePolicy iam:DetachRolePolicy iam:PassRole"},
		{"arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/serverlessrepo-lambda-parallel-io-power-t-initializer-1a2b3c4d5e6f", groupActions},
		{"*", "logs:DescribeLogGroups"},
		{"arn:aws:states:eu-west-1:123456789012:stateMachine:powerTuningStateMachine-5c3e", machineActions},
	},
	budgetType: {{"arn:aws:budgets::123456789012:budget/lambda-parallel-io-1a2b3c4", `budgets:ViewBudget budgets:ModifyBudget
		budgets:TagResource budgets:UntagResource budgets:ListTagsForResource`}},
	bucketParts: nil, functionParts: nil, batchParts: nil, // components exist only in Pulumi
}

const (
	groupActions = `logs:CreateLogGroup logs:DeleteLogGroup logs:PutRetentionPolicy logs:TagResource logs:UntagResource logs:ListTagsForResource`
	roleActions  = `iam:CreateRole iam:GetRole iam:DeleteRole iam:TagRole iam:UntagRole iam:ListRolePolicies iam:ListAttachedRolePolicies`

	machineActions = `states:CreateStateMachine states:DescribeStateMachine states:UpdateStateMachine states:DeleteStateMachine
		states:TagResource states:UntagResource states:ListTagsForResource`

	functionActions = `lambda:CreateFunction lambda:GetFunction lambda:GetFunctionConfiguration lambda:GetFunctionCodeSigningConfig
		lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration lambda:DeleteFunction lambda:TagResource lambda:UntagResource`
)

func TestTheDeployersPolicyAllowsWhatTheResourcesNeedAndNoActionMore(t *testing.T) {
	p := permissions(t, "pulumi-up.json")
	c, _ := mustDeploy(t, map[string]string{"monthlyBudget": "5", "budgetEmail": "me@example.com"})
	types := map[string]bool{}
	for _, r := range c.resources {
		types[r.kind] = true
		// The bucket and role of the results need the same as the others, under their own names.
		own := strings.NewReplacer("-results-", "-sample-", "-batch-1a2b3c4", "-1a2b3c4").Replace(r.id)
		if named := func(n need) bool { return strings.Contains(n.on, own) || strings.Contains(n.on, r.id) }; needs[r.kind] != nil && !slices.ContainsFunc(needs[r.kind], named) {
			t.Errorf("%s is called %s: its permissions are known for %v", r.kind, r.id, needs[r.kind])
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(types)), slices.Sorted(maps.Keys(needs))); diff != "" {
		t.Fatalf("the registered types (-) and the types with known permissions (+):\n%s", diff)
	}
	needed := map[string]bool{}
	for kind, list := range needs {
		for _, n := range list {
			for _, action := range strings.Fields(n.actions) {
				needed[action] = true
				for _, on := range []string{n.on, strings.Replace(n.on, "-sample-", "-results-", 1), strings.Replace(n.on, ":role/lambda-parallel-io-", ":role/lambda-parallel-io-batch-", 1)} {
					if !p.allows(action, on) {
						t.Errorf("%s needs %s on %s, which the policy does not allow", kind, action, on)
					}
				}
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(needed)), p.actions()); diff != "" {
		t.Errorf("the policy's actions (-needed +allowed):\n%s", diff)
	}
}

// The deployer cannot reach anything else in the account.
func TestNoPolicyReachesWhatIsNotTheDeployments(t *testing.T) {
	for _, file := range []string{"pulumi-up.json", "tune-aws.json"} {
		p := permissions(t, file)
		for _, other := range []string{
			"arn:aws:s3:::my-documents", "arn:aws:s3:::my-documents/key", "arn:aws:iam::123456789012:role/Admin",
			"arn:aws:lambda:eu-west-1:123456789012:function:mine", "arn:aws:lambda:eu-west-1:123456789012:layer:mine:1",
			"arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/mine", "arn:aws:states:eu-west-1:123456789012:stateMachine:mine",
			"arn:aws:cloudformation:eu-west-1:123456789012:stack/mine/1", "arn:aws:budgets::123456789012:budget/mine",
		} {
			for _, action := range p.actions() {
				if p.allows(action, other) && !slices.Contains([]string{"logs:DescribeLogGroups", "states:ValidateStateMachineDefinition"}, action) {
					t.Errorf("%s allows %s on %s", file, action, other)
				}
			}
		}
		// IAM's quota for a managed policy, not counting spaces.
		if size := len(strings.Join(strings.Fields(p.text), "")); size > 6_144 {
			t.Errorf("%s has %d characters: IAM takes at most 6,144", file, size)
		}
	}
}

// A comparison on AWS needs permission for the actions that its source calls through
// the AWS SDK, and works without that for the function's configuration.
func TestTheTunersPolicyAllowsWhatTheTunerCallsAndNoActionMore(t *testing.T) {
	services := map[string]string{"sfn": "states", "lambda": "lambda"}
	called := map[string]bool{"lambda:GetFunctionConfiguration": true}
	err := filepath.WalkDir("../tune", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if slices.Contains([]string{"internal", "sfntest", "testdata"}, entry.Name()) {
			return fs.SkipDir // simulated services
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return err
		}
		packages := map[string]string{}
		for _, i := range file.Imports {
			if dir, base := path.Split(strings.Trim(i.Path.Value, `"`)); dir == "github.com/aws/aws-sdk-go-v2/service/" {
				packages[base] = services[base]
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, _ := n.(*ast.CompositeLit)
			if literal == nil {
				return true
			}
			if of, ok := literal.Type.(*ast.SelectorExpr); ok {
				operation, isInput := strings.CutSuffix(of.Sel.Name, "Input")
				if from, ok := of.X.(*ast.Ident); ok && isInput && packages[from.Name] != "" {
					called[packages[from.Name]+":"+operation] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p := permissions(t, "tune-aws.json")
	if diff := cmp.Diff(slices.Sorted(maps.Keys(called)), p.actions()); diff != "" {
		t.Errorf("the policy's actions (-called +allowed):\n%s", diff)
	}
	for action, on := range map[string]string{
		"states:ListExecutions":           "arn:aws:states:eu-west-1:123456789012:stateMachine:powerTuningStateMachine-5c3e",
		"states:StartExecution":           "arn:aws:states:eu-west-1:123456789012:stateMachine:powerTuningStateMachine-5c3e",
		"states:DescribeExecution":        "arn:aws:states:eu-west-1:123456789012:execution:powerTuningStateMachine-5c3e:name",
		"states:GetExecutionHistory":      "arn:aws:states:eu-west-1:123456789012:execution:powerTuningStateMachine-5c3e:name",
		"lambda:GetFunctionConfiguration": "arn:aws:lambda:eu-west-1:123456789012:function:lambda-parallel-io-1a2b3c4",
	} {
		if !p.allows(action, on) {
			t.Errorf("the policy does not allow %s on %s", action, on)
		}
	}
}

// permitted reads a policy file of docs/policies.
type permitted struct {
	text       string
	statements []struct{ actions, resources []string }
}

func permissions(t *testing.T, name string) (p permitted) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "docs", "policies", name))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Version   string
		Statement []struct {
			Effect           string
			Action, Resource any
		}
	}
	if err := json.Unmarshal(b, &doc); err != nil || doc.Version != "2012-10-17" {
		t.Fatalf("%s: version %q, %v", name, doc.Version, err)
	}
	p.text = string(b)
	for _, s := range doc.Statement {
		if s.Effect != "Allow" {
			t.Fatalf("%s: effect %q, want Allow", name, s.Effect)
		}
		p.statements = append(p.statements, struct{ actions, resources []string }{list(s.Action), list(s.Resource)})
	}
	return p
}

// list decodes an IAM value that may be one string or a list.
func list(v any) (all []string) {
	if one, ok := v.(string); ok {
		return []string{one}
	}
	for _, one := range v.([]any) {
		all = append(all, one.(string))
	}
	return all
}

func (p permitted) actions() []string {
	all := map[string]bool{}
	for _, s := range p.statements {
		for _, a := range s.actions {
			all[a] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func (p permitted) allows(action, resource string) bool {
	for _, s := range p.statements {
		if slices.Contains(s.actions, action) && slices.ContainsFunc(s.resources, func(pattern string) bool {
			wild := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*")
			return regexp.MustCompile("^" + wild + "$").MatchString(resource)
		}) {
			return true
		}
	}
	return false
}
