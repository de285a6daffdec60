package main

import (
	"encoding/json"
	"strings"
)

// policy is an IAM policy document.
type policy []statement

type statement struct {
	Sid       string     `json:",omitempty"`
	Effect    string     // Allow or Deny
	Principal *principal `json:",omitempty"`
	Action    []string
	Resource  []string                     `json:",omitempty"`
	Condition map[string]map[string]string `json:",omitempty"` // operator, key, value
}

type principal struct {
	AWS     string `json:",omitempty"`
	Service string `json:",omitempty"`
}

// document returns the policy as JSON in AWS's format.
func (p policy) document() (string, error) {
	b, err := json.Marshal(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", p})
	return string(b), err
}

// assumedBy returns a trust policy that lets an AWS service assume the role.
func assumedBy(service string) policy {
	return policy{{
		Effect:    "Allow",
		Principal: &principal{Service: service + ".amazonaws.com"},
		Action:    []string{"sts:AssumeRole"},
	}}
}

// readAndLog returns the function's permissions: it may list and read the keys that
// begin with prefix, and write its log. An empty prefix means all keys.
func readAndLog(bucketARN, prefix, logGroupARN string) policy {
	return policy{
		{Sid: "Read", Effect: "Allow", Action: []string{"s3:GetObject"}, Resource: []string{bucketARN + "/" + below(prefix)}},
		listBelow(bucketARN, prefix),
		{Sid: "Log", Effect: "Allow", Action: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resource: []string{logGroupARN + ":*"}},
	}
}

// listBelow returns a statement that allows listing the keys that begin with prefix.
func listBelow(bucketARN, prefix string) statement {
	s := statement{Sid: "List", Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: []string{bucketARN}}
	if prefix != "" {
		s.Condition = map[string]map[string]string{"StringLike": {"s3:prefix": below(prefix)}}
	}
	return s
}

// below returns an IAM pattern for the keys that begin with prefix.
func below(prefix string) string { return escaped.Replace(prefix) + "*" }

// escaped escapes characters that IAM would interpret as a wildcard or a variable.
var escaped = strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}")

// onlyTLS returns a policy that denies everyone all access over plain HTTP.
func onlyTLS(bucketARN string) policy {
	return policy{{
		Sid:       "OnlyTLS",
		Effect:    "Deny",
		Principal: &principal{AWS: "*"},
		Action:    []string{"s3:*"},
		Resource:  []string{bucketARN, bucketARN + "/*"},
		Condition: map[string]map[string]string{"Bool": {"aws:SecureTransport": "false"}},
	}}
}
