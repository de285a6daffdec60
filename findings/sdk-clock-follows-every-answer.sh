#!/usr/bin/env bash
# aws-sdk-go-v2 (core 1.48.0, s3 1.114.10) sets its clock by the Date of every
# answer, of one that succeeded, too.
#
# That a client mends its clock after RequestTimeTooSkewed is well known. Here
# nothing has failed: an answer of 200 with a Date 20 minutes ahead, as of one
# node of several whose clock is wrong, or of a cache, and the next request is
# signed 20 minutes ahead. A server with the right time refuses that one (S3
# allows 15 minutes), although the client's own clock was right all along.
#
# What helps: knowing it, where requests fail by turns behind a load balancer;
# the answer to the refused request has the right Date and mends it again.
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
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func main() {
	ahead := []time.Duration{20 * time.Minute, 0, 0} // of the Date of each answer
	var signed []time.Duration
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil {
			panic(err)
		}
		w.Header().Set("Date", time.Now().Add(ahead[len(signed)]).UTC().Format(http.TimeFormat))
		signed = append(signed, time.Until(at).Round(time.Minute))
	}))
	defer server.Close()
	client := s3.New(s3.Options{
		BaseEndpoint: &server.URL, UsePathStyle: true, Region: "us-east-1", HTTPClient: server.Client(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}, nil
		}),
	})
	for i := range ahead {
		if _, err := client.HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")}); err != nil {
			panic(err)
		}
		fmt.Printf("request %d: signed %v ahead, answered 200 with a Date %v ahead\n", i+1, signed[i], ahead[i])
	}
	if signed[0] != 0 || signed[1] != 20*time.Minute || signed[2] != 0 {
		fmt.Println("CHANGED: the second request was expected to be signed 20 minutes ahead")
		os.Exit(1)
	}
}
GO

go mod tidy 2>/dev/null
go list -m github.com/aws/aws-sdk-go-v2 github.com/aws/aws-sdk-go-v2/service/s3
go run .
