package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"hash/crc32"
	"io"
	"log"
	"math"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

const bucketName = "objects"

// fakeS3 is gofakes3 over TLS, with S3's checksums and with faults on demand.
type fakeS3 struct {
	*httptest.Server
	store       http.Handler
	gets, lists atomic.Int64
	connections atomic.Int64         // accepted so far
	plan        atomic.Pointer[plan] // of GETs
	listPlan    atomic.Pointer[plan] // of the pages of listings
	caFile      string
}

// plan returns the fault of the n-th request since the plan was set, counted from 0,
// or nil for no fault.
type plan func(n int64) fault

// fault answers a request in place of S3, given S3's complete answer.
type fault func(w http.ResponseWriter, r *http.Request, whole *httptest.ResponseRecorder)

func newS3(t testing.TB) *fakeS3 {
	t.Helper()
	s := &fakeS3{
		store:  gofakes3.New(s3mem.New(), gofakes3.WithAutoBucket(true)).Server(),
		caFile: filepath.Join(t.TempDir(), "ca.pem"),
	}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it would log each fault
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	certificate := selfSigned(t)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}}
	s.StartTLS()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	pemBytes := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if err := os.WriteFile(s.caFile, pemBytes, 0o600); err != nil {
		t.Fatal(err)
	}
	s.put(t, "sample.json", sample(t))
	return s
}

// settings returns the environment that points the function to this server.
func (s *fakeS3) settings(more ...string) []string {
	return append([]string{
		"BUCKET=" + bucketName,
		"AWS_ENDPOINT_URL_S3=" + s.URL,
		"AWS_CA_BUNDLE=" + s.caFile,
		"AWS_REGION=eu-central-1",
		"AWS_ACCESS_KEY_ID=AKIDTEST",
		"AWS_SECRET_ACCESS_KEY=made for this test",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}, more...)
}

func (s *fakeS3) put(t testing.TB, key string, content []byte) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPut, s.URL+"/"+bucketName+"/"+key, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("put %s: %s", key, resp.Status)
	}
}

// injure sets the plan for GETs from now on.
func (s *fakeS3) injure(p plan) {
	s.gets.Store(0)
	s.plan.Store(&p)
}

// injureLists sets the plan for pages of listings from now on.
func (s *fakeS3) injureLists(p plan) {
	s.lists.Store(0)
	s.listPlan.Store(&p)
}

func (s *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	count, current := &s.gets, &s.plan
	if r.URL.Query().Has("list-type") {
		count, current = &s.lists, &s.listPlan
	}
	n := count.Add(1) - 1
	whole := httptest.NewRecorder()
	s.store.ServeHTTP(whole, r)
	if whole.Code == http.StatusOK {
		sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(whole.Body.Bytes()))
		whole.Header().Set("X-Amz-Checksum-Crc32", base64.StdEncoding.EncodeToString(sum))
		whole.Header().Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
	if p := current.Load(); p != nil && *p != nil {
		if f := (*p)(n); f != nil {
			f(w, r, whole)
			return
		}
	}
	serve(w, whole, whole.Body.Bytes())
}

// serve sends the headers of the whole answer and this body.
func serve(w http.ResponseWriter, whole *httptest.ResponseRecorder, body []byte) {
	header := w.Header()
	for name, values := range whole.Header() {
		header[name] = values
	}
	w.WriteHeader(whole.Code)
	_, _ = w.Write(body) // the client may have gone
}

// share returns a plan with f for that share of the GETs, evenly spread.
func share(p float64, f fault) plan {
	return func(n int64) fault {
		if _, frac := math.Modf(float64(n) * math.Phi); frac < p {
			return f
		}
		return nil
	}
}

// always returns a plan with f for every request.
func always(f fault) plan { return func(int64) fault { return f } }

func sample(t testing.TB) []byte {
	t.Helper()
	content, err := os.ReadFile("../sample.json")
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// selfSigned returns a self-signed certificate for 127.0.0.1.
func selfSigned(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
