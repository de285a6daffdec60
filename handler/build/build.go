// Package build compiles a function as it is deployed, so that what is measured
// and tested is what runs on Lambda.
package build

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
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

// Ours reports whether the package, as it is named in the current folder, is the
// one beside this one.
func Ours(pkg string) bool {
	function, err := filepath.Abs(pkg)
	ours, errOurs := filepath.Abs("handler")
	return err == nil && errOurs == nil && function == ours
}

// Function compiles the package pkg, as it is named in the folder dir ("" is the
// current one), for Linux on a processor of goarch, into the file out. The same
// sources and the same Go give the same bytes, on whatever machine. The error
// holds what go has said, or is the cause of ctx.
func Function(ctx context.Context, dir, pkg, goarch, out string) error {
	cmd := command(ctx, dir, "go", "build", "-trimpath", "-buildvcs=false",
		"-tags", tags, "-ldflags", "-s -w", "-o", out, pkg)
	cmd.Env = append(append(cmd.Env, settings...), "GOARCH="+goarch)
	return run(ctx, cmd, "building the function "+pkg)
}

// tags leaves out of aws-lambda-go what only the runtime go1.x needed.
const tags = "lambda.norpc"

// Package compiles somebody else's package as go build does in its folder: in its
// own module or workspace, with their settings and their tags beside ours. pkg is
// a folder, or a package of the module of dir, as it is named there; the
// executable out is one for this machine. Errors are those of Function.
func Package(ctx context.Context, dir, pkg, out string) error {
	what := "building the function " + pkg
	if at := filepath.Join(dir, pkg); isDir(at) {
		dir, pkg = at, "."
	}
	var theirs bytes.Buffer
	list := command(ctx, dir, "go", "list", "-f", `{{join context.BuildTags ","}}`, "unsafe")
	list.Stdout = &theirs
	if err := run(ctx, list, what); err != nil {
		return err
	}
	cmd := command(ctx, dir, "go", "build", "-tags", tags+","+strings.TrimSpace(theirs.String()), "-o", out, pkg)
	cmd.Env = append(cmd.Env, "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	return run(ctx, cmd, what)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = cmd.Environ()
	// An interrupt lets a command remove what it has begun, as go does its temporary folder.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

func run(ctx context.Context, cmd *exec.Cmd, what string) error {
	var words bytes.Buffer
	cmd.Stdout, cmd.Stderr = cmp.Or[io.Writer](cmd.Stdout, &words), &words
	switch err := cmd.Run(); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		return fmt.Errorf("%s: %w\n%s", what, err, bytes.TrimSpace(words.Bytes()))
	}
}
