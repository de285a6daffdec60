package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
)

// batchDefinition returns the definition that the program registers, as text and parsed.
func batchDefinition(t *testing.T, set map[string]string) (text string, m aslMachine) {
	t.Helper()
	c, _ := mustDeploy(t, set)
	text = c.ofBatch(t, machineType).inputs["definition"].StringValue()
	if err := jsonv2.Unmarshal([]byte(text), &m, jsonv2.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("the definition: %v", err)
	}
	return text, m
}

func TestTheDefinitionIsValid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "definition.json")
	text, _ := batchDefinition(t, map[string]string{"batchInventory": "s3://my-inventories/all/"})
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(validator(t), "--json-path", path).CombinedOutput(); err != nil {
		t.Errorf("asl-validator: %v\n%s\n%s", err, out, text)
	}
}

// Checks that asl-validator does not make.
func TestTheMapsAreAsStepFunctionsTakesThem(t *testing.T) {
	_, m := batchDefinition(t, map[string]string{"bucket": "my-documents", "batchInventory": "s3://my-inventories/all/"})
	var labels, names []string
	readers := map[string]string{}
	for name, s := range m.States {
		names = append(names, name)
		if s.Type != "Map" {
			continue
		}
		labels = append(labels, s.Label)
		readers[s.ItemReader.Resource+" "+s.ItemReader.ReaderConfig.InputType] = s.ItemReader.Arguments["Bucket"].(string)
		if p := s.ItemProcessor.ProcessorConfig; p.Mode != "DISTRIBUTED" || p.ExecutionType != "EXPRESS" {
			t.Errorf("%s: processor %+v, want EXPRESS children of a Distributed Map", name, p)
		}
		if n := len(s.Label); n == 0 || n > 40 {
			t.Errorf("%s: label %q has %d characters, want 1 to 40", name, s.Label, n)
		}
		if n := s.ItemBatcher.MaxInputBytesPerBatch; n <= 0 || n > 262_144 {
			t.Errorf("%s: MaxInputBytesPerBatch %d, want at most 262,144", name, n)
		}
		w := s.ResultWriter
		if w.Resource != "arn:aws:states:::s3:putObject" || w.WriterConfig.Transformation != "FLATTEN" || w.WriterConfig.OutputType != "JSONL" {
			t.Errorf("%s: result writer %+v, want lines of flattened results in S3", name, w)
		}
		if bucket := w.Arguments["Bucket"]; bucket != project+"-results-1a2b3c4" {
			t.Errorf("%s: results go to %v, want the bucket for results only", name, bucket)
		}
		if s.Retry != nil {
			t.Errorf("%s has a Retry: it would begin the whole map again", name)
		}
		for name, s := range s.ItemProcessor.States {
			names = append(names, name)
			if s.Type != "Task" {
				continue
			}
			throttled := []string{"Lambda.ClientExecutionTimeoutException", "Lambda.TooManyRequestsException", "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException"}
			if r := s.Retry; len(r) != 1 || r[0].JitterStrategy != "FULL" || !slices.Equal(r[0].ErrorEquals, throttled) {
				t.Fatalf("%s: retries %+v, want Lambda's transient errors, with full jitter", name, r)
			}
			total, wait := 0.0, s.Retry[0].IntervalSeconds
			for range s.Retry[0].MaxAttempts {
				total += wait
				wait = min(wait*s.Retry[0].BackoffRate, s.Retry[0].MaxDelaySeconds)
			}
			if total > 150 {
				t.Errorf("%s waits up to %v s: a child has 300 s, including its call", name, total)
			}
		}
	}
	slices.Sort(names)
	if unique := slices.Compact(slices.Clone(names)); len(unique) != len(names) {
		t.Errorf("states %v: each name must be unique in a machine", names)
	}
	slices.Sort(labels)
	if len(labels) != 3 || len(slices.Compact(slices.Clone(labels))) != 3 {
		t.Errorf("labels %v, want three different ones", labels)
	}
	want := map[string]string{
		"arn:aws:states:::s3:listObjectsV2 ":     "my-documents",
		"arn:aws:states:::s3:getObject JSONL":    project + "-results-1a2b3c4",
		"arn:aws:states:::s3:getObject MANIFEST": "my-inventories",
	}
	if diff := cmp.Diff(want, readers); diff != "" {
		t.Errorf("what the maps read, by reader (-want +got):\n%s", diff)
	}
}

func TestTheStateMachineMayDoWhatItsMapsNeedAndNothingElse(t *testing.T) {
	for _, test := range []struct {
		prefix, inventory string
		condition         map[string]map[string]string
		more              policy
	}{
		{"", "", nil, nil},
		{"a*b/", "s3://my-inventories/all*/", map[string]map[string]string{"StringLike": {"s3:prefix": "a${*}b/*"}},
			policy{{Sid: "Inventory", Effect: "Allow", Action: []string{"s3:GetObject"}, Resource: []string{"arn:aws:s3:::my-inventories/all${*}/*"}}}},
	} {
		c, _ := mustDeploy(t, map[string]string{"bucket": "my-documents", "prefix": test.prefix, "batchInventory": test.inventory})
		machine, permit := c.ofBatch(t, machineType), c.ofBatch(t, permitType)
		const states = "arn:aws:states:eu-west-1:123456789012:"
		want := policy{
			{Sid: "List", Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: []string{"arn:aws:s3:::my-documents"}, Condition: test.condition},
			{Sid: "Call", Effect: "Allow", Action: []string{"lambda:InvokeFunction"}, Resource: []string{c.one(t, functionType).state["arn"].StringValue()}},
			{Sid: "Start", Effect: "Allow", Action: []string{"states:StartExecution"}, Resource: []string{machine.state["arn"].StringValue()}},
			{Sid: "Children", Effect: "Allow", Action: []string{"states:DescribeExecution", "states:StopExecution"}, Resource: []string{states + "execution:lambda-parallel-io-batch-1a2b3c4:*"}},
			{Sid: "Redrive", Effect: "Allow", Action: []string{"states:RedriveExecution"}, Resource: []string{states + "execution:lambda-parallel-io-batch-1a2b3c4/*:*"}},
			{Sid: "Results", Effect: "Allow", Action: []string{"s3:PutObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"},
				Resource: []string{c.ofBatch(t, bucketType).state["arn"].StringValue() + "/*"}},
		}
		want = append(want, test.more...)
		if diff := cmp.Diff(want, policyOf(t, permit, "policy")); diff != "" {
			t.Errorf("prefix %q: what the role may do (-want +got):\n%s", test.prefix, diff)
		}
		role := c.ofBatch(t, roleType)
		if got := permit.inputs["role"].StringValue(); got != role.id {
			t.Errorf("the permissions are those of role %q, want %q", got, role.id)
		}
		if got := machine.inputs["roleArn"].StringValue(); got != role.state["arn"].StringValue() {
			t.Errorf("the machine's role is %q, want %q", got, role.id)
		}
		trust := policy{{Effect: "Allow", Principal: &principal{Service: "states.amazonaws.com"}, Action: []string{"sts:AssumeRole"}}}
		if diff := cmp.Diff(trust, policyOf(t, role, "assumeRolePolicy")); diff != "" {
			t.Errorf("who may assume the role (-want +got):\n%s", diff)
		}
		if !slices.Contains(machine.after, permitType) || !slices.Contains(machine.after, tlsType) {
			t.Errorf("the machine waits for %v, not for its permissions and the closed bucket: its first execution could fail", machine.after)
		}
	}
}

// Whatever the name of the stack, and however many stacks an account has, the role's
// generated name is unique in the account and has at most 64 characters.
func TestTheMachineHasItsRolesName(t *testing.T) {
	c, _ := mustDeploy(t, nil)
	if name, role := c.ofBatch(t, machineType).inputs["name"].StringValue(), c.ofBatch(t, roleType); name != role.id || role.inputs["name"].HasValue() {
		t.Errorf("the machine is called %s, want %s, which Pulumi has generated", name, role.id)
	}
}

func TestResultsExpire(t *testing.T) {
	c, _ := mustDeploy(t, map[string]string{"batchResultDays": "30"})
	expire := c.ofBatch(t, expireType)
	want := []any{map[string]any{
		"id": "expire", "status": "Enabled", "filter": map[string]any{"prefix": ""},
		"expiration": map[string]any{"days": 30.0}, "abortIncompleteMultipartUpload": map[string]any{"daysAfterInitiation": 1.0},
	}}
	if diff := cmp.Diff(want, expire.inputs["rules"].Mappable()); diff != "" || expire.inputs["bucket"].StringValue() != c.ofBatch(t, bucketType).id {
		t.Errorf("lifecycle of %v (-want +got):\n%s", expire.inputs["bucket"], diff)
	}
}

// The defaults are only in Pulumi.yaml: an execution uses the value in the output
// batchInput for each field that its input lacks.
func TestAnExecutionsDefaultsAreTheConfigurations(t *testing.T) {
	set := map[string]string{
		"bucket": "my-documents", "prefix": "a %} \"b\"/", "batchStrategy": "semaphore", "batchConcurrency": "64",
		"batchSize": "500", "batchChildren": "4", "batchToleratedFailurePercentage": "5",
	}
	_, outs := mustDeploy(t, set)
	want := map[string]any{
		"prefix": set["prefix"], "strategy": "semaphore", "concurrency": 64.0, "batch": 500.0, "children": 4.0, "toleratedFailurePercentage": 5.0,
	}
	if diff := cmp.Diff(any(want), outs["batchInput"]); diff != "" {
		t.Errorf("output batchInput (-want +got):\n%s", diff)
	}
	_, m := batchDefinition(t, set)
	expression := m.States[m.StartAt].Output.(string)
	if strings.Count(expression, "%}") != 1 {
		t.Errorf("%s: the prefix ends the expression", expression)
	}
	j := startJSONata(t)
	for _, test := range []struct {
		input map[string]any
		is    map[string]any // in addition to the defaults
	}{
		{map[string]any{}, nil},
		{map[string]any{"children": 1}, map[string]any{"children": 1.0}},
		{map[string]any{"prefix": "", "batch": 7}, map[string]any{"batch": 7.0}}, // as a plan writes the input
		{map[string]any{"prefix": "a/", "strategy": ""}, map[string]any{"prefix": "a/", "strategy": ""}},
	} {
		got, err := j.evaluate(expression, map[string]any{"input": test.input})
		if err != nil {
			t.Fatal(err)
		}
		want := maps.Clone(want)
		maps.Copy(want, test.is)
		if diff := cmp.Diff(any(want), got); diff != "" {
			t.Errorf("an execution with %v (-want +got):\n%s", test.input, diff)
		}
	}
}
