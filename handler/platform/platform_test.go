package platform_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A number may also appear in lists of sizes, in text and in the simulated services
// of tests, which are examples and not rules.
func TestANumberOfThePlatformStandsOnce(t *testing.T) {
	places := map[int64][]string{1769: nil, 5500: nil, 200_000: nil, 262_144: nil}
	root := "../.."
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/internal/sfntest/") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, isLiteral := n.(*ast.BasicLit)
			if isLiteral && literal.Kind == token.INT {
				value, _ := strconv.ParseInt(literal.Value, 0, 64)
				if found, watched := places[value]; watched {
					places[value] = append(found, path)
				}
			}
			_, isList := n.(*ast.CompositeLit)
			return !isList
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for value, found := range places {
		if !slices.ContainsFunc(found, func(path string) bool { return strings.Contains(path, "handler/platform/") }) || len(found) > 1 {
			t.Errorf("%d appears in %d places, want one, in handler/platform: %s", value, len(found), strings.Join(found, ", "))
		}
	}
}
