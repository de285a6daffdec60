package main

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"lambda-parallel-io/handler/build"
)

// executable is the name of the file that the runtime provided.al2023 starts.
const executable = "bootstrap"

// builder builds the function of the project at root for a, and returns the path of
// its archive.
type builder func(ctx context.Context, root string, a architecture) (path string, err error)

// buildHandler compiles root/handler, packs it and returns the path of the archive,
// which depends only on root and a. The same sources and the same Go version give
// the same bytes on every machine and in every environment, so Pulumi shows no
// change if the sources did not change.
func buildHandler(ctx context.Context, root string, a architecture) (string, error) {
	dir := filepath.Join(root, "infra", ".build")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("building the function: %w", err)
	}
	// Use a new folder, because two stacks may be previewed at the same time.
	temp, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return "", fmt.Errorf("building the function: %w", err)
	}
	defer os.RemoveAll(temp)

	binary := filepath.Join(temp, executable)
	if err := build.Function(ctx, root, "./handler", a.goarch, binary); err != nil {
		return "", fmt.Errorf("for %s: %w", a.name, err)
	}
	packed := filepath.Join(temp, "function.zip")
	if err := pack(binary, packed); err != nil {
		return "", fmt.Errorf("packing the function: %w", err)
	}
	path := filepath.Join(dir, a.name+".zip")
	if err := os.Rename(packed, path); err != nil {
		return "", fmt.Errorf("packing the function: %w", err)
	}
	return path, nil
}

// pack writes an archive with the file binary to path. Lambda needs the mode of an
// executable. To be reproducible, the archive has a fixed date, the earliest that
// the format allows.
func pack(binary, path string) error {
	content, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	archive := zip.NewWriter(&buf)
	header := &zip.FileHeader{Name: executable, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	header.SetMode(0o755)
	entry, err := archive.CreateHeader(header)
	if err != nil {
		return err
	}
	if _, err := entry.Write(content); err != nil {
		return err
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, buf.Bytes(), 0o644)
}
