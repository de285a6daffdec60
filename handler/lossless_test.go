package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"lambda-parallel-io/handler/event"
)

// Faults of S3 and the network: each object is read completely, or the call fails with
// the cause.

func TestWhatAnotherAttemptMendsIsReadAgain(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	p := start(t, s3.settings()...)
	const repeat = 200
	for name, f := range map[string]fault{
		"503 SlowDown":               slowDown,
		"500 InternalError":          internalError,
		"reset before the answer":    resetBefore,
		"reset within the body":      resetWithin,
		"cut body":                   cut,
		"body longer than announced": longer,
		"flipped bit":                corrupt,
		"wrong checksum":             wrongChecksum,
	} {
		s3.injure(share(0.2, f))
		a := p.must(t, fmt.Sprintf(`{"repeat": %d, "objectKey": "sample.json"}`, repeat), time.Minute)
		if a.BytesRead != int64(repeat*len(sample(t))) || a.RecordsRead != repeat*records {
			t.Errorf("%s: bytes_read %d, records_read %d; want %d, %d", name, a.BytesRead, a.RecordsRead, repeat*len(sample(t)), repeat*records)
		}
		// net/http itself resends a request if its idle connection turns out to be
		// closed before the first byte: that does not count as a retry. And S3 does
		// not see an attempt on a connection that the previous fault broke: at most
		// one for each fault.
		again := s3.gets.Load() - repeat
		least, most := int64(1), again
		switch name {
		case "reset before the answer":
			least, most = 0, 2*again
		case "reset within the body", "body longer than announced":
			most = 2 * again
		}
		if again < 1 || a.Retries < least || a.Retries > most {
			t.Errorf("%s: retries %d, and S3 saw %d requests beyond the %d reads", name, a.Retries, again, repeat)
		}
	}
}

func TestAStalledReadIsGivenUpAndMadeAgain(t *testing.T) {
	s3 := newS3(t)
	for name, f := range map[string]fault{"before the answer": stallBefore, "within the body": stallWithin} {
		b := openTestBucket(t, s3, 100*time.Millisecond)
		s3.injure(func(n int64) fault {
			if n == 0 {
				return f
			}
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // makes a hang fail here
		var counted tally
		o, err := b.read(counted.into(ctx), "sample.json", -1)
		cancel()
		if err != nil || o.records != records || counted.retries.Load() != 1 {
			t.Errorf("%s: read = %+v, %v after %d retries; want %d records after one", name, o, err, counted.retries.Load(), records)
		}
	}
}

func TestASlowBodyIsNoFault(t *testing.T) {
	s3 := newS3(t)
	b := openTestBucket(t, s3, 2*time.Second)
	s3.injure(always(slowBody)) // 200 ms in total
	var counted tally
	o, err := b.read(counted.into(t.Context()), "sample.json", -1)
	if err != nil || o.records != records || counted.retries.Load() != 0 {
		t.Errorf("read = %+v, %v after %d retries; want %d records at the first attempt", o, err, counted.retries.Load(), records)
	}
}

// The tests of a stall shorten stallTime; everything else is as in the function.
func openTestBucket(t *testing.T, s3 *fakeS3, stall time.Duration) *bucket {
	t.Helper()
	for _, s := range s3.settings() {
		name, value, _ := strings.Cut(s, "=")
		t.Setenv(name, value)
	}
	b, err := openBucket(t.Context(), bucketName, stall)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhatNoAttemptMendsFailsTheCallAtOnce(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	s3.put(t, "object.json", []byte(`{"records": []}`))
	s3.put(t, "half.json", []byte(`[{"a": 1}, {"a"`))
	s3.put(t, "two.json", []byte(`[] []`))
	s3.put(t, "nothing.json", []byte(``))
	p := start(t, s3.settings()...)
	for _, c := range []struct {
		name, key string
		f         fault
		want      []string
	}{
		{"missing", "missing.json", nil, []string{"404", "NoSuchKey", "check the key: the object does not exist"}},
		{"denied", "sample.json", refuse(403, "AccessDenied", "Access Denied"), []string{"403", "AccessDenied", "check that the object exists"}},
		{"another region", "sample.json", refuse(301, "PermanentRedirect", "The bucket must be addressed elsewhere.", "X-Amz-Bucket-Region", "us-west-2"), []string{"301", "the bucket is in us-west-2"}},
		{"wrong region", "sample.json", refuse(400, "AuthorizationHeaderMalformed", "the region is wrong", "X-Amz-Bucket-Region", "us-west-2"), []string{"400", "the bucket is in us-west-2"}},
		{"expired credentials", "sample.json", refuse(400, "ExpiredToken", "The provided token has expired.", "X-Amz-Bucket-Region", "us-east-1"), []string{"ExpiredToken", "check the credentials"}},
		{"not an array", "object.json", nil, []string{"not a JSON array, but an object", "unless changed, the function counts the elements of a JSON array", "handler/process.go"}},
		{"not JSON", "half.json", nil, []string{"not valid JSON"}},
		{"two arrays", "two.json", nil, []string{"not valid JSON", "there is more data after the array"}},
		{"nothing", "nothing.json", nil, []string{"it is empty"}},
	} {
		s3.injure(nil)
		if c.f != nil {
			s3.injure(always(c.f))
		}
		_, err := p.invoke(fmt.Sprintf(`{"repeat": 1000, "concurrency": 5, "objectKey": %q}`, c.key), time.Minute)
		for _, want := range append(c.want, fmt.Sprintf("read object %q of bucket %q", c.key, bucketName)) {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want an error with %q", c.name, err, want)
			}
		}
		// At concurrency 5 some reads may have begun before the first failed.
		if got := s3.gets.Load(); got > 10 {
			t.Errorf("%s: %d GETs were sent, want no more after the first failure", c.name, got)
		}
	}
	s3.injure(nil)
	p.must(t, `{"repeat": 10, "objectKey": "sample.json"}`, time.Minute)
}

func TestAServerThatCannotProveItselfFailsTheCallAtOnce(t *testing.T) {
	t.Parallel()
	s3, other := newS3(t), newS3(t)
	for name, setting := range map[string]string{
		"certificate of an unknown authority": "AWS_CA_BUNDLE=" + other.caFile,
		"no TLS":                              "AWS_ENDPOINT_URL_S3=https://" + plainServer(t),
	} {
		p := start(t, s3.settings(setting)...)
		for _, payload := range []string{`{"repeat": 10, "objectKey": "sample.json"}`, `{"keys": ["sample.json"], "onFailure": "report"}`, `{"prefix": "sample"}`} {
			_, err := p.invoke(payload, time.Minute)
			if err == nil || strings.Contains(err.Error(), "deadline") || !strings.Contains(err.Error(), bucketName) {
				t.Errorf("%s, %s: %v, want the cause at once", name, payload, err)
			}
		}
	}
	if got := s3.gets.Load(); got != 1 { // the sample's PUT
		t.Errorf("%d requests were sent to a server that is not trusted", got-1)
	}
}

// plainServer answers with plain HTTP where the client expects TLS.
func plainServer(t *testing.T) string {
	t.Helper()
	s := &http.Server{Handler: http.NotFoundHandler()}
	l := listen(t)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

func TestThousandsOfReadsAllEndWholeUnderSlowDown(t *testing.T) {
	t.Parallel()
	fewAndMany(t, 1_000, 10_000, func(t *testing.T, reads int) {
		s3 := newS3(t)
		p := start(t, s3.settings()...)
		for _, refused := range []float64{0.1, 0.5} {
			s3.injure(share(refused, slowDown))
			a := p.must(t, fmt.Sprintf(`{"repeat": %d, "concurrency": 900, "objectKey": "sample.json"}`, reads), 10*time.Minute)
			least := int64(float64(reads)*refused/(1-refused)) * 9 / 10
			if a.RecordsRead != int64(reads*records) || a.Retries < least {
				t.Errorf("%.0f %% refused: records_read %d, retries %d; want %d, at least %d", refused*100, a.RecordsRead, a.Retries, reads*records, least)
			}
			t.Logf("%.0f %% refused: %.1f s, %d retries, %.0f µs of CPU a read", refused*100, a.TimeSec, a.Retries, a.CPUSec*1e6/float64(reads))
		}
	})
}

func TestAnObjectReplacedInMidRunIsReadWholeEitherWay(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	p := start(t, s3.settings()...)
	small, large := []byte(`[1]`), []byte(`[1, 2, 3, 4, 5]`)
	s3.put(t, "replaced.json", small)
	reached := make(chan struct{})
	s3.injure(func(n int64) fault {
		if n == 500 {
			close(reached)
		}
		return nil
	})
	type result struct {
		answer event.Answer
		err    error
	}
	done := make(chan result)
	go func() {
		a, err := p.invoke(`{"repeat": 2000, "objectKey": "replaced.json"}`, time.Minute)
		done <- result{a, err}
	}()
	<-reached
	s3.put(t, "replaced.json", large)
	r := <-done
	a := r.answer
	if r.err != nil || a.ObjectsRead != 2000 {
		t.Fatalf("objects_read %d, %v; want 2000", a.ObjectsRead, r.err)
	}
	// x reads have one record and 3 bytes, the others five and 15: both sums must give the same x.
	x := (2000*5 - a.RecordsRead) / 4
	if bytes := x*3 + (2000-x)*15; x < 500 || x > 2000 || x*1+(2000-x)*5 != a.RecordsRead || bytes != a.BytesRead {
		t.Errorf("records_read %d, bytes_read %d: no mix of complete objects has these totals", a.RecordsRead, a.BytesRead)
	}
}

// With the SDK's own delay, each of these answers would cost a pause of 5 s or more.
func TestNoHeaderLengthensThePauseBeforeAnotherAttempt(t *testing.T) {
	s3 := newS3(t)
	p := start(t, s3.settings()...)
	s3.injure(func(n int64) fault {
		if n < 60 {
			return refuse([]int{503, 429}[n%2], "SlowDown", "Please reduce your request rate.", "X-Amz-Retry-After", "60000", "Retry-After", "60")
		}
		return nil
	})
	a := p.must(t, `{"repeat": 30, "concurrency": 30, "objectKey": "sample.json"}`, time.Minute)
	if a.TimeSec >= 5 || a.Retries != 60 {
		t.Errorf("time_sec %.1f with %d retries, want 60 pauses that know nothing of the header's 60 s", a.TimeSec, a.Retries)
	}
}

func TestRetriesAreSpreadOverTheWholeDelay(t *testing.T) {
	r := newRetryer()
	for _, attempt := range []int{1, 4, 10, 1000} {
		most := min(firstDelay<<min(attempt-1, 20), maxDelay)
		var low, high bool
		for range 200 {
			d, err := r.RetryDelay(attempt, context.DeadlineExceeded)
			if err != nil || d < 0 || d >= most {
				t.Fatalf("RetryDelay(%d) = %v, %v; want one below %v", attempt, d, err, most)
			}
			low, high = low || d < most/4, high || d > most*3/4
		}
		if !low || !high {
			t.Errorf("RetryDelay(%d): 200 delays leave out a quarter of [0, %v)", attempt, most)
		}
	}
	if r.MaxAttempts() != 0 {
		t.Errorf("MaxAttempts() = %d, want 0: no limit but the deadline", r.MaxAttempts())
	}
}
