package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
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
	// Without a desktop's session it may run the browser itself, and end with
	// that: only a failure at once is one to tell of.
	cmd := exec.Command(name, path)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("-open: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("-open: %s %s: %w", name, path, err)
		}
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
	}
	return nil
}
