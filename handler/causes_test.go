package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Errors name their cause and the remedy for it.

func TestTheRemedyIsThatOfS3sCode(t *testing.T) {
	s3 := newS3(t)
	p := start(t, s3.settings()...)
	const mayRead, checkKey = "check that the object exists", "check the key"
	for _, c := range []struct {
		status     int
		code, want string
	}{
		{403, "AccessDenied", mayRead},
		{403, "", mayRead}, // refused by something in front of S3
		{404, "NoSuchKey", checkKey},
		{404, "NoSuchAccessPoint", ""},
		{404, "NoSuchBucket", "check BUCKET"},
		{403, "SignatureDoesNotMatch", "check the credentials"},
		{403, "InvalidAccessKeyId", "check the credentials"},
		{403, "InvalidToken", "check the credentials"},
		{403, "ExpiredToken", "check the credentials"},
		{403, "RequestTimeTooSkewed", "set the clock"},
		{403, "InvalidObjectState", "the object is archived"},
		{403, "SomethingElse", ""},
		{400, "KMS.DisabledException", "needs kms:Decrypt"},
		{400, "KMS.NotFoundException", "needs kms:Decrypt"},
	} {
		s3.injure(always(refuse(c.status, c.code, "S3's own words")))
		if c.code == "" {
			s3.injure(always(func(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder) { w.WriteHeader(c.status) }))
		}
		_, err := p.invoke(`{"keys": ["orders/1"]}`, 20*time.Second)
		if err == nil || !strings.Contains(err.Error(), c.want) || s3.gets.Load() > 2 {
			t.Errorf("%d %s: %v after %d GETs, want an error with %q", c.status, c.code, err, s3.gets.Load(), c.want)
		}
		for _, other := range []string{mayRead, checkKey, "kms:Decrypt", "credentials"} {
			if err != nil && strings.Contains(err.Error(), other) != strings.Contains(c.want, other) {
				t.Errorf("%d %s: %v, want the remedy %q alone", c.status, c.code, err, c.want)
			}
		}
	}
}

func TestAMissingBucketIsNoMissingKey(t *testing.T) {
	s3 := newS3(t)
	p := start(t, s3.settings()...)
	s3.injureLists(always(func(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder) {
		w.WriteHeader(http.StatusNotFound)
	}))
	if _, err := p.invoke(`{"prefix": "orders/"}`, 20*time.Second); err == nil || !strings.Contains(err.Error(), "check BUCKET") {
		t.Errorf("a listing that answers 404 without a code: %v, want an error with %q", err, "check BUCKET")
	}
}

func TestWhatThrottlesIsTriedAgainWhereverItComesFrom(t *testing.T) {
	s3 := newS3(t)
	keys, _, found := orders("orders/", 200)
	s3.putOrders(t, keys)
	p := start(t, s3.settings()...)
	for _, name := range []string{"ThrottlingException", "DependencyTimeoutException", "KMSInternalException", "KeyUnavailableException"} {
		for _, prefix := range []string{"", "KMS."} {
			passing := refuse(400, prefix+name, "Rate exceeded")
			s3.injure(func(n int64) fault {
				if n < 200 && n%10 == 5 {
					return passing
				}
				return nil
			})
			a := p.report(t, map[string]any{"keys": keys, "onFailure": "report"}, time.Minute)
			if a.ObjectsRead != 200 || a.RecordsRead != found || a.Retries != 20 {
				t.Errorf("%s%s for 20 of 200 keys: %d read, %d failed, %d retries; want 200, 0, 20", prefix, name, a.ObjectsRead, a.Failed, a.Retries)
			}
		}
	}
	s3.injure(always(refuse(400, "KMS.ThrottlingException", "Rate exceeded")))
	if _, err := p.invoke(`{"keys": ["orders/1"]}`, 2*time.Second); err == nil || !strings.HasPrefix(err.Error(), "deadline: ") ||
		!strings.Contains(err.Error(), "KMS.ThrottlingException") || !strings.Contains(err.Error(), "Bucket Key") || strings.Contains(err.Error(), "kms:Decrypt") {
		t.Errorf("throttled until the deadline: %v, want KMS.ThrottlingException and its remedy", err)
	}
}

// deaf returns an address that does not answer a SYN: its listener never accepts
// a connection and its queue is full.
func deaf(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", at.(*syscall.SockaddrInet4).Port)
	for range 10 {
		c, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	t.Fatalf("%s still accepts", addr)
	return ""
}

func TestWithoutAWayToS3TheCallEndsSoonAndSaysWhereToLook(t *testing.T) {
	s3 := newS3(t)
	closed := listen(t)
	_ = closed.Close()
	for name, setting := range map[string]string{
		"nothing answers": "AWS_ENDPOINT_URL_S3=https://" + deaf(t),
		"no TLS":          "AWS_ENDPOINT_URL_S3=https://" + listen(t).Addr().String(), // whose queue the kernel accepts
		"refused":         "AWS_ENDPOINT_URL_S3=https://" + closed.Addr().String(),
		"no proxy":        "HTTPS_PROXY=http://" + closed.Addr().String() + "\nAWS_ENDPOINT_URL_S3=https://s3.test",
	} {
		for _, payload := range []string{`{"keys": ["a", "b", "c"], "onFailure": "report"}`, `{"objectKey": "a", "strategy": "unbounded", "repeat": 50}`, `{"prefix": "orders/"}`} {
			t.Run(name+" "+payload, func(t *testing.T) {
				t.Parallel()
				if name != "nothing answers" || !strings.Contains(payload, "keys") {
					slow(t)
				}
				p := start(t, s3.settings(strings.Split(setting, "\n")...)...)
				began := time.Now()
				_, err := p.invoke(payload, 10*time.Minute)
				for _, want := range []string{"no connection to S3 could be opened", "subnet", "S3 gateway endpoint", "security group", "DNS"} {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%v, want the call's error with %q", err, want)
					}
				}
				if took := time.Since(began); took > 30*time.Second {
					t.Errorf("the call ended after %v, want 30 s at most", took)
				}
			})
		}
	}
}

func TestTheDeadlineNamesWhatWasInFlightAndAdvisesByThat(t *testing.T) {
	s3 := newS3(t)
	addr := deaf(t)
	for _, c := range []struct {
		name, setting string
		f             fault
		want, advice  string
	}{
		{"no connection", "AWS_ENDPOINT_URL_S3=https://" + addr, nil, "in flight: 3 connecting", "check the network path to S3"},
		{"no answer", "", late(time.Minute), "in flight: 3 waiting for the first byte", "more memory does not change that"},
		{"half a body", "", stallWithin, "in flight: 3 reading", "raise the function's timeout or memory"},
		{"refused", "", slowDown, "SlowDown", "lower the concurrency"},
		{"refused once", "", first(slowDown, late(time.Minute)), "in flight: 3 waiting for the first byte", "more memory does not change that"},
	} {
		s3.injure(always(c.f))
		s3.injureLists(always(c.f))
		p := start(t, s3.settings(c.setting)...)
		for _, payload := range []string{`{"objectKey": "sample.json", "repeat": 3}`, `{"prefix": "sample"}`} {
			_, err := p.invoke(payload, 4*time.Second)
			want := c.want
			if strings.Contains(payload, "prefix") {
				want = strings.Replace(want, "3 ", "a page, ", 1)
			}
			if err == nil || !strings.Contains(err.Error(), "deadline: ") || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), c.advice) {
				t.Errorf("%s, %s: %v, want a deadline with %q and %q", c.name, payload, err, want, c.advice)
			}
		}
	}
}

func TestACauseThatHoldsForAllIsTheCallsError(t *testing.T) {
	s3 := newS3(t)
	for name, c := range map[string]struct {
		settings []string
		want     string
	}{
		"no credentials":               {[]string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_EC2_METADATA_DISABLED=true"}, "credentials"},
		"an endpoint without a scheme": {[]string{"AWS_ENDPOINT_URL_S3=" + strings.TrimPrefix(s3.URL, "https://")}, "127.0.0.1"},
		"a host that does not exist":   {[]string{"AWS_ENDPOINT_URL_S3=https://s3.invalid"}, "s3.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, s3.settings(c.settings...)...)
			began := time.Now()
			a, err := p.invoke(`{"keys": ["a", "b", "c"], "onFailure": "report"}`, 10*time.Minute)
			if err == nil || !strings.Contains(err.Error(), c.want) || time.Since(began) > 30*time.Second {
				t.Errorf("%d failed, %v after %v; want the call's error with %q within 30 s", a.Failed, err, time.Since(began), c.want)
			}
		})
	}
}

func TestAnObjectThatIsNoJSONSaysWhatIsExpectedAndWhereYourOwnWorkGoes(t *testing.T) {
	s3 := newS3(t)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte("[1, 2]"))
	_ = w.Close()
	s3.put(t, "lines.csv", []byte("a,b\n1,2\n"))
	s3.put(t, "empty", nil)
	s3.put(t, "packed.json.gz", packed.Bytes())
	s3.put(t, "utf-16.json", []byte("\xff\xfe[\x001\x00]\x00"))
	p := start(t, s3.settings()...)
	for key, want := range map[string][]string{
		"lines.csv":      {"it is not valid JSON: ", "elements of a JSON array", "handler/process.go"},
		"empty":          {"it is empty", "elements of a JSON array", "handler/process.go"},
		"packed.json.gz": {`its Content-Encoding is "gzip", which is not decoded`, "handler/process.go"},
		"utf-16.json":    {"it is not JSON in UTF-8", "handler/process.go"},
	} {
		s3.injure(nil)
		if strings.HasSuffix(key, ".gz") {
			s3.injure(always(func(w http.ResponseWriter, _ *http.Request, whole *httptest.ResponseRecorder) {
				whole.Header().Set("Content-Encoding", "gzip")
				serve(w, whole, whole.Body.Bytes())
			}))
		}
		for _, payload := range []string{fmt.Sprintf(`{"keys": [%q]}`, key), fmt.Sprintf(`{"objectKey": %q, "repeat": 2}`, key)} {
			_, err := p.invoke(payload, time.Minute)
			for _, want := range want {
				if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "EOF") {
					t.Errorf("%s: %v, want an error with %q", payload, err, want)
				}
			}
		}
	}
}

// The Python original returns these numbers: len(json.loads(body)).
func TestWhatTheOriginalReadsIsRead(t *testing.T) {
	for content, want := range map[string]int64{
		"\xef\xbb\xbf[1, 2]":                   2,
		`["\ud800", "\udfff x", "\ud83d"]`:     3,
		"[\"\xed\xa0\x80\", \"\xed\xbf\xbf\"]": 2,
		"[\"ä\", \"\\ud83d\\ude00\"]":          2,
	} {
		if got, err := countRecords([]byte(content)); got != want || err != nil {
			t.Errorf("countRecords(%q) = %d, %v; want %d", content, got, err, want)
		}
	}
	for _, content := range []string{"[\"\xff\"]", "[\"\xc3\"]", "[\"\xed\xa0\"]", "[\"\xed\xa0", "[\"\xe4\"]", "\xef\xbb\xbf", " \n", "[\"\xed\xa0\x80\xff\"]"} {
		if got, err := countRecords([]byte(content)); err == nil || strings.Contains(err.Error(), "EOF") {
			t.Errorf("countRecords(%q) = %d, %v; want an error in words", content, got, err)
		}
	}
}

func TestSeveralInvocationsInOneProcessHaveNoProcessorTimeOfTheirOwn(t *testing.T) {
	s3 := newS3(t)
	for atOnce, has := range map[string]bool{"": true, "1": true, "2": false} {
		p := start(t, s3.settings("AWS_LAMBDA_MAX_CONCURRENCY="+atOnce)...)
		if a := p.must(t, `{"repeat": 20, "objectKey": "sample.json"}`, time.Minute); (a.CPUSec > 0) != has {
			t.Errorf("AWS_LAMBDA_MAX_CONCURRENCY=%s: cpu_sec %v, want one: %v", atOnce, a.CPUSec, has)
		}
	}
}

func TestOnlyAGeneralPurposeBucketIsTaken(t *testing.T) {
	good := newS3(t).settings()
	for bucket, want := range map[string]string{
		"orders--use1-az4--x-s3":                                                 "a directory bucket",
		"orders-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias":                      "an access point",
		"orders-4sexamplev3qoijdpq3ehjhzyauzu1a--ol-s3":                          "an Object Lambda access point",
		"arn:aws:s3:eu-central-1:123456789012:accesspoint/orders":                "an access point",
		"arn:aws:s3:::orders":                                                    "an ARN",
		"orders--table-s3":                                                       "a table bucket",
		"arn:aws:s3express:us-east-1:123456789012:bucket/orders--use1-az4--x-s3": "a directory bucket",
	} {
		p := start(t, append(good, "BUCKET="+bucket)...)
		<-p.exited
		if log := p.log.String(); p.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(log, want) || !strings.Contains(log, bucket) {
			t.Errorf("BUCKET=%s: exit code %d, log %q; want 1 and %q", bucket, p.cmd.ProcessState.ExitCode(), log, want)
		}
	}
}
