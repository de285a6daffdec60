package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
)

// open shows a file by the desktop's own means.
func open(ctx context.Context, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("-open: %w", err)
	}
	name := "xdg-open"
	if runtime.GOOS == "darwin" {
		name = "open"
	}
	if out, err := exec.CommandContext(ctx, name, path).CombinedOutput(); err != nil {
		return fmt.Errorf("-open: %s %s: %w %s", name, path, err, out)
	}
	return nil
}
