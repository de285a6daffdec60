// Command infra is the Pulumi program of the deployment. It deploys a bucket with
// the sample object, the function that reads it, Power Tuning, which measures the
// function, and a state machine that distributes many objects over calls of the
// function. The configuration can name an existing bucket instead, and add a
// budget. Pulumi.yaml, at the root, points to this program and declares the
// configuration with its defaults.
package main

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		outputs, err := deploy(ctx, buildHandler)
		for name, value := range outputs {
			ctx.Export(name, value)
		}
		return err
	})
}

// deploy registers every resource and returns the stack's outputs. The caller
// passes the build, so that a test can do without one.
func deploy(ctx *pulumi.Context, build builder) (pulumi.Map, error) {
	if ctx.RootDirectory() == "" {
		return nil, errors.New("pulumi did not say where Pulumi.yaml is: this program needs a newer Pulumi CLI")
	}
	cfg, err := readConfig(ctx)
	if err != nil {
		return nil, err
	}
	if err := warnAboutRegion(ctx); err != nil {
		return nil, err
	}
	// The first build takes a minute without any other output.
	if err := ctx.Log.Info(fmt.Sprintf("building the function for %s", cfg.architecture.name), nil); err != nil {
		return nil, err
	}
	code, err := build(ctx.Context(), ctx.RootDirectory(), cfg.architecture)
	if err != nil {
		return nil, err
	}
	from, err := newSource(ctx, cfg)
	if err != nil {
		return nil, err
	}
	function, err := newFunction(ctx, cfg, code, from)
	if err != nil {
		return nil, err
	}
	tuning, err := newPowerTuning(ctx, cfg, function)
	if err != nil {
		return nil, err
	}
	many, err := newBatch(ctx, cfg, from, function)
	if err != nil {
		return nil, err
	}
	if err := newBudget(ctx, cfg); err != nil {
		return nil, err
	}
	return outputs(cfg, from, function, tuning, many), nil
}
