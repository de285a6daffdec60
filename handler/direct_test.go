package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// The first attempt without the SDK's stack: which requests it sends and which responses it accepts.

// answerOf returns a complete response in the bytes of HTTP.
func answerOf(content string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Amz-Checksum-Crc32: %s\r\n\r\n%s", len(content), crc32Of([]byte(content)), content)
}

func crc32Of(content []byte) string { return base64Of(crc32.ChecksumIEEE(content)) }

func base64Of(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

func TestBytesThatNobodyAskedForAreNotTheNextAnswer(t *testing.T) {
	s3 := newS3(t)
	s3.put(t, "mine.json", []byte(`[1, 2, 3]`))
	for name, deliver := range map[string]func(conn io.Writer){
		"at once": func(conn io.Writer) { _, _ = io.WriteString(conn, answerOf(`[1]`)+answerOf(`[1, 2]`)) },
		"one by one": func(conn io.Writer) {
			_, _ = io.WriteString(conn, answerOf(`[1]`))
			_, _ = io.WriteString(conn, answerOf(`[1, 2]`))
		},
	} {
		for range 20 { // chance decides how they share packets
			b := openTestBucket(t, s3, stallTime)
			sent := make(chan struct{})
			s3.injure(func(n int64) fault {
				if n > 0 {
					return nil
				}
				return func(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder) {
					deliver(hijack(w).(*tls.Conn)) // it stays open
					close(sent)
				}
			})
			if o, err := b.read(t.Context(), "sample.json", -1); err != nil || o.records != 1 {
				t.Fatalf("%s: read = %+v, %v; want the first answer's one record", name, o, err)
			}
			<-sent
			if o, err := b.read(t.Context(), "mine.json", -1); err != nil || o.records != 3 {
				t.Fatalf("%s: the next read = %+v, %v; want the 3 records of its own object", name, o, err)
			}
		}
	}
}

func TestARequestRepeatsNothingThatIsAnothers(t *testing.T) {
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "reader")
	t.Setenv("_X_AMZN_TRACE_ID", "Root=1-first")
	s3 := newS3(t)
	b := openTestBucket(t, s3, stallTime)
	var seen []http.Header
	s3.injure(always(func(w http.ResponseWriter, r *http.Request, whole *httptest.ResponseRecorder) {
		seen = append(seen, r.Header.Clone())
		serve(w, whole, whole.Body.Bytes())
	}))
	for _, trace := range []string{"Root=1-first", "Root=1-second", ""} {
		t.Setenv("_X_AMZN_TRACE_ID", trace)
		//lint:ignore SA1029 this is aws-lambda-go's key
		if _, err := b.read(context.WithValue(t.Context(), "x-amzn-trace-id", trace), "sample.json", -1); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string][]string{
		"X-Amzn-Trace-Id":      {"Root=1-first", "Root=1-second", ""},
		"Accept-Encoding":      {"identity", "identity", "identity"},
		"X-Amz-Checksum-Mode":  {"ENABLED", "ENABLED", "ENABLED"},
		"X-Amz-Security-Token": {"", "", ""},
	} {
		for i, header := range seen {
			if got := header.Get(name); got != want[i] {
				t.Errorf("request %d has %s %q, want %q", i, name, got, want[i])
			}
		}
	}
	first := seen[0].Get("Amz-Sdk-Invocation-Id")
	for i, header := range seen[1:] {
		if id := header.Get("Amz-Sdk-Invocation-Id"); id == first || header.Get("User-Agent") != seen[0].Get("User-Agent") {
			t.Errorf("request %d: invocation id %q after %q, user agent %q; want no other's id, and the SDK's user agent", i+1, id, first, header.Get("User-Agent"))
		}
	}
}

// client is a function as an HTTP client.
type client func(*http.Request) (*http.Response, error)

func (c client) Do(r *http.Request) (*http.Response, error) { return c(r) }

func TestOnlyABucketOfGeneralPurposeIsReadWithoutTheSDK(t *testing.T) {
	b := openTestBucket(t, newS3(t), stallTime)
	for name, want := range map[string]bool{
		"objects":         true,
		"objects.example": true, // addressed by path, because no certificate has its name
		"arn:aws:s3:eu-central-1:123456789012:accesspoint/orders":          false,
		"arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap":          false, // signed by SigV4A
		"orders-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias":                false,
		"orders-o01ac5d28a6a232904e8xz5w8ijx1qzlbp3i3kuse10--op-s3":        false, // of Outposts
		"orders--euc1-az1--x-s3":                                           false, // S3 Express
		"arn:aws:s3-object-lambda:eu-central-1:123456789012:accesspoint/o": false,
	} {
		d := &direct{bucket: name}
		var asked, learnt bool
		sdk := s3.New(b.s3.Options(), func(o *s3.Options) {
			o.BaseEndpoint, o.Retryer = nil, aws.NopRetryer{}
			o.HTTPClient = client(func(r *http.Request) (*http.Response, error) {
				if r.URL.Query().Has("session") {
					return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("<CreateSessionResult><Credentials>" +
						"<AccessKeyId>A</AccessKeyId><SecretAccessKey>B</SecretAccessKey><SessionToken>C</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></CreateSessionResult>"))}, nil
				}
				asked, learnt = true, d.learn(r, "a/b c") != nil
				return nil, errors.New("nothing is sent")
			})
		})
		_, err := sdk.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &name, Key: aws.String("a/b c")})
		if !asked || learnt != want {
			t.Errorf("bucket %q: asked %t, a template %t, want %t (%v)", name, asked, learnt, want, err)
		}
	}
}

func TestAnObjectIsAskedForOnceWhateverItsChecksum(t *testing.T) {
	s3 := newS3(t)
	whole := sample(t)
	sum64 := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc64.Checksum(whole, nvme)))
	for name, header := range map[string][2]string{
		"none":         {"X-Amz-Checksum-None", ""},
		"of its parts": {"X-Amz-Checksum-Crc32", "AAAAAA==-3"},
		"CRC64NVME":    {"X-Amz-Checksum-Crc64nvme", sum64},
	} {
		s3.injure(always(func(w http.ResponseWriter, _ *http.Request, recorded *httptest.ResponseRecorder) {
			recorded.Header().Del("X-Amz-Checksum-Crc32")
			recorded.Header().Del("X-Amz-Checksum-Type")
			recorded.Header().Set(header[0], header[1])
			serve(w, recorded, recorded.Body.Bytes())
		}))
		b := openTestBucket(t, s3, stallTime)
		var counted tally
		for range 10 {
			if o, err := b.read(counted.into(t.Context()), "sample.json", -1); err != nil || o.records != records {
				t.Errorf("%s: read = %+v, %v; want %d records", name, o, err, records)
			}
		}
		if gets, opened := s3.gets.Load(), counted.connections.Load(); gets != 10 || opened != 1 {
			t.Errorf("%s: %d GETs over %d connections for 10 reads, want 10 over one", name, gets, opened)
		}
	}
}

var update = flag.Bool("update", false, "write the golden files")

// The list changes with an upgrade of the SDK. Whatever the upgrade adds to requests
// or to reading responses must be added to [direct], unless it is not needed there.
func TestTheStackOfGetObjectIsTheOneThatWasLookedAt(t *testing.T) {
	b := openTestBucket(t, newS3(t), stallTime)
	var list strings.Builder
	_, err := b.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucketName), Key: aws.String("sample.json")}, func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			for _, id := range stack.List() {
				fmt.Fprintln(&list, id)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/getobject.txt"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(list.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || list.String() != string(want) {
		t.Errorf("the middlewares of GetObject, with %s next to it (%v; -update writes it):\n%s", golden, err, list.String())
	}
}
