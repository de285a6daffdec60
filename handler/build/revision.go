package build

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// Checkout writes the files of a revision (a commit, branch or tag) from the git
// repository of the current folder into the folder dir, an absolute path. It
// returns the folder below dir that corresponds to the current one. It leaves the
// repository, its index and its work tree unchanged, and omits submodules. The
// error holds git's output, or is the cause of ctx.
func Checkout(ctx context.Context, revision, dir string) (string, error) {
	git := func(task string, args ...string) (string, error) {
		var out bytes.Buffer
		cmd := command(ctx, "", "git", args...)
		cmd.Env = append(cmd.Env, "GIT_INDEX_FILE="+filepath.Join(dir, "index")) // not the repository's own
		cmd.Stdout = &out
		err := run(ctx, cmd, task)
		return strings.TrimSuffix(out.String(), "\n"), err
	}
	found, err := git("looking for the git repository of the current folder", "rev-parse", "--show-toplevel", "--show-prefix")
	if err != nil {
		return "", err
	}
	top, prefix, _ := strings.Cut(found, "\n")
	commit, err := git(fmt.Sprintf("looking for the revision %q, which must be a commit, branch or tag that git has here (a shallow clone lacks most)", revision),
		"rev-parse", "--verify", "--end-of-options", revision+"^{commit}")
	if err != nil {
		return "", err
	}
	tree := filepath.Join(dir, "tree")
	for _, args := range [][]string{{"read-tree", commit}, {"checkout-index", "--all", "--prefix=" + tree + "/"}} {
		if _, err := git("checking out "+revision, append([]string{"-C", top}, args...)...); err != nil {
			return "", err
		}
	}
	return filepath.Join(tree, prefix), nil
}
