package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPowerTuningIsPinnedAndItsFunctionsMayTouchTheFunctionAlone(t *testing.T) {
	c, outs := mustDeploy(t, map[string]string{"powerValues": "128, 1769", "totalExecutionTimeout": "301"})
	tuning, fn := c.one(t, tuningType), c.one(t, functionType)
	want := map[string]any{
		"applicationId":   "arn:aws:serverlessrepo:us-east-1:451282441545:applications/aws-lambda-power-tuning",
		"semanticVersion": "4.4.0",
		"capabilities":    []any{"CAPABILITY_IAM"},
		"parameters": map[string]any{
			"lambdaResource":        "arn:aws:lambda:eu-west-1:123456789012:function:" + fn.id + "*",
			"PowerValues":           "128,1769",
			"totalExecutionTimeout": "301",
		},
	}
	if diff := cmp.Diff(want, tuning.inputs.Mappable()); diff != "" {
		t.Errorf("power tuning (-want +got):\n%s", diff)
	}
	if got := outs["stateMachineArn"]; got != stateMachine {
		t.Errorf("stateMachineArn is %v, want %s", got, stateMachine)
	}
}

func TestPowerTuningWithoutAStateMachineIsAnError(t *testing.T) {
	_, err := deployment(t, &cloud{noStateMachine: true}, nil)
	if err == nil || !strings.Contains(err.Error(), `no output StateMachineARN, only "Something"`) {
		t.Errorf("error %v, want one that names the missing output and the existing ones", err)
	}
}

// The provider does not read back a value that is the template's default. If the
// program set it, every later up would plan it as a change and fail.
func TestASecondUpPlansNoChangeWhereAParameterIsTheTemplatesDefault(t *testing.T) {
	for _, set := range []map[string]string{
		{"totalExecutionTimeout": "300"},
		{"powerValues": "128, 256,512,1024,1536,3008"},
		{"totalExecutionTimeout": "300", "powerValues": "128,256,512,1024,1536,3008"},
	} {
		first, _ := mustDeploy(t, set)
		second, _ := mustDeploy(t, set)
		if changes := first.planned(t, second); len(changes) > 0 {
			t.Errorf("with %v a second up plans to change %q, want nothing", set, changes)
		}
	}
}
