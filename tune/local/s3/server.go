// Package s3 is a local S3 that handles reads and listings as the real one does inside a region: over TLS and
// HTTP/1.1, with its latency, its request limit, its checksums, and the bandwidth of a connection and of a Lambda
// function. Objects are in memory.
//
// It leaves out DNS and the check of signatures, and does not close connections after some hundred requests.
package s3

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"golang.org/x/time/rate"

	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/slowmotion"
)

// Server is a running local S3. Close it after use. What it does not answer itself, gofakes3 does.
type Server struct {
	URL string // the endpoint, https://127.0.0.1:PORT
	CA  []byte // the certificate to trust, in PEM

	http   *http.Server
	memory gofakes3.Backend
	fake   http.Handler                               // gofakes3's, of memory
	wait   func(context.Context, time.Duration) error // fails if the context ends first

	now     atomic.Pointer[invocation]
	served  atomic.Int64  // since the start
	objects sync.Map      // object by path: those from Put, until a client overwrites them
	stored  atomic.Uint64 // number of Puts
}

// object can be sent as a whole, which costs less than gofakes3's answer.
type object struct {
	place  uint64 // from 1, in the order of Put
	header http.Header
	body   []byte
}

// invocation is shared by the requests of an invocation.
type invocation struct {
	profile.S3
	slow    slowmotion.Factor
	seed, k uint64
	reads   sync.Map // by path, an *atomic.Uint64 that counts first attempts
	others  atomic.Uint64
	granted atomic.Int64
	network []*rate.Limiter // in bytes a second, of all connections together
	limit   *rate.Limiter   // in requests a second
}

// Start serves an empty S3, without latency or request limit until the first Begin. logs receives connection errors.
func Start(logs *log.Logger) (*Server, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the local S3: %w", err)
	}
	cert := certificate()
	s := &Server{URL: "https://" + ln.Addr().String(), memory: s3mem.New(), wait: wait}
	s.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	// A skew limit would refuse requests that a small memory size sends slowly.
	s.fake = gofakes3.New(s.memory, gofakes3.WithTimeSkewLimit(0)).Server()
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ErrorLog:          logs,
		ReadHeaderTimeout: time.Minute,
		// Without dynamic sizes an object of 9 KB is one TLS record instead of eight.
		TLSConfig:    &tls.Config{Certificates: []tls.Certificate{cert}, DynamicRecordSizingDisabled: true},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // S3 does not speak HTTP/2
	}
	s.Begin(profile.S3{}, 1, 0, 0)
	go func() { _ = s.http.ServeTLS(ln, "", "") }() // until it is closed
	return s, nil
}

// certificate makes a self-signed certificate for 127.0.0.1 and this run only. Clients verify it as they would S3's.
func certificate() tls.Certificate {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // never fails
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "local S3"},
		NotBefore:   time.Now().Add(-time.Hour),
		NotAfter:    time.Now().AddDate(0, 0, 7),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, _ := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key) // fails only for another template
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Put stores an object and makes its bucket if there is none. The i-th Put of n draws the latencies i, i+n and so on:
// put objects in the order of a listing, which is that of their keys' bytes.
func (s *Server) Put(bucket, key string, body []byte) {
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body))
	header := http.Header{
		"Accept-Ranges":  {"bytes"},
		"Content-Length": {strconv.Itoa(len(body))},
		"Content-Type":   {"application/json"},
		"Etag":           {fmt.Sprintf(`"%x"`, md5.Sum(body))},
		"Last-Modified":  {time.Now().UTC().Format(http.TimeFormat)},
		"Server":         {"AmazonS3"},
		// S3 sends these for an object that was uploaded with CRC32.
		"X-Amz-Checksum-Crc32": {base64.StdEncoding.EncodeToString(sum)},
		"X-Amz-Checksum-Type":  {"FULL_OBJECT"},
	}
	meta := map[string]string{"Content-Type": header.Get("Content-Type"), "Last-Modified": header.Get("Last-Modified")}
	_ = s.memory.CreateBucket(bucket)                                                          // fails if there is one
	_, _ = s.memory.PutObject(bucket, key, meta, bytes.NewReader(body), int64(len(body)), nil) // cannot fail
	s.objects.Store("/"+bucket+"/"+key, object{place: s.stored.Add(1), header: header, body: body})
}

// Begin begins invocation k. Its requests draw the latencies (seed, k, 1), (seed, k, 2) and so on of the profile, and
// both its bandwidth and its request rate may burst again. A rate of 0 in the profile is no limit.
func (s *Server) Begin(p profile.S3, slow slowmotion.Factor, seed, k uint64) {
	limiter := func(perSecond float64, burst int) *rate.Limiter {
		if perSecond == 0 {
			return rate.NewLimiter(rate.Inf, 0)
		}
		return rate.NewLimiter(rate.Limit(perSecond)/rate.Limit(slow.Times()), burst)
	}
	network := []*rate.Limiter{limiter(profile.Bandwidth, profile.BurstBytes), limiter(profile.BurstBandwidth, 2*profile.Piece)}
	s.now.Store(&invocation{S3: p, slow: slow, seed: seed, k: k, network: network, limit: limiter(p.GetsPerSecond, p.Burst)})
}

// Requests returns how many GETs, HEADs and listings of the invocation were answered, except those answered SlowDown.
func (s *Server) Requests() int { return int(s.now.Load().granted.Load()) }

func (s *Server) Close() error { return s.http.Close() }
