package main

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/powertuning"
)

func TestOutputsNameWhatWasDeployed(t *testing.T) {
	c, outs := mustDeploy(t, map[string]string{"architecture": "x86_64", "timeout": "120", "totalExecutionTimeout": "300", "powerValues": "1024,128"})
	fn := c.one(t, functionType)
	want := map[string]any{
		"bucketName":            c.one(t, bucketType).id,
		"objectKey":             "sample.json",
		"functionName":          fn.id,
		"functionArn":           "arn:aws:lambda:eu-west-1:123456789012:function:" + fn.id,
		"architecture":          "x86_64",
		"timeout":               120,
		"stateMachineArn":       stateMachine,
		"powerTuningStackId":    c.one(t, tuningType).id,
		"totalExecutionTimeout": 300,
		"powerValues":           []int{1024, 128},
		"region":                "eu-west-1",
		"batchStateMachineArn":  c.ofBatch(t, machineType).id,
		"resultsPrefix":         "s3://" + c.ofBatch(t, bucketType).id + "/runs/",
		"batchInput": map[string]any{
			"prefix": "", "strategy": "pool", "concurrency": 30.0, "batch": 1_000.0, "children": 3.0, "toleratedFailurePercentage": 0.0,
		},
	}
	if _, ok := outs["tuningInputs"]; !ok {
		t.Error("there is no output tuningInputs")
	}
	delete(outs, "tuningInputs")
	if diff := cmp.Diff(want, outs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
}

func TestTuningInputsAreReadyForEveryStrategy(t *testing.T) {
	c, outs := mustDeploy(t, map[string]string{"powerValues": "1024,128"})
	all, err := json.Marshal(outs["tuningInputs"])
	if err != nil {
		t.Fatal(err)
	}
	var inputs map[string]powertuning.Input
	if err := json.Unmarshal(all, &inputs); err != nil {
		t.Fatal(err)
	}
	if len(inputs) != len(strategies.Names()) {
		t.Errorf("%d inputs, want one for each of %v", len(inputs), strategies.Names())
	}
	for _, name := range strategies.Names() {
		input := inputs[name]
		got, err := event.Decode(input.Payload, 77)
		if err != nil {
			t.Errorf("%s: the function refuses the payload %s: %v", name, input.Payload, err)
		}
		if want := (event.Payload{Strategy: name, Concurrency: 77, Repeat: 2_000, ObjectKey: "sample.json"}); !cmp.Equal(got, want) {
			t.Errorf("%s: the function reads the payload as %+v, want %+v with its own MAX_WORKERS", name, got, want)
		}
		input.Payload = nil
		want := powertuning.Input{
			LambdaARN: "arn:aws:lambda:eu-west-1:123456789012:function:" + c.one(t, functionType).id,
			Num:       10, PowerValues: []int{1024, 128}, Strategy: "balanced", IncludeOutputResults: true,
		}
		if diff := cmp.Diff(want, input); diff != "" {
			t.Errorf("%s: input (-want +got):\n%s", name, diff)
		}
	}
}
