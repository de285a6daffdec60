//go:build linux

package s3_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lambda-parallel-io/tune/profile"
)

// BenchmarkGET tells the processor time of a GET (cpu-us/op) from the model and
// from a handler that does nothing but write the object, over the same TLS. A
// client that reads and forgets is part of both.
func BenchmarkGET(b *testing.B) {
	object, err := os.ReadFile("../../../sample.json")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("model", func(b *testing.B) {
		s, client := server(b, "none", string(object))
		benchmarkGET(b, s.URL[len("https://"):], client.Transport.(*http.Transport).TLSClientConfig.RootCAs, len(object))
		if _, slow := s.Counters(); slow > 0 {
			b.Errorf("%d GETs were answered SlowDown", slow)
		}
	})
	b.Run("plain handler", func(b *testing.B) {
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", fmt.Sprint(len(object)))
			_, _ = w.Write(object)
		}))
		defer s.Close()
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		benchmarkGET(b, s.Listener.Addr().String(), roots, len(object))
	})
}

func benchmarkGET(b *testing.B, addr string, roots *x509.CertPool, size int) {
	conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: roots})
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	request := []byte("GET " + keyPath + "?x-id=GetObject HTTP/1.1\r\nHost: " + addr + "\r\nUser-Agent: aws-sdk-go-v2/1.47.7\r\nAccept-Encoding: identity\r\n" +
		"Amz-Sdk-Invocation-Id: 11111111-2222-4333-8444-555555555555\r\nAmz-Sdk-Request: attempt=1; max=3\r\nX-Amz-Checksum-Mode: ENABLED\r\nX-Amz-Date: 20261101T000000Z\r\n\r\n")
	in := bufio.NewReaderSize(conn, 1<<14)
	burst := profile.MustParse("none").Burst
	start := processorTime()
	for i := range b.N {
		if i%(burst-1) == burst-2 {
			time.Sleep(time.Second / 10) // what was granted at once is granted again
		}
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		for line := []byte("x"); len(bytes.TrimSpace(line)) > 0; {
			if line, err = in.ReadSlice('\n'); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := io.CopyN(io.Discard, in, int64(size)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(processorTime()-start)/1e3/float64(b.N), "cpu-us/op")
}

func processorTime() time.Duration {
	var ru unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &ru)
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}
