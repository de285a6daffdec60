package local

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// executable returns the path of the function's executable: function itself
// where that is one, else what `go build` makes of that package, in dir.
func executable(ctx context.Context, function, dir string) (string, error) {
	info, err := os.Stat(function)
	if err == nil && info.Mode().IsRegular() {
		if info.Mode()&0o111 == 0 {
			return "", fmt.Errorf("the function %s is a file that is not executable: name an executable that speaks the Lambda Runtime API, or a Go package", function)
		}
		return filepath.Abs(function)
	}
	bootstrap := filepath.Join(dir, "bootstrap")
	if err := build(ctx, function, bootstrap); err != nil {
		return "", err
	}
	if info, err = os.Stat(bootstrap); err != nil || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("the function %s is a Go package that is not package main: name one that is, or an executable", function)
	}
	return bootstrap, nil
}

// build compiles a Go package for this machine, as the deployment compiles it
// for Lambda.
func build(ctx context.Context, pkg, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	// An interrupt lets go remove its own temporary folder.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &words, &words
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("building the function %s needs the go command on PATH; or name an executable with -function: %w", pkg, err)
	default:
		return fmt.Errorf("building the function %s: %w\n%s", pkg, err, bytes.TrimSpace(words.Bytes()))
	}
}

// reported are the modules on which a function's figures depend.
var reported = []string{
	"github.com/aws/aws-lambda-go",
	"github.com/aws/aws-sdk-go-v2/service/s3",
	"github.com/sourcegraph/conc",
	"golang.org/x/sync",
}

// versions reads from a Go executable what it was built with.
func versions(path string) map[string]string {
	v := map[string]string{"tune": runtime.Version()}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return v // not a Go program
	}
	v["go"] = info.GoVersion
	for _, name := range reported {
		for _, m := range info.Deps {
			if m.Path == name {
				v[name] = m.Version
			}
		}
	}
	return v
}
