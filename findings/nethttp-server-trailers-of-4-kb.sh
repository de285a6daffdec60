#!/usr/bin/env bash
# Go's net/http (1.26) reads no trailers of more than 4 KB in a server, whatever its
# MaxHeaderBytes, while a client reads them as far as its ReadBufferSize allows.
#
# The limit of a header is MaxHeaderBytes, 1 MB by default. That of the trailers after a
# chunked body is the size of the connection's read buffer, since their end is looked
# for there. A server's buffer has 4 KB and no option. A request with longer trailers
# is not refused: all of its body is read, and then, in place of io.EOF, comes "http:
# suspiciously long trailer after chunked body". A handler that copies the body, or
# ignores that error, has lost the trailers.
#
# Lambda's Runtime API is such a server's protocol: a streamed response that breaks
# tells its error in a trailer, in base64, so that 3 KB of cause or stack trace are
# more than net/http takes. For aws-lambda-go a response that was not taken is fatal.
#
# What helps: take the connection over (http.Hijacker) after that error, and read the
# trailers from its buffer.
#
# The script exits with 0 as long as this is so.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off GOFLAGS=-mod=mod GOTOOLCHAIN=go1.26.0+auto

cat > go.mod <<'MOD'
module finding

go 1.26
MOD

cat > main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
)

// request sends a body and a trailer of n bytes, and returns what the server reads.
func request(n int) (got string) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		got = fmt.Sprintf("body %q, trailer of %d bytes, error %v", body, len(r.Trailer.Get("Cause")), err)
	}))
	server.Config.MaxHeaderBytes = 1 << 20
	server.Start()
	defer server.Close()
	r, _ := http.NewRequest("POST", server.URL, io.NopCloser(strings.NewReader("half")))
	r.Trailer = http.Header{"Cause": {strings.Repeat("x", n)}}
	if resp, err := server.Client().Do(r); err == nil {
		resp.Body.Close()
	}
	return got
}

// response sends them the other way, to a client with a read buffer of that size.
func response(n, buffer int) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Cause")
		_, _ = io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		w.Header().Set("Cause", strings.Repeat("x", n))
	}))
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{ReadBufferSize: buffer}}
	resp, err := client.Get(server.URL)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("body %q, trailer of %d bytes, error %v", body, len(resp.Trailer.Get("Cause")), err)
}

func main() {
	const long = "http: suspiciously long trailer after chunked body"
	changed := false
	for _, c := range []struct{ what, got, want string }{
		{"server, 3,000 bytes", request(3_000), `body "half", trailer of 3000 bytes, error <nil>`},
		{"server, 5,000 bytes, MaxHeaderBytes 1 MB", request(5_000), `body "half", trailer of 0 bytes, error ` + long},
		{"client, 5,000 bytes, default buffer", response(5_000, 0), `body "half", trailer of 0 bytes, error ` + long},
		{"client, 5,000 bytes, ReadBufferSize 64 KB", response(5_000, 64<<10), `body "half", trailer of 5000 bytes, error <nil>`},
	} {
		fmt.Printf("%-42s %s\n", c.what, c.got)
		changed = changed || c.got != c.want
	}
	fmt.Println(runtime.Version())
	if changed {
		fmt.Println("CHANGED: a server was expected to read no trailers of 5,000 bytes")
		os.Exit(1)
	}
}
GO

go run .
