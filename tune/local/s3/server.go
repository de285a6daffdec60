// Package s3 is a local S3 that handles reads and listings as the real one does inside
// a region: over TLS and HTTP/1.1, with its latency, its request limit, its checksums,
// and the bandwidth of a connection and of a Lambda function. Objects are in memory.
//
// It leaves out DNS and the check of signatures, and does not close connections after
// some hundred requests.
package s3

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"golang.org/x/time/rate"

	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/slowmotion"
)

// Server is a running local S3. Close it after use.
type Server struct {
	URL string // the endpoint, https://127.0.0.1:PORT
	CA  []byte // the certificate to trust, in PEM

	Seed uint64 // of the latencies, from the next Begin on

	model *model
	http  *http.Server
}

// Start serves an empty S3. logs receives connection errors.
func Start(p profile.S3, seed uint64, slow slowmotion.Factor, logs *log.Logger) (*Server, error) {
	cert, ca, err := certificate()
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the local S3: %w", err)
	}
	backend := s3mem.New()
	// A skew limit would refuse requests that a small memory size sends slowly.
	fake := gofakes3.New(backend, gofakes3.WithTimeSkewLimit(0)).Server()
	m := &model{next: fake, backend: backend, profile: p, wait: wait, slow: slow}
	s := &Server{URL: "https://" + ln.Addr().String(), CA: ca, Seed: seed, model: m, http: &http.Server{
		Handler:           m,
		ErrorLog:          logs,
		ReadHeaderTimeout: time.Minute,
		// Without dynamic sizes an object of 9 KB is one TLS record instead of eight.
		TLSConfig:    &tls.Config{Certificates: []tls.Certificate{cert}, DynamicRecordSizingDisabled: true},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // S3 does not speak HTTP/2
	}}
	s.Begin(0)
	go func() { _ = s.http.ServeTLS(ln, "", "") }() // until it is closed
	return s, nil
}

// Put stores an object and makes its bucket if there is none. The i-th Put of n draws
// the latencies i, i+n and so on: put objects in the order of a listing, which is that
// of their keys' bytes.
func (s *Server) Put(bucket, key string, body []byte) error {
	const contentType = "application/json"
	modified := time.Now().UTC().Format(http.TimeFormat)
	_ = s.model.backend.CreateBucket(bucket) // fails if there is one
	meta := map[string]string{"Content-Type": contentType, "Last-Modified": modified}
	if _, err := s.model.backend.PutObject(bucket, key, meta, bytes.NewReader(body), int64(len(body)), nil); err != nil {
		return fmt.Errorf("storing %s in the local S3: %w", key, err)
	}
	s.model.objects.Store("/"+bucket+"/"+key, newObject(s.model.stored.Add(1), body, modified, contentType))
	return nil
}

// Begin begins invocation k. Its requests draw the latencies (seed, k, 1), (seed, k, 2)
// and so on, and both its bandwidth and its request rate may burst again.
func (s *Server) Begin(k int) {
	m := s.model
	network := []*rate.Limiter{m.newLimiter(profile.Bandwidth, profile.BurstBytes), m.newLimiter(profile.BurstBandwidth, 2*profile.Piece)}
	m.now.Store(&invocation{seed: s.Seed, k: uint64(k), network: network, limit: m.newLimiter(m.profile.GetsPerSecond, m.profile.Burst)})
}

// BeginUnlimited is Begin without the request limit. Calibrations need it.
func (s *Server) BeginUnlimited(k int) {
	s.Begin(k)
	s.model.now.Load().limit.SetLimit(rate.Inf)
}

// BeginInstant is BeginUnlimited without latency. Warm-ups need it: they are about reads, not time.
func (s *Server) BeginInstant() {
	s.BeginUnlimited(0)
	s.model.now.Load().instant = true
}

// Requests returns how many GETs, HEADs and listings were answered since the start,
// except those answered SlowDown.
func (s *Server) Requests() int64 { return s.model.served.Load() - s.model.slowDowns.Load() }

func (s *Server) Close() error { return s.http.Close() }

// certificate makes a self-signed certificate for 127.0.0.1 and this run only. Clients
// verify it as they would S3's.
func certificate() (server tls.Certificate, authority []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return server, nil, fmt.Errorf("making the local S3's key: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "local S3"},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(7 * 24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return server, nil, fmt.Errorf("making the local S3's certificate: %w", err)
	}
	server = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return server, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
