// Package s3 is a local S3 that behaves, for reads of small objects, as the
// real one does inside a region: over TLS, HTTP/1.1 alone, with its latency,
// its request limit and its checksums. Objects live in memory.
//
// What it leaves out: DNS, network bandwidth, connections that S3 closes after
// some hundred requests, and the check of signatures.
package s3

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"golang.org/x/time/rate"
)

// Server is a running local S3. Close it.
type Server struct {
	model  *model
	http   *http.Server
	url    string
	ca     []byte
	served chan error
}

// Start serves an S3 without buckets on a free port of 127.0.0.1. logs takes
// what goes wrong on connections.
func Start(latency Latency, seed uint64, logs *log.Logger) (*Server, error) {
	cert, ca, err := certificate()
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the local S3: %w", err)
	}
	backend := s3mem.New()
	m := &model{
		// A skew limit would refuse a request that a small memory size took long to send.
		next:      gofakes3.New(backend, gofakes3.WithTimeSkewLimit(0)).Server(),
		backend:   backend,
		latency:   latency,
		seed:      seed,
		limit:     rate.NewLimiter(GetsPerSecond, Burst),
		checksums: map[string]string{},
	}
	s := &Server{
		model: m,
		http: &http.Server{
			Handler:           m,
			ErrorLog:          logs,
			ReadHeaderTimeout: time.Minute,
			TLSConfig: &tls.Config{
				Certificates: []tls.Certificate{cert},
				MinVersion:   tls.VersionTLS12,
				NextProtos:   []string{"http/1.1"}, // S3 speaks no HTTP/2
			},
			TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		},
		url:    "https://" + ln.Addr().String(),
		ca:     ca,
		served: make(chan error, 1),
	}
	go func() { s.served <- s.http.ServeTLS(ln, "", "") }()
	return s, nil
}

// URL is the endpoint, https://127.0.0.1:PORT.
func (s *Server) URL() string { return s.url }

// CA is the certificate of the authority to trust, as PEM.
func (s *Server) CA() []byte { return s.ca }

// CreateBucket makes an empty bucket.
func (s *Server) CreateBucket(name string) error {
	if err := s.model.backend.CreateBucket(name); err != nil {
		return fmt.Errorf("making the bucket %s in the local S3: %w", name, err)
	}
	return nil
}

// Put stores an object, with the checksum that S3 would keep.
func (s *Server) Put(bucket, key string, body []byte) error {
	// By a request rather than by the backend, which would store no Last-Modified.
	err := s.put("/"+bucket+"/"+key, body)
	if err != nil {
		return fmt.Errorf("storing %s in the local S3: %w", key, err)
	}
	return nil
}

func (s *Server) put(path string, body []byte) error {
	r, err := http.NewRequest(http.MethodPut, s.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.URL.Path = path // set, not parsed: a key may hold any character
	r.Header.Set("Content-Type", "application/json")
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(answer.Body, 1000))
		return errors.Join(fmt.Errorf("%s: %s", answer.Status, text), err)
	}
	s.model.setChecksum(path, crc32Of(body))
	return nil
}

// Begin says that the GETs from now on belong to invocation k: they draw
// their latencies from (seed, k, 1), (seed, k, 2) and so on.
func (s *Server) Begin(k int) {
	s.model.invocation.Store(uint64(k))
	s.model.gets.Store(0)
	s.model.retries.Store(0)
}

// Counters returns the reads answered since the start, and those of them that
// were answered SlowDown.
func (s *Server) Counters() (reads, slowDowns int64) {
	return s.model.served.Load(), s.model.slowDowns.Load()
}

// Close ends the server and its connections.
func (s *Server) Close() error {
	err := s.http.Shutdown(closed())
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		return fmt.Errorf("serving the local S3: %w", served)
	}
	if errors.Is(err, context.Canceled) { // connections were open: their clients are gone
		err = s.http.Close()
	}
	return err
}

func closed() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
