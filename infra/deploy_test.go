package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// policyOf parses a registered policy document as AWS will.
func policyOf(t *testing.T, r registered, key resource.PropertyKey) policy {
	t.Helper()
	var doc struct {
		Version   string
		Statement policy
	}
	if err := json.Unmarshal([]byte(r.inputs[key].StringValue()), &doc); err != nil {
		t.Fatalf("%s of %s: %v", key, r.kind, err)
	}
	if doc.Version != "2012-10-17" {
		t.Errorf("%s of %s: version %q, want 2012-10-17: without it AWS reads the policy by the rules of 2008", key, r.kind, doc.Version)
	}
	return doc.Statement
}

func TestNoPolicyNamesEveryActionOrEveryResource(t *testing.T) {
	c, _ := mustDeploy(t, nil)
	policies := 0
	for _, r := range c.resources {
		for key, v := range r.inputs {
			if !v.IsString() || !strings.Contains(v.StringValue(), `"Statement"`) {
				continue
			}
			policies++
			for _, s := range policyOf(t, r, key) {
				if slices.Contains(s.Action, "*") || slices.Contains(s.Resource, "*") {
					t.Errorf("%s of %s: a bare * in %+v: a mistake elsewhere would reach the whole account", key, r.kind, s)
				}
			}
		}
	}
	if policies != 6 {
		t.Errorf("%d policies were looked at, want 6: each role's trust and permissions, and each bucket's", policies)
	}
}

func TestRoleMayReadTheBucketAndWriteItsOwnLogAndNothingElse(t *testing.T) {
	c, _ := mustDeploy(t, nil)
	bucket, logs, role := c.one(t, bucketType), c.one(t, logGroupType), c.one(t, roleType)
	want := policy{
		{Sid: "Read", Effect: "Allow", Action: []string{"s3:GetObject"}, Resource: []string{"arn:aws:s3:::" + bucket.id + "/*"}},
		{Sid: "List", Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: []string{"arn:aws:s3:::" + bucket.id}},
		{Sid: "Log", Effect: "Allow", Action: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resource: []string{"arn:aws:logs:eu-west-1:123456789012:log-group:" + logs.id + ":*"}},
	}
	permit := c.one(t, permitType)
	if diff := cmp.Diff(want, policyOf(t, permit, "policy")); diff != "" {
		t.Errorf("what the role may do (-want +got):\n%s", diff)
	}
	if got := permit.inputs["role"].StringValue(); got != role.id {
		t.Errorf("the permissions are those of role %q, want %q", got, role.id)
	}
	for _, key := range []resource.PropertyKey{"managedPolicyArns", "inlinePolicies"} {
		if v, ok := role.inputs[key]; ok {
			t.Errorf("the role has %s %v: its permissions should be in one place", key, v)
		}
	}
	for _, r := range c.resources {
		if strings.Contains(r.kind, "olicyAttachment") {
			t.Errorf("%s %s: no managed policy should be attached", r.kind, r.name)
		}
	}
	trust := policy{{Effect: "Allow", Principal: &principal{Service: "lambda.amazonaws.com"}, Action: []string{"sts:AssumeRole"}}}
	if diff := cmp.Diff(trust, policyOf(t, role, "assumeRolePolicy")); diff != "" {
		t.Errorf("who may assume the role (-want +got):\n%s", diff)
	}
}

func TestBucketsArePrivateEncryptedAndOnlyTLS(t *testing.T) {
	c, _ := mustDeploy(t, nil)
	for _, of := range []func(*testing.T, string) registered{c.one, c.ofBatch} {
		bucket, access, encryption, tls := of(t, bucketType), of(t, accessType), of(t, encryptType), of(t, tlsType)
		for _, r := range []registered{access, encryption, tls} {
			if got := r.inputs["bucket"].StringValue(); got != bucket.id {
				t.Errorf("%s is of bucket %q, want %q", r.kind, got, bucket.id)
			}
		}
		for _, block := range []resource.PropertyKey{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
			if v := access.inputs[block]; !v.IsBool() || !v.BoolValue() {
				t.Errorf("%s of %s is %v, want true: the bucket is private by every means", block, bucket.id, v)
			}
		}
		rules := encryption.inputs["rules"].Mappable()
		want := []any{map[string]any{"applyServerSideEncryptionByDefault": map[string]any{"sseAlgorithm": "AES256"}}}
		if diff := cmp.Diff(want, rules); diff != "" {
			t.Errorf("encryption of %s (-want +got):\n%s", bucket.id, diff)
		}
		arn := "arn:aws:s3:::" + bucket.id
		refused := policy{{
			Sid: "OnlyTLS", Effect: "Deny", Principal: &principal{AWS: "*"}, Action: []string{"s3:*"},
			Resource:  []string{arn, arn + "/*"}, // bucket and objects
			Condition: map[string]map[string]string{"Bool": {"aws:SecureTransport": "false"}},
		}}
		if diff := cmp.Diff(refused, policyOf(t, tls, "policy")); diff != "" {
			t.Errorf("who is refused at %s (-want +got):\n%s", bucket.id, diff)
		}
		if !slices.Contains(tls.after, accessType) {
			t.Errorf("the policy of %s does not wait for its access block: S3 refuses both at once", bucket.id)
		}
		if v := bucket.inputs["forceDestroy"]; !v.IsBool() || !v.BoolValue() {
			t.Errorf("forceDestroy of %s is %v, want true: destroy would fail on the full bucket", bucket.id, v)
		}
	}
}

func TestObjectIsUploadedIntoAClosedBucket(t *testing.T) {
	c, _ := mustDeploy(t, nil)
	object := c.one(t, objectType)
	if got, want := object.inputs["bucket"].StringValue(), c.one(t, bucketType).id; got != want {
		t.Errorf("the object is in bucket %q, want %q", got, want)
	}
	for key, want := range map[resource.PropertyKey]string{"key": "sample.json", "contentType": "application/json", "checksumAlgorithm": "CRC32"} {
		if got := object.inputs[key].StringValue(); got != want {
			t.Errorf("object's %s is %q, want %q", key, got, want)
		}
	}
	for _, first := range []string{accessType, encryptType, tlsType} {
		if !slices.Contains(object.after, first) {
			t.Errorf("the object does not wait for %s", first)
		}
	}
}

func TestLogGroupExistsBeforeTheFunctionThatLogsToIt(t *testing.T) {
	c, _ := mustDeploy(t, nil)
	logs, fn := c.one(t, logGroupType), c.one(t, functionType)
	if !slices.Contains(fn.after, logGroupType) {
		t.Errorf("the function waits for %v, not for its log group: Lambda would create one that never expires", fn.after)
	}
	if !slices.Contains(fn.after, permitType) {
		t.Errorf("the function waits for %v, not for its role's permissions: its first lines would be lost", fn.after)
	}
	want := map[string]any{"logFormat": "Text", "logGroup": logs.id}
	if diff := cmp.Diff(want, fn.inputs["loggingConfig"].Mappable()); diff != "" {
		t.Errorf("logging (-want +got):\n%s", diff)
	}
	if got := logs.inputs["retentionInDays"].NumberValue(); got != 1 {
		t.Errorf("logs are kept %v days, want 1", got)
	}
	if got := logs.inputs["namePrefix"].StringValue(); !strings.HasPrefix(got, "/aws/lambda/") {
		t.Errorf("the log group's name begins with %q, want /aws/lambda/, where people look for it", got)
	}
}

func TestFunctionIsWhatTheConfigurationSays(t *testing.T) {
	for _, test := range []struct {
		name string
		set  map[string]string
		want map[string]any
	}{
		{"by default", nil,
			map[string]any{"memorySize": 2304.0, "timeout": 600.0, "architectures": []any{"arm64"}, "code": "arm64.zip"}},
		{"configured", map[string]string{"memorySize": "1769", "timeout": "900", "architecture": "x86_64", "maxWorkers": "64"},
			map[string]any{"memorySize": 1769.0, "timeout": 900.0, "architectures": []any{"x86_64"}, "workers": "64", "code": "x86_64.zip"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := mustDeploy(t, test.set)
			fn, bucket := c.one(t, functionType), c.one(t, bucketType)
			for _, key := range []string{"memorySize", "timeout", "architectures"} {
				if diff := cmp.Diff(test.want[key], fn.inputs[resource.PropertyKey(key)].Mappable()); diff != "" {
					t.Errorf("%s (-want +got):\n%s", key, diff)
				}
			}
			variables := map[string]any{"BUCKET": bucket.id}
			if workers, set := test.want["workers"]; set { // otherwise the function chooses by its memory size
				variables["MAX_WORKERS"] = workers
			}
			if diff := cmp.Diff(map[string]any{"variables": variables}, fn.inputs["environment"].Mappable()); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
			if got := fn.inputs["code"].ArchiveValue().Path; !strings.HasSuffix(got, test.want["code"].(string)) {
				t.Errorf("the code is %s, want %s", got, test.want["code"])
			}
			if r, h := fn.inputs["runtime"].StringValue(), fn.inputs["handler"].StringValue(); r != "provided.al2023" || h != "bootstrap" {
				t.Errorf("runtime %q and handler %q, want provided.al2023 and bootstrap", r, h)
			}
			if v, ok := fn.inputs["sourceCodeHash"]; ok {
				t.Errorf("sourceCodeHash is %v: it is the provider's to set", v)
			}
		})
	}
}

func TestEveryChildHasItsComponentAsParent(t *testing.T) {
	c, _ := mustDeploy(t, nil)
	want := map[string][]string{
		"":            {bucketParts, functionParts, batchParts, tuningType},
		bucketParts:   {bucketType, accessType, encryptType, tlsType, objectType},
		functionParts: {logGroupType, roleType, permitType, functionType},
		batchParts:    {bucketType, accessType, encryptType, tlsType, expireType, roleType, permitType, machineType},
	}
	got := map[string][]string{}
	for _, r := range c.resources {
		got[r.parent] = append(got[r.parent], r.kind)
	}
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
		t.Errorf("the types below each parent, empty for the stack (-want +got):\n%s", diff)
	}
}
