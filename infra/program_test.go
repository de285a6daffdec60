package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"lambda-parallel-io/strategies"
)

// asProgram is the environment variable that makes the test executable run as the
// program, so that nothing has to be linked a second time.
const asProgram = "INFRA_TEST_IS_THE_PROGRAM"

// scratch is a folder for files that several tests need.
var scratch string

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	dir, err := os.MkdirTemp("", "infra-test-")
	if err != nil {
		panic(err)
	}
	scratch = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// slow skips a test unless slow tests run.
func slow(t *testing.T) {
	t.Helper()
	if os.Getenv("SLOW") == "" {
		t.Skip("slow: SLOW=1 go test ./infra runs it")
	}
}

// The test runs the program as the engine does: as a process in infra/, configured by
// its environment, that speaks the engine's protocol. The root is a small copy, so
// that the test can change it.
func TestProgramRunsOnTheEnginesProtocol(t *testing.T) {
	t.Parallel()
	root := clone(t)

	preview := run(t, root, true, nil)
	if preview.err != nil || !strings.Contains(preview.log(), "INFO: building the function for arm64") {
		t.Fatalf("preview: %v\n%s\nwant none, and a line about the build", preview.err, preview.log())
	}
	up := run(t, root, false, nil)
	if up.err != nil {
		t.Fatalf("up: %v\n%s", up.err, up.log())
	}
	outputs := up.outputs[string(resource.RootStackType)].Mappable()
	if got := outputs["stateMachineArn"]; got != stateMachine {
		t.Errorf("output stateMachineArn is %v, want %s", got, stateMachine)
	}
	for _, name := range strategies.Names() {
		inputs, _ := outputs["tuningInputs"].(map[string]any)
		input, _ := inputs[name].(map[string]any)
		if payload, _ := input["payload"].(map[string]any); payload["strategy"] != name {
			t.Errorf("output tuningInputs has %v for %s, want an input with that payload", input, name)
		}
	}
	for _, component := range []string{bucketParts, functionParts, batchParts} {
		if len(up.outputs[component]) == 0 {
			t.Errorf("component %s registered no outputs", component)
		}
	}

	second, before := run(t, root, false, nil), up.inputs(t)
	if changes := up.aws.planned(t, &second.aws); len(changes) > 0 {
		t.Errorf("a second up plans to change %q", changes)
	}
	if diff := cmp.Diff(before, second.inputs(t)); diff != "" {
		t.Errorf("a second up changes something (-first +second):\n%s", diff)
	}
	write(t, filepath.Join(root, "sample.json"), "[{}]\n")
	after := run(t, root, false, nil).inputs(t)
	if got := changed(before, after); cmp.Diff([]string{objectType}, got) != "" {
		t.Errorf("a changed sample.json changes %v, want the object alone", got)
	}
	before = after
	write(t, filepath.Join(root, "handler", "main.go"), "package main\n\nfunc main() { println() }\n")
	if got := changed(before, run(t, root, false, nil).inputs(t)); cmp.Diff([]string{functionType}, got) != "" {
		t.Errorf("a changed handler changes %v, want the function alone", got)
	}

	write(t, filepath.Join(root, "handler", "main.go"), "package main\n\nfunc main() { missing() }\n")
	broken := run(t, root, false, nil)
	if broken.err == nil || !strings.Contains(broken.log(), "undefined: missing") {
		t.Errorf("a handler that does not compile ends in %v and the output\n%s\nwant a failure with the compiler's output", broken.err, broken.log())
	}
}

// Pulumi silently accepts a misspelt key, and the default would apply.
func TestAKeyThatTheProjectDoesNotHaveIsToldWithTheNearest(t *testing.T) {
	t.Parallel()
	e := run(t, clone(t), false, map[string]string{"memorysize": "512", "batch-children": "a b", "other:memorysize": "1"})
	for _, want := range []string{
		"config memorysize: the project has no such key; the nearest is memorySize\n  pulumi config rm memorysize\n  pulumi config set memorySize 512",
		"config batch-children: the project has no such key; the nearest is batchChildren\n  pulumi config rm batch-children\n  pulumi config set batchChildren 'a b'",
	} {
		if e.err == nil || !strings.Contains(e.log(), want) {
			t.Errorf("up = %v and\n%s\nwant a failure with\n%s", e.err, e.log(), want)
		}
	}
	if strings.Contains(e.log(), "other") || len(e.aws.resources) > 0 {
		t.Errorf("%d resources were registered, and up said\n%s\nwant none, and nothing about another namespace", len(e.aws.resources), e.log())
	}
}

// The environment may also set the region, and AWS adds regions, so an unknown region
// is only a warning.
func TestARegionThatMayLackPowerTuningIsToldAtPreview(t *testing.T) {
	t.Parallel()
	root := clone(t)
	for region, warned := range map[string]bool{"af-south-1": true, "eu-central-1": false} {
		e := run(t, root, true, map[string]string{"aws:region": region})
		if got := strings.Contains(e.log(), "WARNING: region "+region+" is not known to have the Serverless Application Repository"); e.err != nil || got != warned {
			t.Errorf("preview in %s = %v, warned %v, want success and %v\n%s", region, e.err, got, warned, e.log())
		}
	}
}

// A strategy in the list is deployed with an execution input.
func TestAFifthStrategyIsDeployedLikeTheOthers(t *testing.T) {
	slow(t)
	root := repository(t)
	list, err := os.ReadFile("../strategies/strategies.go")
	if err != nil {
		t.Fatal(err)
	}
	dir, overlay := t.TempDir(), map[string]string{}
	for name, source := range map[string]string{
		"strategies.go": strings.Replace(string(list), "semaphore}", "semaphore, fifth}", 1),
		"fifth.go":      "package strategies\n\nvar fifth = Strategy{Name: \"fifth\", schedule: pool.schedule}\n",
	} {
		overlay[filepath.Join(root, "strategies", name)] = filepath.Join(dir, name)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(source), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	replace, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), replace, 0o666); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "infra")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay="+filepath.Join(dir, "overlay.json"), "-o", program, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	e := runProgram(t, program, root, false, nil)
	if inputs := fmt.Sprint(e.outputs[string(resource.RootStackType)]["tuningInputs"]); e.err != nil || !strings.Contains(inputs, "fifth") {
		t.Errorf("up = %v, tuningInputs %s: want one of the fifth strategy", e.err, inputs)
	}
}
