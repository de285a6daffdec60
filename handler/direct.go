package main

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/encoding/httpbinding"
)

// direct makes the first attempt of a read without the SDK's middleware stack,
// which costs more than the rest of the read. It repeats a request that the SDK
// made for another object, with this object's key and signature. It accepts only a
// 200 whose checksum proves the body complete. Any other outcome goes to GetObject,
// which uses it for its own first attempt. So errors, retries and counts
// are the SDK's, and no request is sent twice, but for a redirected one.
type direct struct {
	*transport
	budget      *budget
	bucket      string
	credentials aws.CredentialsProvider
	signer      s3.HTTPSignerV4
	template    atomic.Pointer[template]
	skew        atomic.Int64 // S3's clock minus this one, in ns, as measured by the SDK
}

// template is a GetObject request without a key, a time and a signature: its URL
// ends where the key begins.
type template struct {
	*http.Request
	region string
}

// ownHeader lists the headers of a GetObject request. The value is true if the
// header differs between requests. A request with any other header cannot become
// a template.
var ownHeader = map[string]bool{
	"Accept-Encoding": false, "User-Agent": false, "X-Amz-Checksum-Mode": false, "X-Amz-Content-Sha256": false,
	"Amz-Sdk-Invocation-Id": true, "Amz-Sdk-Request": true, "Authorization": true,
	"X-Amz-Date": true, "X-Amz-Security-Token": true, "X-Amzn-Trace-Id": true,
}

// Do sends the SDK's request, or returns the outcome that [direct.get] handed
// over. It removes x-amz-retry-after (ms): the SDK would lengthen RetryDelay to
// it, by up to 5 s (aws-sdk-go-v2 core 1.48.0), and reads refused together would
// be retried together.
func (d *direct) Do(r *http.Request) (resp *http.Response, err error) {
	p := progressOf(r.Context())
	if o := p.handed; o != nil {
		p.handed, resp, err = nil, o.resp, o.err
	} else {
		if p.key != "" && d.template.Load() == nil {
			d.template.Store(d.learn(r, p.key))
		}
		resp, err = d.transport.Do(r)
	}
	if resp == nil {
		return d.dated(), err
	}
	resp.Header.Del("X-Amz-Retry-After")
	return resp, err
}

// dated returns a response of status 0 with S3's time. After an attempt without a
// Date, the SDK would sign the next one by this machine's clock (aws-sdk-go-v2 core
// 1.48.0), and S3 would refuse it if that clock is off.
func (d *direct) dated() *http.Response {
	now := time.Now().Add(time.Duration(d.skew.Load()))
	return &http.Response{Header: http.Header{"Date": {now.UTC().Format(http.TimeFormat)}}, Body: http.NoBody}
}

// learn returns a template made from r. It returns nil unless r addresses a
// general purpose bucket by its own name (not S3 Express, no access point) and is
// signed with Signature Version 4.
func (d *direct) learn(r *http.Request, key string) *template {
	signature, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=")
	credential, _, _ := strings.Cut(signature, ",")
	scope := strings.Split(credential, "/") // access key, date, region, service, aws4_request
	path, ends := strings.CutSuffix(r.URL.EscapedPath(), httpbinding.EscapePath(key, false))
	named := strings.HasSuffix(path, "/"+d.bucket+"/") || path == "/" && strings.HasPrefix(r.URL.Host, d.bucket+".")
	if !ok || len(scope) != 5 || scope[3] != "s3" || !ends || !named || strings.Contains(path, "%") || strings.HasSuffix(d.bucket, "-s3alias") {
		return nil
	}
	t := &template{r.Clone(context.Background()), scope[2]}
	t.URL.Path = path
	for name := range r.Header {
		own, known := ownHeader[name]
		if !known {
			return nil
		}
		if own {
			t.Header.Del(name)
		}
	}
	return t
}

// request returns a signed request for the object of that key. It fails if there are
// no credentials or signing fails.
func (d *direct) request(ctx context.Context, t *template, key string, skew time.Duration) (*http.Request, error) {
	credentials, err := d.credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	r := t.Clone(ctx)
	r.URL.Path, r.URL.RawPath = t.URL.Path+key, t.URL.Path+httpbinding.EscapePath(key, false)
	if id, _ := ctx.Value("x-amzn-trace-id").(string); id != "" { // set by aws-lambda-go
		r.Header.Set("X-Amzn-Trace-Id", id)
	}
	return r, d.signer.SignHTTP(ctx, credentials, r, r.Header.Get("X-Amz-Content-Sha256"), "s3", t.region, time.Now().Add(skew))
}

// get returns the object's body. It returns nil if GetObject must take over.
func (d *direct) get(ctx context.Context, p *progress) *body {
	t := d.template.Load()
	if t == nil {
		return nil
	}
	skew := time.Duration(d.skew.Load())
	r, err := d.request(ctx, t, p.key, skew)
	if err != nil {
		return nil
	}
	resp, err := d.transport.Do(r)
	check := checksum(resp)
	if check == nil {
		p.handed = &handover{resp: resp, err: err, skew: skew}
		return nil
	}
	whole, err := d.readWhole(ctx, p, resp.Body, resp.ContentLength, check)
	if err != nil {
		p.handed = &handover{body: err}
		return nil
	}
	p.attempts = 1
	whole.encoding = resp.Header.Get("Content-Encoding")
	return whole
}

var checksums = []struct {
	name, header string
	sum          func([]byte) []byte
}{ // in the SDK's order of preference
	{"CRC64NVME", "X-Amz-Checksum-Crc64nvme", func(b []byte) []byte { return binary.BigEndian.AppendUint64(nil, crc64.Checksum(b, nvme)) }},
	{"CRC32", "X-Amz-Checksum-Crc32", func(b []byte) []byte { return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b)) }},
}

// nvme is the table of CRC64NVME, from its polynomial with the bits reversed.
var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// checksum returns a function that compares a body with the response's checksum.
// It returns nil unless the response is a 200 with a checksum of the whole object:
// a checksum of an object's parts ends in a hyphen and the number of parts.
func checksum(resp *http.Response) func(body []byte) error {
	if resp == nil || resp.StatusCode != http.StatusOK {
		return nil
	}
	for _, c := range checksums {
		want := resp.Header.Get(c.header)
		if want == "" || strings.Contains(want, "-") {
			continue
		}
		return func(body []byte) error {
			if got := base64.StdEncoding.EncodeToString(c.sum(body)); got != want {
				return fmt.Errorf("checksum did not match: algorithm %s, expect %s, actual %s", c.name, want, got)
			}
			return nil
		}
	}
	return nil
}
