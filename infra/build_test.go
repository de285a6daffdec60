package main

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The test builds the real function twice for each architecture, the second time in
// an environment and with go settings that would change the binary. For another
// architecture than this machine's, it compiles Go's standard library first.
func TestTwoBuildsGiveEqualBytesThatLambdaCanRun(t *testing.T) {
	for _, test := range []struct {
		arch    architecture
		machine elf.Machine
	}{
		{architectures[0], elf.EM_AARCH64},
		{architectures[1], elf.EM_X86_64},
	} {
		t.Run(test.arch.name, func(t *testing.T) {
			if test.arch.goarch != runtime.GOARCH {
				slow(t)
			}
			root := repository(t)
			first, path := built(t, root, test.arch)

			settings := filepath.Join(t.TempDir(), "go.env")
			write(t, settings, "GOFLAGS=-buildmode=pie\nGOEXPERIMENT=jsonv2\nGOAMD64=v2\n")
			t.Setenv("GOENV", settings)
			t.Setenv("GOARM64", "v8.1")
			t.Setenv("CGO_ENABLED", "1")
			second, again := built(t, root, test.arch)
			if !bytes.Equal(first, second) {
				t.Errorf("two builds differ, of %d and %d bytes: every `pulumi up` would change the function", len(first), len(second))
			}
			if path != again || !filepath.IsAbs(path) {
				t.Errorf("the archives are %s and %s, want one absolute path", path, again)
			}
			t.Setenv("GOENV", "")

			archive, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
			if err != nil {
				t.Fatal(err)
			}
			if len(archive.File) != 1 || archive.File[0].Name != "bootstrap" || archive.File[0].Mode() != 0o755 {
				t.Fatalf("the archive holds %+v, want bootstrap alone with mode 0755", archive.File)
			}
			if made := archive.File[0].Modified; made.Year() != 1980 {
				t.Errorf("bootstrap is dated %v, want a date that is the same in every build", made)
			}
			entry, err := archive.File[0].Open()
			if err != nil {
				t.Fatal(err)
			}
			binary, err := io.ReadAll(entry)
			if err != nil {
				t.Fatal(err)
			}
			program, err := elf.NewFile(bytes.NewReader(binary))
			if err != nil {
				t.Fatalf("bootstrap: %v", err)
			}
			if program.Machine != test.machine {
				t.Errorf("bootstrap is for %v, want %v", program.Machine, test.machine)
			}
			if bytes.Contains(binary, []byte(root)) {
				t.Errorf("bootstrap holds the path %s: another clone would give other bytes", root)
			}
		})
	}
}

func TestBuildLeavesNothingButTheArchive(t *testing.T) {
	t.Parallel()
	root := clone(t)
	built(t, root, architectures[0])
	entries, err := os.ReadDir(filepath.Join(root, "infra", ".build"))
	if err != nil || len(entries) != 1 || entries[0].Name() != "arm64.zip" {
		t.Errorf("infra/.build holds %v (%v), want arm64.zip alone", entries, err)
	}
}

func TestBuildThatFailsShowsTheCompilersWords(t *testing.T) {
	t.Parallel()
	root := clone(t)
	write(t, filepath.Join(root, "handler", "main.go"), "package main\n\nfunc main() { missing() }\n")
	_, err := buildHandler(t.Context(), root, architectures[0])
	for _, want := range []string{"for arm64: building the function", "undefined: missing", "main.go:3"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func built(t *testing.T, root string, a architecture) (content []byte, path string) {
	t.Helper()
	path, err := buildHandler(t.Context(), root, a)
	if err != nil {
		t.Fatal(err)
	}
	content, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content, path
}

// clone makes a root with the files that the program needs: a function of one line
// and the sample object.
func clone(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "module function\n\ngo 1.26\n")
	write(t, filepath.Join(root, "handler", "main.go"), "package main\n\nfunc main() {}\n")
	write(t, filepath.Join(root, "sample.json"), "[]\n")
	return root
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
