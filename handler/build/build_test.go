package build_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"lambda-parallel-io/handler/build"
)

// somebodys is a user's module, whose program prints the tags it was built with.
func somebodys(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range map[string]string{
		"go.mod":        "module example.com/mine\n\ngo 1.26\n",
		"main.go":       "package main\n\nimport \"os\"\n\nvar tags string\n\nfunc main() { os.Stdout.WriteString(tags) }\n",
		"theirs.go":     "//go:build theirs\n\npackage main\n\nfunc init() { tags += \"theirs \" }\n",
		"norpc.go":      "//go:build lambda.norpc\n\npackage main\n\nfunc init() { tags += \"norpc \" }\n",
		"sub/dir/no.md": "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSomebodysPackageIsBuiltInItsModuleWithItsTagsBesideOurs(t *testing.T) {
	dir, out := somebodys(t), filepath.Join(t.TempDir(), "bootstrap")
	for flags, want := range map[string]string{"": "norpc ", "-trimpath -tags=other,theirs": "norpc theirs "} {
		t.Setenv("GOFLAGS", flags)
		for in, pkg := range map[string]string{".": dir, filepath.Join(dir, "sub", "dir"): "../..", dir: "example.com/mine"} {
			t.Chdir(in)
			if err := build.Package(t.Context(), "", pkg, out); err != nil {
				t.Errorf("Package(%s) in %s with GOFLAGS=%q: %v", pkg, in, flags, err)
				continue
			}
			got, err := exec.Command(out).Output()
			if err != nil || string(got) != want {
				t.Errorf("Package(%s) in %s with GOFLAGS=%q has the tags %q, %v; want %q", pkg, in, flags, got, err, want)
			}
		}
	}
}

func TestAPackageThatDoesNotCompileIsNamedWithWhatGoSays(t *testing.T) {
	dir := somebodys(t)
	if err := os.WriteFile(filepath.Join(dir, "broken.go"), []byte("package main\n\nvar x int = \"text\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := build.Package(t.Context(), "", dir, filepath.Join(t.TempDir(), "bootstrap"))
	if err == nil || !strings.HasPrefix(err.Error(), "building the function "+dir+": exit status 1\n") || !strings.Contains(err.Error(), "broken.go:3:13") {
		t.Errorf("Package(%s) = %v, want the folder and what go says of broken.go", dir, err)
	}
}

// An interrupt while go loads packages ends it before it removes its folder.
func TestABuildWritesNothingTemporaryOutsideTheFolderOfTheExecutable(t *testing.T) {
	dir, out := somebodys(t), filepath.Join(t.TempDir(), "bootstrap")
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none")) // go fails if it needs it
	if err := build.Package(t.Context(), "", dir, out); err != nil {
		t.Error(err)
	}
	if err := build.Function(t.Context(), dir, ".", runtime.GOARCH, out); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), "*")); len(left) != 1 {
		t.Errorf("beside the executable there are %q", left)
	}
}

func TestOursIsTheHandlerOfTheCurrentFolderAlone(t *testing.T) {
	t.Chdir("../..")
	here, err := filepath.Abs("handler")
	if err != nil {
		t.Fatal(err)
	}
	for pkg, want := range map[string]bool{"./handler": true, "handler": true, "handler/": true, here: true, "./strategies": false, ".": false} {
		if build.Ours(pkg) != want {
			t.Errorf("Ours(%s) = %t, want %t", pkg, !want, want)
		}
	}
}
