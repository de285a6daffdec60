package sfntest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The fake is for tests: no program has it.
func TestOnlyTestsImportTheFake(t *testing.T) {
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if strings.Contains(string(source), `tune/internal/sfntest"`) {
			t.Errorf("%s imports it", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
