package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"lambda-parallel-io/strategies"
)

// The program that `go build` makes, run as the engine runs it: a process in
// infra/, told by its environment, speaking the engine's protocol. The root is
// a small one, so that it can be changed.
func TestProgramRunsOnTheEnginesProtocol(t *testing.T) {
	program, root := compiled(t), clone(t)

	preview := run(t, program, root, true, nil)
	if preview.err != nil {
		t.Fatalf("preview: %v\n%s", preview.err, preview.log())
	}
	up := run(t, program, root, false, nil)
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

	if changes := up.aws.planned(t, &run(t, program, root, false, nil).aws); len(changes) > 0 {
		t.Errorf("a second up plans to change %q", changes)
	}
	before := up.inputs(t)
	if diff := cmp.Diff(before, run(t, program, root, false, nil).inputs(t)); diff != "" {
		t.Errorf("a second up changes something (-first +second):\n%s", diff)
	}
	write(t, filepath.Join(root, "sample.json"), "[{}]\n")
	if got := changed(before, run(t, program, root, false, nil).inputs(t)); cmp.Diff([]string{objectType}, got) != "" {
		t.Errorf("a changed sample.json changes %v, want the object alone", got)
	}
	before[objectType] = run(t, program, root, false, nil).inputs(t)[objectType]
	write(t, filepath.Join(root, "handler", "main.go"), "package main\n\nfunc main() { println() }\n")
	if got := changed(before, run(t, program, root, false, nil).inputs(t)); cmp.Diff([]string{functionType}, got) != "" {
		t.Errorf("a changed handler changes %v, want the function alone", got)
	}

	write(t, filepath.Join(root, "handler", "main.go"), "package main\n\nfunc main() { missing() }\n")
	broken := run(t, program, root, false, nil)
	if broken.err == nil || !strings.Contains(broken.log(), "undefined: missing") {
		t.Errorf("a handler that does not compile ends in %v and the words\n%s\nwant a failure with the compiler's", broken.err, broken.log())
	}
}

// A value that is the template's own default is not in what the provider reads
// back: naming it would be planned as a change by every later up, which fails.
func TestASecondUpPlansNoChangeWhereAParameterIsTheTemplatesDefault(t *testing.T) {
	program, root := compiled(t), clone(t)
	for _, set := range []map[string]string{
		{"totalExecutionTimeout": "300"},
		{"powerValues": "128, 256,512,1024,1536,3008"},
		{"totalExecutionTimeout": "300", "powerValues": "128,256,512,1024,1536,3008"},
	} {
		first, second := run(t, program, root, false, set), run(t, program, root, false, set)
		if first.err != nil || second.err != nil {
			t.Fatalf("up with %v: %v, %v\n%s%s", set, first.err, second.err, first.log(), second.log())
		}
		if changes := first.aws.planned(t, &second.aws); len(changes) > 0 {
			t.Errorf("with %v a second up plans to change %q, want nothing", set, changes)
		}
	}
}

// A strategy that stands in the list is deployed with an execution input.
func TestAFifthStrategyIsDeployedLikeTheOthers(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
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
	e := run(t, compiled(t, "-overlay="+filepath.Join(dir, "overlay.json")), root, false, nil)
	if inputs := fmt.Sprint(e.outputs[string(resource.RootStackType)]["tuningInputs"]); e.err != nil || !strings.Contains(inputs, "fifth") {
		t.Errorf("up = %v, tuningInputs %s: want one of the fifth strategy", e.err, inputs)
	}
}

func compiled(t *testing.T, flags ...string) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "infra")
	args := append(append([]string{"build"}, flags...), "-o", program, ".")
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// engine is the part of Pulumi's engine that a program speaks to.
type engine struct {
	pulumirpc.UnimplementedResourceMonitorServer
	pulumirpc.UnimplementedEngineServer
	aws     cloud
	preview bool

	mu      sync.Mutex
	root    string
	said    []string
	outputs map[string]resource.PropertyMap // by type
	err     error                           // how the program ended
}

// run runs the program against a new engine, until it ends, configured by the
// files at the root but for set.
func run(t *testing.T, program, root string, preview bool, set map[string]string) *engine {
	t.Helper()
	e := &engine{preview: preview, outputs: map[string]resource.PropertyMap{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pulumirpc.RegisterResourceMonitorServer(server, e)
	pulumirpc.RegisterEngineServer(server, e)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	settings, err := json.Marshal(configured(t, set))
	if err != nil {
		t.Fatal(err)
	}
	infra := filepath.Join(root, "infra")
	if err := os.MkdirAll(infra, 0o755); err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Dir = infra
	cmd.Env = append(os.Environ(), "PULUMI_PROJECT="+project, "PULUMI_STACK="+stack, "PULUMI_ROOT_DIRECTORY="+root,
		"PULUMI_CONFIG="+string(settings), "PULUMI_MONITOR="+address, "PULUMI_ENGINE="+address)
	if preview {
		cmd.Env = append(cmd.Env, "PULUMI_DRY_RUN=true")
	}
	out, err := cmd.CombinedOutput()
	e.err = err
	e.said = append(e.said, string(out))
	server.GracefulStop()
	if err := <-served; err != nil {
		t.Errorf("the engine: %v", err)
	}
	return e
}

func (e *engine) log() string { return strings.Join(e.said, "\n") }

// inputs is what was registered by type, as JSON. An asset's has the hash of
// its content, by which the engine compares it, and its path.
func (e *engine) inputs(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, r := range e.aws.resources {
		b, err := json.Marshal(r.inputs.Mappable())
		if err != nil {
			t.Fatalf("inputs of %s: %v", r.kind, err)
		}
		kind := r.kind
		if r.parent == batchParts {
			kind = batchParts + ": " + kind
		}
		all[kind] = string(b)
	}
	return all
}

func changed(before, after map[string]string) (kinds []string) {
	for kind := range before {
		if before[kind] != after[kind] {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

func (e *engine) SupportsFeature(context.Context, *pulumirpc.SupportsFeatureRequest) (*pulumirpc.SupportsFeatureResponse, error) {
	return &pulumirpc.SupportsFeatureResponse{HasSupport: false}, nil
}

// RegisterResource answers a preview as a provider does: with the inputs and
// no more, since nothing exists.
func (e *engine) RegisterResource(_ context.Context, in *pulumirpc.RegisterResourceRequest) (*pulumirpc.RegisterResourceResponse, error) {
	inputs, err := plugin.UnmarshalProperties(in.GetObject(), plugin.MarshalOptions{KeepUnknowns: true, ComputeAssetHashes: true})
	if err != nil {
		return nil, err
	}
	if in.GetType() == string(resource.RootStackType) {
		urn := resource.NewURN(stack, project, "", resource.RootStackType, in.GetName())
		return &pulumirpc.RegisterResourceResponse{Urn: string(urn)}, nil
	}
	if in.GetCustom() && inputs.ContainsUnknowns() && !e.preview {
		return nil, errors.New("an input of " + in.GetType() + " is unknown")
	}
	if e.preview {
		urn := resource.NewURN(stack, project, "", "", in.GetName())
		return &pulumirpc.RegisterResourceResponse{Urn: string(urn), Object: in.GetObject()}, nil
	}
	r, state := e.aws.create(in.GetType(), in.GetName(), in.GetParent(), in.GetDependencies(), inputs)
	object, err := plugin.MarshalProperties(state, plugin.MarshalOptions{})
	return &pulumirpc.RegisterResourceResponse{Urn: r.urn, Id: r.id, Object: object}, err
}

func (e *engine) RegisterResourceOutputs(_ context.Context, in *pulumirpc.RegisterResourceOutputsRequest) (*emptypb.Empty, error) {
	outputs, err := plugin.UnmarshalProperties(in.GetOutputs(), plugin.MarshalOptions{KeepUnknowns: true})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.outputs[string(resource.URN(in.GetUrn()).Type())] = outputs
	return &emptypb.Empty{}, err
}

func (e *engine) SignalAndWaitForShutdown(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (e *engine) Log(_ context.Context, in *pulumirpc.LogRequest) (*emptypb.Empty, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.said = append(e.said, in.GetMessage())
	return &emptypb.Empty{}, nil
}

func (e *engine) GetRootResource(context.Context, *pulumirpc.GetRootResourceRequest) (*pulumirpc.GetRootResourceResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return &pulumirpc.GetRootResourceResponse{Urn: e.root}, nil
}

func (e *engine) SetRootResource(_ context.Context, in *pulumirpc.SetRootResourceRequest) (*pulumirpc.SetRootResourceResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.root = in.GetUrn()
	return &pulumirpc.SetRootResourceResponse{}, nil
}
