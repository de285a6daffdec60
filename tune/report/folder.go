package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"al.essio.dev/pkg/shellescape"

	"lambda-parallel-io/tune/comparison"
)

// Load reads a results.json.
func Load(name string) (*comparison.Comparison, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, err := comparison.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// RefuseUnfinished returns an error if dir holds an AWS comparison that can be resumed: overwriting it would lose paid
// results. An unreadable file counts as no comparison.
func RefuseUnfinished(dir string) error {
	if c, err := Load(filepath.Join(dir, DataFile)); err != nil || !c.Unfinished() {
		return nil
	}
	return fmt.Errorf("%s holds a comparison on AWS that is not finished\nresume it: go run ./tune aws --resume %s\nor write this one to another folder by -o DIR",
		dir, shellescape.Quote(dir))
}

// Writable makes dir, and returns an error if nothing can be saved there. It is called before anything is measured.
func Writable(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("-o %s: %w", dir, err)
	}
	f, err := os.CreateTemp(dir, ".tune-*")
	if err != nil {
		return fmt.Errorf("-o %s: results cannot be saved there: %w", dir, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
