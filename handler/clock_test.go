package main

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func TestAClockThatIsOffCostsAFewRefusalsAndNotOneARead(t *testing.T) {
	s3, content := newS3(t), sample(t)
	var ahead atomic.Int64 // S3's clock minus this machine's
	s3.injure(always(func(w http.ResponseWriter, r *http.Request, whole *httptest.ResponseRecorder) {
		now := time.Now().Add(time.Duration(ahead.Load()))
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		if signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date")); err != nil || now.Sub(signed).Abs() > 15*time.Minute {
			refuse(403, "RequestTimeTooSkewed", "The difference between the request time and the server's time is too large.")(w, r, whole)
			return
		}
		w.Header().Set("X-Amz-Checksum-Crc32", crc32Of(content))
		_, _ = w.Write(content) // the store checks times by another clock
	}))
	p := start(t, s3.settings()...)
	for _, hours := range []time.Duration{0, 2, -1, 0} {
		ahead.Store(int64(hours * time.Hour))
		before := s3.gets.Load()
		a := p.must(t, `{"repeat": 300, "concurrency": 10, "objectKey": "sample.json"}`, time.Minute)
		if refused := s3.gets.Load() - before - 300; refused > 20 || a.Retries != refused {
			t.Errorf("S3's clock %d h ahead: %d of 300 reads were refused, retries %d; want those in flight at most", hours, refused, a.Retries)
		}
	}
}

// The second read is refused when the first has told the SDK how far the clock is off. So
// the SDK takes its refusal, of a request signed before, for one of the right time.
func TestARefusedClockFailsNoReadThatWasSignedBefore(t *testing.T) {
	s3, content := newS3(t), sample(t)
	b := openTestBucket(t, s3, stallTime)
	read := func() error {
		_, err := b.read(t.Context(), "sample.json", -1)
		return err
	}
	if err := read(); err != nil { // the next ones repeat its request
		t.Fatal(err)
	}
	var signed atomic.Int64
	both, first := make(chan struct{}), make(chan struct{})
	s3.injure(always(func(w http.ResponseWriter, r *http.Request, whole *httptest.ResponseRecorder) {
		now := time.Now().Add(2 * time.Hour)
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		if at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date")); err == nil && now.Sub(at).Abs() < 15*time.Minute {
			w.Header().Set("X-Amz-Checksum-Crc32", crc32Of(content))
			_, _ = w.Write(content)
			return
		}
		if signed.Add(1) == 2 {
			close(both)
			<-first
		}
		<-both
		refuse(403, "RequestTimeTooSkewed", "The difference between the request time and the server's time is too large.")(w, r, whole)
	}))
	ended := make(chan error)
	for range 2 {
		go func() { ended <- read() }()
	}
	err := <-ended
	close(first)
	if err = cmp.Or(err, <-ended); err != nil || signed.Load() != 2 {
		t.Errorf("%v, after %d refusals; want both objects after one refusal each", err, signed.Load())
	}
}

func TestAFailedAttemptDoesNotForgetS3sClock(t *testing.T) {
	s3, content := newS3(t), sample(t)
	for name, f := range map[string]fault{"body cut": cut, "reset before the answer": resetBefore} {
		var served, refused atomic.Int64
		s3.injure(always(func(w http.ResponseWriter, r *http.Request, whole *httptest.ResponseRecorder) {
			now := time.Now().Add(2 * time.Hour)
			w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
			if signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date")); err != nil || now.Sub(signed).Abs() > 15*time.Minute {
				refused.Add(1)
				refuse(403, "RequestTimeTooSkewed", "The difference between the request time and the server's time is too large.")(w, r, whole)
				return
			}
			whole = httptest.NewRecorder() // the store checks times by another clock
			whole.Header().Set("X-Amz-Checksum-Crc32", crc32Of(content))
			_, _ = whole.Write(content)
			w.Header().Set("Connection", "close") // the reset of a reused one is no failure
			if served.Add(1)%2 == 0 {
				f(w, r, whole)
				return
			}
			serve(w, whole, content)
		}))
		b := openTestBucket(t, s3, stallTime)
		var counted tally
		for range 10 {
			if _, err := b.read(counted.into(t.Context()), "sample.json", -1); err != nil {
				t.Error(err)
			}
		}
		if refused.Load() != 1 || counted.retries.Load() != 10 {
			t.Errorf("%s, nine times: %d requests refused, %d retries; want the first one refused, and 10", name, refused.Load(), counted.retries.Load())
		}
	}
}
