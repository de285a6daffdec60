#!/usr/bin/env bash
# Pulumi's Go SDK 3.190.0 packs an executable file without its executable bit.
#
# A FileArchive of a folder, and an AssetArchive of files, become a zip in which
# every file has the mode 0666, whatever it has on the disk. A Lambda function on
# provided.al2023 starts the file bootstrap of that zip, and Lambda unpacks it
# with its mode: such a function is deployed without a word and cannot start.
# `zip -r` and `aws lambda update-function-code` of the same folder work.
#
# What helps: make the zip oneself, with the mode in the header, and give
# FileArchive its path: a ready archive is passed on byte for byte.
#
# The script exits with 0 as long as this is so.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off GOFLAGS=-mod=mod

cat > go.mod <<'MOD'
module finding

go 1.26

require github.com/pulumi/pulumi/sdk/v3 v3.190.0
MOD

cat > main.go <<'GO'
package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/archive"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/asset"
)

// mode packs as a provider does that takes a zip, and returns the mode of the
// only file.
func mode(of *archive.Archive, err error) fs.FileMode {
	if err != nil {
		panic(err)
	}
	var packed bytes.Buffer
	if err := of.Archive(archive.ZIPArchive, &packed); err != nil {
		panic(err)
	}
	files, err := zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		panic(err)
	}
	return files.File[0].Mode()
}

func main() {
	path := filepath.Join("function", "bootstrap")
	if err := os.Mkdir("function", 0o755); err != nil {
		panic(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		panic(err)
	}
	file, err := asset.FromPath(path)
	if err != nil {
		panic(err)
	}
	on, err := os.Stat(path)
	if err != nil {
		panic(err)
	}
	folder, single := mode(archive.FromPath("function")), mode(archive.FromAssets(map[string]any{"bootstrap": file}))
	fmt.Printf("bootstrap on the disk                %v\nin the archive of its folder         %v\nin an archive with it as an asset    %v\n", on.Mode(), folder, single)
	if on.Mode()&0o111 == 0 || folder&0o111 != 0 || single&0o111 != 0 {
		fmt.Println("CHANGED: both archives were expected to lose the executable bit")
		os.Exit(1)
	}
}
GO

go mod tidy 2>/dev/null
go list -m github.com/pulumi/pulumi/sdk/v3
go run .
