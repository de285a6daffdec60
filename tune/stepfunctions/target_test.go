package stepfunctions_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/stepfunctions"
)

// pulumi puts a stand-in for the Pulumi CLI on PATH: a shell script.
func pulumi(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pulumi"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
}

const outputs = `{"stateMachineArn": "` + machine + `", "functionArn": "` + function + `", "objectKey": "sample.json", "bucketName": "b", "region": "eu-west-1", "tuningInputs": {"pool": {"num": 10}}}`

func TestTheStackCompletesTheFlags(t *testing.T) {
	pulumi(t, `[ "$*" = "stack output --json --stack dev" ] && echo '`+outputs+`'`)
	got, err := stepfunctions.Resolve(t.Context(), "dev", stepfunctions.Target{})
	want := stepfunctions.Target{StateMachine: machine, Function: function, Region: "eu-west-1", ObjectKey: "sample.json"}
	if err != nil || !equal(got, want) {
		t.Errorf("Resolve(dev) = %+v, %v; want %+v", got, err, want)
	}
	flags := stepfunctions.Target{Function: function + "-mine", Region: "us-west-2", Profile: "work", ObjectKey: "mine.json"}
	want = flags
	want.StateMachine = machine
	if got, err := stepfunctions.Resolve(t.Context(), "dev", flags); err != nil || !equal(got, want) {
		t.Errorf("Resolve(dev, %+v) = %+v, %v; want %+v", flags, got, err, want)
	}
}

// A deployment for the user's own bucket has a prefix in place of an object. The empty prefix is the whole bucket.
func TestTheStackGivesThePrefixOfTheUsersOwnBucket(t *testing.T) {
	for _, prefix := range []string{"", "orders/"} {
		pulumi(t, `echo '{"stateMachineArn": "`+machine+`", "functionArn": "`+function+`", "bucketName": "b", "prefix": "`+prefix+`"}'`)
		got, err := stepfunctions.Resolve(t.Context(), "dev", stepfunctions.Target{})
		want := stepfunctions.Target{StateMachine: machine, Function: function, Region: "eu-west-1", Prefix: &prefix}
		if err != nil || !equal(got, want) {
			t.Errorf("Resolve of the prefix %q = %+v, %v; want %+v", prefix, got, err, want)
		}
	}
}

func equal(a, b stepfunctions.Target) bool {
	return cmp.Equal(a, b, cmpopts.IgnoreUnexported(stepfunctions.Target{}))
}

// deployed is the outputs of a stack, and more of them.
func deployed(more string) string { return strings.TrimSuffix(outputs, "}") + ", " + more + "}" }

func TestTheStackTellsWhatIsDeployed(t *testing.T) {
	want := stepfunctions.Target{StateMachine: machine, Function: function, Region: "eu-west-1", ObjectKey: "sample.json",
		Arch: "x86_64", Timeout: 300 * time.Second, ExecutionTimeout: 450 * time.Second, PowerValues: []int{512, 1024}}
	for _, powers := range []string{`[512, 1024]`, `[1024, 512]`} {
		pulumi(t, `echo '`+deployed(`"architecture": "x86_64", "timeout": 300, "totalExecutionTimeout": 450, "powerValues": `+powers)+`'`)
		if got, err := stepfunctions.Resolve(t.Context(), "dev", stepfunctions.Target{}); err != nil || !equal(got, want) {
			t.Errorf("Resolve of powerValues %s = %+v, %v; want %+v", powers, got, err, want)
		}
	}
	flags := stepfunctions.Target{Arch: "x86_64", Timeout: 300 * time.Second, ExecutionTimeout: 450 * time.Second}
	if got, err := stepfunctions.Resolve(t.Context(), "dev", flags); err != nil || !equal(got, want) {
		t.Errorf("Resolve(dev, %+v) = %+v, %v; want no error for flags that say the same", flags, got, err)
	}
	for field, flags := range map[string]stepfunctions.Target{
		"arch": {Arch: "arm64"}, "timeout": {Timeout: time.Minute}, "execution-timeout": {ExecutionTimeout: time.Minute},
	} {
		_, err := stepfunctions.Resolve(t.Context(), "dev", flags)
		var flag *comparison.FieldError
		if !errors.As(err, &flag) || flag.Field != field || !strings.Contains(err.Error(), `of the stack "dev"`) || !strings.Contains(err.Error(), "leave it out") {
			t.Errorf("Resolve(dev, %+v) = %v, want an error of the field %s that contradicts the stack", flags, err, field)
		}
	}
	// What the stack says of its own function and state machine is not said of others.
	flags = stepfunctions.Target{Function: function + "-mine", Arch: "arm64", Timeout: time.Minute}
	if _, err := stepfunctions.Resolve(t.Context(), "dev", flags); err != nil {
		t.Errorf("Resolve(dev, %+v) = %v, want nil", flags, err)
	}
	flags = stepfunctions.Target{StateMachine: machine + "-mine", ExecutionTimeout: time.Minute}
	if _, err := stepfunctions.Resolve(t.Context(), "dev", flags); err != nil {
		t.Errorf("Resolve(dev, %+v) = %v, want nil", flags, err)
	}
}

func TestBothARNsNeedNoPulumi(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, stack := range []string{"", "dev"} {
		got, err := stepfunctions.Resolve(t.Context(), stack, stepfunctions.Target{StateMachine: machine, Function: function})
		if err != nil || got.Region != "eu-west-1" {
			t.Errorf("Resolve(%q, both ARNs) = %+v, %v; want the region of the ARN", stack, got, err)
		}
	}
}

func TestErrorsOfTheStackHaveARemedy(t *testing.T) {
	for name, test := range map[string]struct{ script, want, remedy string }{
		"no such stack":  {`echo "error: no stack named 'dev' found" >&2; exit 255`, "no stack named 'dev' found", "`pulumi stack ls` lists"},
		"not logged in":  {`echo "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions" >&2; exit 1`, "PULUMI_ACCESS_TOKEN must be set", "run `pulumi login`"},
		"logged out":     {`echo "error: getting stack: not logged in, please run 'pulumi login'" >&2; exit 1`, "not logged in", "run `pulumi login`"},
		"passphrase":     {`echo "error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment variables" >&2; exit 1`, "passphrase must be set", "needs PULUMI_CONFIG_PASSPHRASE"},
		"no project":     {`echo "error: no Pulumi.yaml project file found" >&2; exit 1`, "no Pulumi.yaml project file found", "the root of the repository"},
		"something else": {`exit 3`, "exit status 3", "--state-machine ARN and --function-arn ARN"},
		"missing output": {`echo '{"functionArn": "` + function + `"}'`, `the outputs of the Pulumi stack "dev": stateMachineArn or functionArn is missing`, "`pulumi up --stack dev`"},
		"not JSON":       {`echo 'Please choose a stack'`, "something other than a JSON object", ""},
		"architecture":   {`echo '` + deployed(`"architecture": "mips"`) + `'`, `the outputs of the Pulumi stack "dev": arch "mips"`, "arm64 or x86_64"},
		"timeout":        {`echo '` + deployed(`"timeout": 901`) + `'`, `"dev": timeout 901s`, "from 1s to 900s"},
		"other timeout":  {`echo '` + deployed(`"totalExecutionTimeout": 901`) + `'`, `"dev": execution-timeout 15m1s`, "from 1s to 900s"},
		"powers":         {`echo '` + deployed(`"powerValues": [64]`) + `'`, `"dev": power 64`, "from 128 to 10240"},
		"power twice":    {`echo '` + deployed(`"powerValues": [512, 512]`) + `'`, `"dev": power [512 512]: it must be in ascending order, each size once`, ""},
		"no powers":      {`echo '` + deployed(`"powerValues": {}`) + `'`, `"dev": pulumi printed something other`, "powerValues"},
		"not an ARN":     {`echo '` + strings.Replace(outputs, machine, "soon", 1) + `'`, `the outputs of the Pulumi stack "dev": state-machine "soon" is not the ARN of a state machine`, "it must be of the form arn:aws:states:"},
	} {
		t.Run(name, func(t *testing.T) {
			pulumi(t, test.script)
			_, err := stepfunctions.Resolve(t.Context(), "dev", stepfunctions.Target{})
			var flag *comparison.FieldError
			if err == nil || errors.As(err, &flag) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.remedy) {
				t.Errorf("Resolve(dev) = %v, want %q, blamed on no flag, and the remedy %q", err, test.want, test.remedy)
			}
		})
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := stepfunctions.Resolve(t.Context(), "dev", stepfunctions.Target{}); err == nil || !strings.Contains(err.Error(), "install the Pulumi CLI (https://www.pulumi.com/docs/install)") {
		t.Errorf("Resolve(dev) without Pulumi = %v, want what to do", err)
	}
}

func TestMalformedFlagsAreRefused(t *testing.T) {
	for _, test := range []struct {
		flags stepfunctions.Target
		want  string
	}{
		{stepfunctions.Target{}, "stack is missing: a comparison on AWS needs a Pulumi stack, or both --state-machine ARN and --function-arn ARN"},
		{stepfunctions.Target{StateMachine: machine, Function: function, ExecutionTimeout: 901 * time.Second}, "execution-timeout 15m1s: it must be from 1s to 900s"},
		{stepfunctions.Target{StateMachine: machine, Function: function, ExecutionTimeout: -time.Second}, "execution-timeout -1s"},
		{stepfunctions.Target{StateMachine: "powerTuning", Function: function}, `state-machine "powerTuning" is not the ARN of a state machine`},
		{stepfunctions.Target{StateMachine: function, Function: function}, "is not the ARN of a state machine"},
		{stepfunctions.Target{StateMachine: machine + ":3", Function: function}, "without version or alias"},
		{stepfunctions.Target{StateMachine: strings.Replace(machine, "stateMachine", "execution", 1), Function: function}, "is not the ARN of a state machine"},
		{stepfunctions.Target{StateMachine: machine, Function: "reader"}, `function-arn "reader" is not the ARN of a function`},
		{stepfunctions.Target{StateMachine: machine, Function: function + ":live"}, "without version or alias"},
		{stepfunctions.Target{StateMachine: machine, Function: machine}, "function-arn"},
	} {
		_, err := stepfunctions.Resolve(t.Context(), "", test.flags)
		var flag *comparison.FieldError
		if !errors.As(err, &flag) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Resolve(%+v) = %v, want a FieldError with %q", test.flags, err, test.want)
		}
	}
}
