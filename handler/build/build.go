// Package build compiles a function as it is deployed, so that what is measured
// and tested is what runs on Lambda.
package build

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// settings overrules each setting by which an environment, or go's own settings
// file (`go env -w`), could change the executable. None is empty, since an empty
// value lets the file through: -mod=readonly is the default, and a comma a
// list of no experiments.
var settings = []string{
	"CGO_ENABLED=0", "GOOS=linux",
	"GOFLAGS=-mod=readonly", "GOWORK=off", "GOEXPERIMENT=,", "GOFIPS140=off",
	"GOAMD64=v1", "GOARM64=v8.0",
}

// Function compiles the package pkg, as it is named in the folder dir ("" is the
// current one), for Linux on a processor of goarch, into the file out. The same
// sources and the same Go give the same bytes, on whatever machine. The error
// holds what go has said, or is the cause of ctx.
func Function(ctx context.Context, dir, pkg, goarch, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", out, pkg)
	cmd.Dir = dir
	cmd.Env = append(append(cmd.Environ(), settings...), "GOARCH="+goarch)
	// An interrupt lets go remove its own temporary folder.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	words, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		return fmt.Errorf("building the function %s: %w\n%s", pkg, err, bytes.TrimSpace(words))
	}
}
