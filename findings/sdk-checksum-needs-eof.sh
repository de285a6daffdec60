#!/usr/bin/env bash
# aws-sdk-go-v2 (core 1.48.0, s3 1.114.10) validates an object's checksum only
# where its reader goes on to io.EOF: a body that is read to its exact length
# passes with a wrong one.
#
# With ResponseChecksumValidation, which is on by default, one expects an error
# once the last byte is there. It comes with the read after that. io.ReadFull into
# a buffer of ContentLength bytes, the cheapest way to read an object whose size
# is known, never makes that read, and Close tells nothing either.
#
# What helps: read on until io.EOF, by io.ReadAll, io.Copy or one read more.
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

require (
	github.com/aws/aws-sdk-go-v2 v1.48.0
	github.com/aws/aws-sdk-go-v2/service/s3 v1.114.10
)
MOD

cat > main.go <<'GO'
package main

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func main() {
	// The object was "hello, world"; one letter of it is lost on the way.
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte("hello, world")))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("x-amz-checksum-crc32", base64.StdEncoding.EncodeToString(sum))
		io.WriteString(w, "hello, w0rld")
	}))
	defer server.Close()
	client := s3.New(s3.Options{
		BaseEndpoint: &server.URL, UsePathStyle: true, Region: "us-east-1", HTTPClient: server.Client(),
		Credentials:                aws.AnonymousCredentials{},
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported, // as config.LoadDefaultConfig sets it
	})
	read := func(by func(*s3.GetObjectOutput) error) error {
		out, err := client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")})
		if err != nil {
			panic(err)
		}
		err = by(out)
		if closing := out.Body.Close(); err == nil {
			err = closing
		}
		return err
	}
	exact := read(func(out *s3.GetObjectOutput) error {
		body := make([]byte, *out.ContentLength)
		_, err := io.ReadFull(out.Body, body)
		fmt.Printf("io.ReadFull read %q of a wrong checksum\n", body)
		return err
	})
	all := read(func(out *s3.GetObjectOutput) error {
		_, err := io.ReadAll(out.Body)
		return err
	})
	fmt.Printf("io.ReadFull and Close: %v\nio.ReadAll:            %v\n", exact, all)
	if exact != nil || all == nil {
		fmt.Println("CHANGED: an error was expected of io.ReadAll, and of it alone")
		os.Exit(1)
	}
}
GO

go mod tidy 2>/dev/null
go list -m github.com/aws/aws-sdk-go-v2 github.com/aws/aws-sdk-go-v2/service/s3
go run .
