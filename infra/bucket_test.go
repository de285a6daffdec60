package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/powertuning"
)

// An existing bucket is not a resource of the stack: the stack does not write to it,
// configure it or delete it.
func TestABucketOfOnesOwnIsReadAndNothingElse(t *testing.T) {
	const arn = "arn:aws:s3:::my-documents"
	for _, test := range []struct {
		prefix, objects string
		condition       map[string]map[string]string
	}{
		{"", arn + "/*", nil},
		{"orders/2026/", arn + "/orders/2026/*", map[string]map[string]string{"StringLike": {"s3:prefix": "orders/2026/*"}}},
		// Characters that IAM would read as wildcards or variables are part of the key.
		{"a*b?${c}/", arn + "/a${*}b${?}${$}{c}/*", map[string]map[string]string{"StringLike": {"s3:prefix": "a${*}b${?}${$}{c}/*"}}},
	} {
		c, outs := mustDeploy(t, map[string]string{"bucket": "my-documents", "prefix": test.prefix})
		for _, r := range c.resources {
			if strings.HasPrefix(r.kind, "aws:s3/") && r.parent != batchParts || r.kind == bucketParts || r.id == "my-documents" {
				t.Errorf("prefix %q: the stack has a %s: it would write, configure or delete the bucket", test.prefix, r.kind)
			}
		}
		want := policy{
			{Sid: "Read", Effect: "Allow", Action: []string{"s3:GetObject"}, Resource: []string{test.objects}},
			{Sid: "List", Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: []string{arn}, Condition: test.condition},
			{Sid: "Log", Effect: "Allow", Action: []string{"logs:CreateLogStream", "logs:PutLogEvents"},
				Resource: []string{"arn:aws:logs:eu-west-1:123456789012:log-group:" + c.one(t, logGroupType).id + ":*"}},
		}
		if diff := cmp.Diff(want, policyOf(t, c.one(t, permitType), "policy")); diff != "" {
			t.Errorf("prefix %q: what the role may do (-want +got):\n%s", test.prefix, diff)
		}
		variables := c.one(t, functionType).inputs["environment"].ObjectValue()["variables"].Mappable()
		if diff := cmp.Diff(map[string]any{"BUCKET": "my-documents"}, variables); diff != "" {
			t.Errorf("prefix %q: environment (-want +got):\n%s", test.prefix, diff)
		}
		if _, ok := outs["objectKey"]; ok || outs["bucketName"] != "my-documents" || outs["prefix"] != test.prefix {
			t.Errorf("outputs objectKey %v, bucketName %v, prefix %v; want no key, my-documents, %q", outs["objectKey"], outs["bucketName"], outs["prefix"], test.prefix)
		}
	}
}

// Each invocation of an execution reads every object below the prefix once. It reads
// at most 2,000, as of the sample, because the timeout is chosen for 2,000.
func TestTuningInputsReadTheObjectsBelowThePrefix(t *testing.T) {
	_, outs := mustDeploy(t, map[string]string{"bucket": "my-documents", "prefix": "orders/"})
	all, err := json.Marshal(outs["tuningInputs"])
	if err != nil {
		t.Fatal(err)
	}
	var inputs map[string]powertuning.Input
	if err := json.Unmarshal(all, &inputs); err != nil {
		t.Fatal(err)
	}
	for _, name := range strategies.Names() {
		var got any
		if err := json.Unmarshal(inputs[name].Payload, &got); err != nil {
			t.Fatalf("%s: payload %s: %v", name, inputs[name].Payload, err)
		}
		want := map[string]any{"strategy": name, "prefix": "orders/", "maxObjects": 2_000.0}
		if diff := cmp.Diff(any(want), got); diff != "" {
			t.Errorf("%s: payload (-want +got):\n%s", name, diff)
		}
	}
}
