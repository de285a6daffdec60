package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-parallel-io/handler/event"
)

// A call with onFailure "report" returns a result for each object, whatever goes
// wrong.

// damaged stores orders; one in 100 is missing and one in 100 is not JSON. It
// returns the totals of the good ones and the keys of the bad ones.
func damaged(t *testing.T, s3 *fakeS3, prefix string, n int) (keys, missing, broken []string, found int64) {
	t.Helper()
	keys, _, _ = orders(prefix, n)
	for i, key := range keys {
		switch i % 100 {
		case 17:
			missing = append(missing, key)
		case 42:
			broken = append(broken, key)
			s3.put(t, key, []byte(`[{"total": 1},`))
		default:
			found += int64(i % 5)
			s3.put(t, key, order(i))
		}
	}
	return keys, missing, broken, found
}

// weather is the faults of a bad day: 10 % of the GETs get SlowDown, 1 % each are
// cut off, reset or corrupt, and one in 4,000 stalls.
func weather(n int64) fault {
	switch {
	case n%10 == 3:
		return slowDown
	case n%100 == 4:
		return cut
	case n%100 == 25:
		return resetWithin
	case n%100 == 46:
		return corrupt
	case n%4000 == 7:
		return stallWithin
	}
	return nil
}

func TestThousandsOfObjectsAreEachCountedOnceOnABadDay(t *testing.T) {
	t.Parallel()
	for _, strategy := range []string{"pool", "unbounded"} {
		t.Run(strategy, func(t *testing.T) {
			t.Parallel()
			fewAndMany(t, 3_000, 10_000, func(t *testing.T, n int) { eachIsCountedOnce(t, n, strategy) })
		})
	}
}

func eachIsCountedOnce(t *testing.T, n int, s string) {
	s3 := newS3(t)
	keys, missing, broken, found := damaged(t, s3, "orders/", n)
	bad := slices.Sorted(slices.Values(append(slices.Clone(missing), broken...)))
	p := start(t, s3.settings("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=1769")...)
	s3.injure(weather)
	a := p.report(t, map[string]any{"strategy": s, "concurrency": 200, "keys": keys, "onFailure": "report"}, 5*time.Minute)
	if a.ObjectsRead != n-len(bad) || a.RecordsRead != found || a.Failed != len(bad) || a.Unread != 0 || a.Truncated || a.Stopped != "" {
		t.Errorf("%d read, %d records, %d failed, %d unread, truncated %v, %q; want %d, %d, %d, all of them",
			a.ObjectsRead, a.RecordsRead, a.Failed, a.Unread, a.Truncated, a.Stopped, n-len(bad), found, len(bad))
	}
	if got := failedKeys(a); !slices.Equal(got, bad) {
		t.Errorf("%d failures, want the %d that are missing or not JSON", len(got), len(bad))
	}
	var again int
	for _, f := range a.Failures {
		want := "it is not valid JSON"
		if slices.Contains(missing, f.Key) {
			want = "; check the key: the object does not exist"
		}
		if !strings.Contains(f.Error, want) || strings.Contains(f.Error, "\n") || f.Attempts < 1 {
			t.Errorf("failure %+v, want one line with %q", f, want)
		}
		again += f.Attempts - 1
	}
	if again < len(bad)/40 || again > len(bad) {
		t.Errorf("%d attempts were retried for %d failures, want about a tenth", again, len(bad))
	}
	t.Logf("%.1f s, %d retries, %d MB at the peak", a.TimeSec, a.Retries, second(p.rss(t)))

	s3.injure(weather)
	_, err := p.invoke(fmt.Sprintf(`{"strategy": %q, "keys": ["%s"]}`, s, strings.Join(keys, `","`)), 5*time.Minute)
	if err == nil || !slices.ContainsFunc(bad, func(key string) bool { return strings.Contains(err.Error(), fmt.Sprintf("read object %q", key)) }) {
		t.Errorf("onFailure fail: %v, want the name of an object that is missing or not JSON", err)
	}
	if _, peak := p.rss(t); peak >= 200 {
		t.Errorf("the objects took %d MB, want less than 200", peak)
	}
}

func second(_, b int) int { return b }

// gone answers 404 for keys that were in a listing.
func gone(keys []string) plan {
	return always(func(w http.ResponseWriter, r *http.Request, whole *httptest.ResponseRecorder) {
		if slices.Contains(keys, strings.TrimPrefix(r.URL.Path, "/"+bucketName+"/")) {
			refuse(404, "NoSuchKey", "The specified key does not exist.")(w, r, whole)
			return
		}
		serve(w, whole, whole.Body.Bytes())
	})
}

func TestWhatIsListedAndGoneWhenItIsReadHasFailed(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	keys, _, found := orders("orders/", 300)
	s3.putOrders(t, keys)
	s3.injure(gone([]string{keys[120], keys[200]})) // their content has no records
	p := start(t, s3.settings()...)
	a := p.report(t, map[string]any{"prefix": "orders/", "onFailure": "report"}, time.Minute)
	if got := failedKeys(a); !slices.Equal(got, []string{keys[120], keys[200]}) || a.Failed != 2 || a.ObjectsRead != 298 || a.RecordsRead != found {
		t.Errorf("failures %v, failed %d, objects_read %d, records_read %d; want the two, 298, %d", got, a.Failed, a.ObjectsRead, a.RecordsRead, found)
	}
	if _, err := p.invoke(`{"prefix": "orders/"}`, time.Minute); err == nil || !strings.Contains(err.Error(), "the object does not exist, or was deleted") {
		t.Errorf("onFailure fail: %v, want the object that was deleted", err)
	}
}

func TestWhatEveryObjectWouldFailByEndsTheCall(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	keys, _, found := orders("orders/", 500)
	s3.putOrders(t, keys)
	p := start(t, s3.settings()...)
	for name, c := range map[string]struct {
		f    fault
		want string
	}{
		"another region":      {refuse(301, "PermanentRedirect", "The bucket must be addressed elsewhere.", "X-Amz-Bucket-Region", "us-west-2"), "the bucket is in us-west-2"},
		"no such bucket":      {refuse(404, "NoSuchBucket", "The specified bucket does not exist"), "check BUCKET: there is no bucket of that name"},
		"expired credentials": {refuse(400, "ExpiredToken", "The provided token has expired."), "ExpiredToken"},
	} {
		s3.injure(always(c.f))
		payload := map[string]any{"keys": keys, "onFailure": "report"}
		if _, err := p.invoke(fmt.Sprintf(`{"keys": ["%s"], "onFailure": "report"}`, strings.Join(keys, `","`)), time.Minute); err == nil || !strings.Contains(err.Error(), c.want) || s3.gets.Load() > 60 {
			t.Errorf("%s: %v after %d GETs, want an error with %q, at once", name, err, s3.gets.Load(), c.want)
		}
		s3.injure(func(n int64) fault { // in the middle of the run
			if n >= 200 {
				return c.f
			}
			return nil
		})
		a := p.report(t, payload, time.Minute)
		if a.ObjectsRead == 0 || a.Failed != 0 || a.ObjectsRead+a.Unread != len(keys) || !strings.Contains(a.Stopped, c.want) {
			t.Errorf("%s in mid-run: %d read, %d failed, %d unread, stopped %q; want %q, and unread objects", name, a.ObjectsRead, a.Failed, a.Unread, a.Stopped, c.want)
		}
		s3.injure(nil)
		rest := p.report(t, map[string]any{"keys": a.UnreadKeys, "onFailure": "report"}, time.Minute)
		if got := a.RecordsRead + rest.RecordsRead; got != found {
			t.Errorf("%s in mid-run: both calls found %d records, want %d", name, got, found)
		}
	}
}

func TestAnObjectThatMayNotBeReadIsAFailureWithARemedy(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	keys := []string{"orders/1"}
	s3.putOrders(t, keys)
	p := start(t, s3.settings()...)
	for _, c := range []struct {
		f    fault
		want string
	}{
		{refuse(403, "AccessDenied", "User: arn:aws:sts::1:assumed-role/r/f is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext"), "the function's role needs kms:Decrypt on that key"},
		{refuse(400, "KMS.DisabledException", "arn:aws:kms:eu-central-1:1:key/k is disabled."), "the key must be enabled"},
		{refuse(403, "InvalidObjectState", "The operation is not valid for the object's storage class"), "the object is archived: restore it"},
		{refuse(403, "AccessDenied", "Access Denied"), "check that the object exists and that the function may read it"},
		{refuse(404, "NoSuchKey", "The specified key does not exist."), "check the key: the object does not exist"},
	} {
		s3.injure(always(c.f))
		if _, err := p.invoke(`{"keys": ["orders/1"]}`, time.Minute); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("onFailure fail: %v, want an error with %q", err, c.want)
		}
		a := p.report(t, map[string]any{"keys": keys, "onFailure": "report"}, time.Minute)
		if a.Failed != 1 || a.Failures[0].Key != "orders/1" || a.Failures[0].Attempts != 1 || !strings.Contains(a.Failures[0].Error, c.want) {
			t.Errorf("onFailure report: failures %+v, want orders/1 at the first attempt with %q", a.Failures, c.want)
		}
		if a.Latency != (event.Latency{}) {
			t.Errorf("latency_ms %+v without a read, want none", a.Latency)
		}
	}
}
