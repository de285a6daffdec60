package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// Whatever a server answers, a read ends: it fails or returns the complete body. The
// reference is how net/http reads the same bytes.
func FuzzAnswer(f *testing.F) {
	whole := answerOf(`[1, 2]`)
	for _, seed := range []string{whole, whole[:40], whole[:len(whole)-2], whole + whole, "", "HTTP/1.1 100 Continue\r\n\r\n" + whole,
		"HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\n[1]", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\n\r\n",
		"HTTP/1.1 503 Slow\r\nX-Amz-Retry-After: 60000\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 307 Moved\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nX-Amz-Checksum-Crc64nvme: AAAAAAAAAAA=\r\n\r\n[]", "HTTP/1.1 200 OK\r\nContent-Range: bytes 0-1/5\r\nContent-Length: 2\r\n\r\n[]"} {
		f.Add([]byte(seed))
	}
	var first []byte
	served := 0
	b := openRawBucket(f, rawS3(f, func(_ *http.Request, w io.Writer) error {
		if served++; served == 2 { // the first made the template
			_, _ = w.Write(first)
			return errors.New("closed")
		}
		_, _ = io.WriteString(w, whole)
		return nil
	}))
	f.Fuzz(func(t *testing.T, answer []byte) {
		first, served = answer, 0
		b.direct.template.Store(nil)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if o, err := b.read(ctx, "sample.json", -1); err != nil || o.bytes != 6 {
			t.Fatalf("read = %+v, %v; want what answers well to be read", o, err)
		}
		o, err := b.read(ctx, "sample.json", -1)
		if ctx.Err() != nil {
			t.Fatalf("the read of %q did not end: %v", answer, err)
		}
		if err != nil || o.bytes == 6 && o.records == 2 {
			return
		}
		body, ok := reference(answer)
		if !ok || int64(len(body)) != o.bytes {
			t.Errorf("the answer %q was read as %+v, and by net/http as %q", answer, o, body)
		}
	})
}

// reference returns the body if net/http accepts the answer as a complete 200.
func reference(answer []byte) (body []byte, ok bool) {
	t := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, its := net.Pipe()
		go func() {
			_, _ = http.ReadRequest(bufio.NewReader(its))
			_, _ = its.Write(answer)
			its.Close()
		}()
		return ours, nil
	}}
	defer t.CloseIdleConnections()
	r, _ := http.NewRequest(http.MethodGet, "http://s3.test/", bytes.NewReader(nil)) // it is constant
	resp, err := t.RoundTrip(r)
	if err != nil {
		return nil, false
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return body, err == nil && resp.StatusCode/100 == 2
}
