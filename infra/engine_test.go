package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// engine is the part of Pulumi's engine that a program communicates with.
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

// run runs the program to its end with a new engine. The configuration is that of the
// files at the root, except for the keys in set.
func run(t *testing.T, root string, preview bool, set map[string]string) *engine {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return runProgram(t, self, root, preview, set)
}

func runProgram(t *testing.T, program, root string, preview bool, set map[string]string) *engine {
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
	cmd.Env = append(os.Environ(), asProgram+"=true", "PULUMI_PROJECT="+project, "PULUMI_STACK="+stack, "PULUMI_ROOT_DIRECTORY="+root,
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

// inputs returns the registered inputs by type, as JSON. An asset is represented by
// its path and the hash of its content, by which the engine compares it.
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

// RegisterResource answers a preview as a provider does: only with the inputs,
// because the resource does not exist.
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
	e.said = append(e.said, in.GetSeverity().String()+": "+in.GetMessage())
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
