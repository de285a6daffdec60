package stepfunctions

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// checkStateMachine refuses what is not a state machine's ARN, and one with a
// version or an alias: the running executions that have to be looked up are
// those of all versions.
func checkStateMachine(s string) error {
	const form = "it must be of the form arn:aws:states:REGION:ACCOUNT:stateMachine:NAME, without version or alias"
	a, err := arn.Parse(s)
	if err != nil {
		return fmt.Errorf("%q is not an ARN: %s", s, form)
	}
	parts := strings.Split(a.Resource, ":")
	if a.Service != "states" || a.Region == "" || a.AccountID == "" || len(parts) != 2 || parts[0] != "stateMachine" || parts[1] == "" {
		return fmt.Errorf("%q is not the ARN of a state machine: %s", s, form)
	}
	return nil
}

// region returns the region that an ARN names.
func region(s string) string {
	a, err := arn.Parse(s)
	if err != nil {
		return ""
	}
	return a.Region
}

// executionARN is the ARN that Step Functions gives to an execution of that
// name.
func executionARN(stateMachine, name string) string {
	return strings.Replace(stateMachine, ":stateMachine:", ":execution:", 1) + ":" + name
}

// sameFunction compares the ARNs of functions, leaving out a version or an
// alias: an execution changes the function as a whole.
func sameFunction(a, b string) bool { return unqualified(a) == unqualified(b) }

func unqualified(function string) string {
	parts := strings.Split(function, ":")
	return strings.Join(parts[:min(len(parts), 7)], ":")
}
