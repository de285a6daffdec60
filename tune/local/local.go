// Package local runs a comparison on this machine: the function runs as a real
// process under a model of Lambda and reads from a model of S3.
package local

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"lambda-parallel-io/handler/build"
)

// Options is what a comparison on this machine needs beside its Spec.
type Options struct {
	Objects []Object    // of the local S3, in the order of a listing
	Env     []string    // KEY=VALUE, for the function
	Verbose *log.Logger // receives each invocation's REPORT line; may be nil
	Output  io.Writer   // receives what the function prints; may be nil
}

// LeastRounds is how many rounds each memory size gets, whatever the time limit. They
// are enough to exclude a much slower variant.
const LeastRounds = 3

// executable returns the path of the function's executable. function is its path, a
// Go package to build in dir, or REVISION:PACKAGE to build that revision's. Our own
// function is built as for deployment, any other as its owner would build it.
func executable(ctx context.Context, function, dir string) (string, error) {
	info, err := os.Stat(function)
	if err == nil && info.Mode().IsRegular() {
		if info.Mode()&0o111 == 0 {
			return "", fmt.Errorf("the function %s is a file that is not executable: name an executable that speaks the Lambda Runtime API, or a Go package", function)
		}
		return filepath.Abs(function)
	}
	root, pkg := "", function
	if revision, within, ok := strings.Cut(function, ":"); ok && err != nil {
		if pkg = within; pkg == "" || filepath.IsAbs(pkg) {
			return "", fmt.Errorf("the function %s: it must be REVISION:PACKAGE with a package below this folder, such as main:./handler", function)
		}
		if root, err = build.Checkout(ctx, revision, dir); err != nil {
			return "", err
		}
	}
	bootstrap := filepath.Join(dir, "bootstrap")
	if build.Ours(pkg) {
		err = build.Function(ctx, root, pkg, runtime.GOARCH, bootstrap)
	} else {
		err = build.Package(ctx, root, pkg, bootstrap)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%w\nput the go command on PATH, or name an executable with --function", err)
	} else if err != nil {
		return "", err
	}
	if info, err = os.Stat(bootstrap); err != nil || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("the function %s is a Go package that is not package main: name one that is, or an executable", function)
	}
	return bootstrap, nil
}

// reported lists the modules on which a function's figures depend.
var reported = []string{"github.com/aws/aws-lambda-go", "github.com/aws/aws-sdk-go-v2/service/s3", "github.com/sourcegraph/conc", "golang.org/x/sync"}

// Commit returns the commit that this program was built from, empty if unknown. go run
// records none, so git is asked.
func Commit(ctx context.Context) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) > 12 {
				return s.Value[:12]
			}
		}
	}
	out, _ := exec.CommandContext(ctx, "git", "log", "-1", "--format=%h", "--abbrev=12", "--", "tune/comparison").Output() // fails outside a clone
	return strings.TrimSpace(string(out))
}

// versions returns this program's commit, and for a Go program the versions of Go and
// of the reported modules that it was built with.
func versions(ctx context.Context, path string) map[string]string {
	v := map[string]string{}
	if commit := Commit(ctx); commit != "" {
		v["tune"] = commit
	}
	if info, err := buildinfo.ReadFile(path); err == nil {
		v["go"] = info.GoVersion
		for _, m := range info.Deps {
			if slices.Contains(reported, m.Path) {
				v[m.Path] = m.Version
			}
		}
	}
	return v
}
