// Package s3 is a local S3 that behaves, for reads and listings, as the real
// one does inside a region: over TLS, HTTP/1.1 alone, with its latency, its
// request limit, its checksums, and the bandwidth of a connection and of a
// Lambda function. Objects live in memory.
//
// What it leaves out: DNS, connections that S3 closes after some hundred
// requests, and the check of signatures.
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

// Server is a running local S3. Close it.
type Server struct {
	URL string // the endpoint, https://127.0.0.1:PORT
	CA  []byte // the certificate to trust, as PEM

	Seed uint64 // of the latencies, from the next Begin on

	model *model
	http  *http.Server
}

// Start serves an empty S3. logs takes what goes wrong on connections.
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
	m := &model{
		// A skew limit would refuse a request that a small memory size took long to send.
		next:    gofakes3.New(backend, gofakes3.WithTimeSkewLimit(0)).Server(),
		backend: backend,
		profile: p,
		wait:    wait,
		slow:    slow,
	}
	s := &Server{
		Seed:  seed,
		model: m,
		http: &http.Server{
			Handler:           m,
			ErrorLog:          logs,
			ReadHeaderTimeout: time.Minute,
			TLSConfig: &tls.Config{
				Certificates: []tls.Certificate{cert},
				// An object of 9 KB is one record, not eight.
				DynamicRecordSizingDisabled: true,
			},
			TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // S3 speaks no HTTP/2
		},
		URL: "https://" + ln.Addr().String(),
		CA:  ca,
	}
	s.Begin(0)
	go func() { _ = s.http.ServeTLS(ln, "", "") }() // until it is closed
	return s, nil
}

// Put stores an object, in a bucket that it makes where there is none. The
// first of n objects that are put draws the latencies 1, 1+n and so on: put
// them in the order of a listing, that of their keys' bytes.
func (s *Server) Put(bucket, key string, body []byte) error {
	const contentType = "application/json"
	modified := time.Now().UTC().Format(http.TimeFormat)
	_ = s.model.backend.CreateBucket(bucket) // fails where there is one
	_, err := s.model.backend.PutObject(bucket, key,
		map[string]string{"Content-Type": contentType, "Last-Modified": modified},
		bytes.NewReader(body), int64(len(body)), nil)
	if err != nil {
		return fmt.Errorf("storing %s in the local S3: %w", key, err)
	}
	s.model.objects.Store("/"+bucket+"/"+key, newObject(s.model.stored.Add(1), body, modified, contentType))
	return nil
}

// Begin says that the requests from now on belong to invocation k: they draw
// their latencies from (seed, k, 1), (seed, k, 2) and so on, and the function
// may burst again, as its prefix may.
func (s *Server) Begin(k int) {
	s.model.now.Store(&invocation{seed: s.Seed, k: uint64(k), network: newNetwork(s.model.profile, s.model.slow),
		limit: rate.NewLimiter(rate.Limit(s.model.profile.GetsPerSecond)/rate.Limit(s.model.slow.Times()), s.model.profile.Burst)})
}

// BeginUnlimited is Begin without a limit of requests: what a read costs the
// processor is measured so.
func (s *Server) BeginUnlimited(k int) {
	s.Begin(k)
	s.model.now.Load().limit.SetLimit(rate.Inf)
}

// Requests returns how many GETs, HEADs and listings there were since the start,
// those apart that were refused with SlowDown.
func (s *Server) Requests() int64 { return s.model.served.Load() - s.model.slowDowns.Load() }

func (s *Server) Close() error { return s.http.Close() }

// certificate makes one for 127.0.0.1 and this run alone: it signs itself, and
// its key never leaves this process. Clients verify it as they would S3's.
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
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return server, nil, fmt.Errorf("making the local S3's certificate: %w", err)
	}
	server = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return server, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
