// Package build compiles a function exactly as for deployment, so that
// measurements and tests run the same binary as Lambda.
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

// settings pins every Go setting through which the environment, or the file of
// `go env -w`, could change the executable. No value is empty, because with an
// empty value Go uses the file's. So GOFLAGS is -mod=readonly, which is the
// default, and GOEXPERIMENT is a comma, which is an empty list.
var settings = []string{
	"CGO_ENABLED=0", "GOOS=linux",
	"GOFLAGS=-mod=readonly", "GOWORK=off", "GOEXPERIMENT=,", "GOFIPS140=off",
	"GOAMD64=v1", "GOARM64=v8.0",
}

// Ours reports whether pkg, a path relative to the current folder, is this
// project's function: the folder handler of the current folder.
func Ours(pkg string) bool {
	function, err := filepath.Abs(pkg)
	ours, errOurs := filepath.Abs("handler")
	return err == nil && errOurs == nil && function == ours
}

// Function compiles the package pkg, named as in the folder dir ("" means the
// current one), for Linux on goarch, into the file out. The same sources and the
// same Go version give the same bytes on every machine. The error holds go's
// output, or is the cause of ctx.
func Function(ctx context.Context, dir, pkg, goarch, out string) error {
	cmd := command(ctx, dir, "go", "build", "-trimpath", "-buildvcs=false",
		"-tags", tags, "-ldflags", "-s -w", "-o", out, pkg)
	cmd.Env = append(append(cmd.Env, settings...), "GOARCH="+goarch, scratch(out))
	return run(ctx, cmd, "building the function "+pkg)
}

// tags excludes the part of aws-lambda-go that only the former runtime go1.x
// needed.
const tags = "lambda.norpc"

// Package compiles a user's package as go build would in its folder: in its own
// module or workspace, with the user's settings, and with the user's tags added to
// ours. pkg is a folder, or a package of the module of dir, named as in dir. The
// executable out is for this machine. Errors are like those of Function.
func Package(ctx context.Context, dir, pkg, out string) error {
	task := "building the function " + pkg
	if at := filepath.Join(dir, pkg); isDir(at) {
		dir, pkg = at, "."
	}
	var theirs bytes.Buffer
	list := command(ctx, dir, "go", "list", "-f", `{{join context.BuildTags ","}}`, "unsafe")
	list.Stdout = &theirs
	if err := run(ctx, list, task); err != nil {
		return err
	}
	cmd := command(ctx, dir, "go", "build", "-tags", tags+","+strings.TrimSpace(theirs.String()), "-o", out, pkg)
	cmd.Env = append(cmd.Env, "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH, scratch(out))
	return run(ctx, cmd, task)
}

// scratch makes go work beside out, in a folder that the caller removes: an interrupt
// before go compiles ends it without removing its own.
func scratch(out string) string { return "GOTMPDIR=" + filepath.Dir(out) }

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = cmd.Environ()
	// After an interrupt a command can clean up: go removes its temporary folder.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run runs cmd. Its error begins with task and ends with the command's output, or
// is the cause of ctx.
func run(ctx context.Context, cmd *exec.Cmd, task string) error {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = cmp.Or[io.Writer](cmd.Stdout, &output), &output
	switch err := cmd.Run(); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		return fmt.Errorf("%s: %w\n%s", task, err, bytes.TrimSpace(output.Bytes()))
	}
}
