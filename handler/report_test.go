package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
)

// A result for each object: what a call with onFailure "report" owes its
// caller, whatever befalls the objects.

// damaged makes the orders of which every 100th is missing and every 100th is
// no JSON. It stores them, and returns what the good ones add up to and which
// are bad.
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

// weather is the faults of a bad day: of the GETs 10 % SlowDown, 1 % each cut,
// reset and corrupt, and one in 4,000 stalls.
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

func TestTenThousandObjectsAreEachCountedOnceOnABadDay(t *testing.T) {
	s3 := newS3(t)
	const n = 10_000
	keys, missing, broken, found := damaged(t, s3, "orders/", n)
	bad := slices.Sorted(slices.Values(append(slices.Clone(missing), broken...)))
	p := start(t, s3.settings("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=1769")...)
	for _, s := range []string{"pool", "unbounded"} {
		s3.injure(weather)
		a := p.report(t, map[string]any{"strategy": s, "concurrency": 200, "keys": keys, "onFailure": "report"}, 5*time.Minute)
		if a.ObjectsRead != n-len(bad) || a.RecordsRead != found || a.Failed != len(bad) || a.Unread != 0 || a.Truncated || a.Stopped != "" {
			t.Errorf("%s: %d read, %d records, %d failed, %d unread, truncated %v, %q; want %d, %d, %d, all of them",
				s, a.ObjectsRead, a.RecordsRead, a.Failed, a.Unread, a.Truncated, a.Stopped, n-len(bad), found, len(bad))
		}
		if got := failedKeys(a); !slices.Equal(got, bad) {
			t.Errorf("%s: %d failures, want the %d that are missing or no JSON", s, len(got), len(bad))
		}
		var again int
		for _, f := range a.Failures {
			want := "it is not valid JSON"
			if slices.Contains(missing, f.Key) {
				want = "; check the key: there is no such object"
			}
			if !strings.Contains(f.Error, want) || strings.Contains(f.Error, "\n") || f.Attempts < 1 {
				t.Errorf("%s: failure %+v, want one line with %q", s, f, want)
			}
			again += f.Attempts - 1
		}
		if again < len(bad)/20 || again > len(bad) {
			t.Errorf("%s: %d attempts were made again on %d failures, want about a tenth", s, again, len(bad))
		}
		t.Logf("%s: %.1f s, %d retries, %d MB at the peak", s, a.TimeSec, a.Retries, second(p.rss(t)))

		s3.injure(weather)
		_, err := p.invoke(fmt.Sprintf(`{"strategy": %q, "keys": ["%s"]}`, s, strings.Join(keys, `","`)), 5*time.Minute)
		if err == nil || !slices.ContainsFunc(bad, func(key string) bool { return strings.Contains(err.Error(), fmt.Sprintf("read object %q", key)) }) {
			t.Errorf("%s, onFailure fail: %v, want the name of an object that is missing or no JSON", s, err)
		}
	}
	if _, peak := p.rss(t); peak >= 200 {
		t.Errorf("10,000 objects took %d MB, want less than 200", peak)
	}
}

func second(_, b int) int { return b }

// gone answers 404 for keys that a listing has named.
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
	s3 := newS3(t)
	keys, _, found := orders("orders/", 300)
	s3.putOrders(t, keys)
	s3.injure(gone([]string{keys[120], keys[200]})) // neither has a record
	p := start(t, s3.settings()...)
	a := p.report(t, map[string]any{"prefix": "orders/", "onFailure": "report"}, time.Minute)
	if got := failedKeys(a); !slices.Equal(got, []string{keys[120], keys[200]}) || a.Failed != 2 || a.ObjectsRead != 298 || a.RecordsRead != found {
		t.Errorf("failures %v, failed %d, objects_read %d, records_read %d; want the two, 298, %d", got, a.Failed, a.ObjectsRead, a.RecordsRead, found)
	}
	if _, err := p.invoke(`{"prefix": "orders/"}`, time.Minute); err == nil || !strings.Contains(err.Error(), "no such object, or no longer") {
		t.Errorf("onFailure fail: %v, want the object that is gone", err)
	}
}

// total adds up the first answer and those of the calls that deal with the
// rest: after each, the next ones are given what it left unread, and go on
// where it stopped.
func total(t *testing.T, p *child, a event.Answer, payload func(extra map[string]any) map[string]any) (read, found, calls int, failed map[string]int) {
	t.Helper()
	failed = map[string]int{}
	var waiting []map[string]any
	for calls = 1; ; calls++ {
		read, found = read+a.ObjectsRead, found+int(a.RecordsRead)
		for _, f := range a.Failures {
			failed[f.Key]++
		}
		if p.size > event.MaxAnswer || a.Failed != len(a.Failures) {
			t.Fatalf("an answer of %d bytes, failed %d of %d failures; want %d bytes at most", p.size, a.Failed, len(a.Failures), event.MaxAnswer)
		}
		if a.Truncated != (a.StartAfter != "") || !a.Truncated && a.Unread != len(a.UnreadKeys) || (a.Unread > 0) != (a.Stopped != "") {
			t.Fatalf("unread %d of which %d are named, truncated %v, startAfter %q, stopped %q", a.Unread, len(a.UnreadKeys), a.Truncated, a.StartAfter, a.Stopped)
		}
		if len(a.UnreadKeys) > 0 {
			waiting = append(waiting, map[string]any{"keys": a.UnreadKeys, "onFailure": "report", "concurrency": 100})
		}
		if a.Truncated {
			waiting = append(waiting, payload(map[string]any{"startAfter": a.StartAfter}))
		}
		if len(waiting) == 0 {
			return read, found, calls, failed
		}
		a = p.report(t, waiting[0], time.Minute)
		waiting = waiting[1:]
	}
}

func TestTheDeadlineLeavesExactlyWhatTheNextCallReads(t *testing.T) {
	s3 := newS3(t)
	const n = 3_000
	keys, missing, broken, found := damaged(t, s3, strings.Repeat("o", 100)+"/", n)
	bad := append(missing, broken...)
	p := start(t, s3.settings("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=340")...) // a fifth of a CPU, which a busy machine has too
	listed := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return slices.Contains(missing, key) })
	for _, s := range strategies.All() {
		for way, c := range map[string]struct {
			payload func(map[string]any) map[string]any
			bad     []string
		}{
			"keys": {func(extra map[string]any) map[string]any {
				return with(extra, map[string]any{"strategy": s.Name, "keys": keys})
			}, bad},
			"prefix": {func(extra map[string]any) map[string]any {
				return with(extra, map[string]any{"strategy": s.Name, "prefix": "ooo"})
			}, broken},
			// 3,000 keys of 115 bytes are more than a Distributed Map takes as an answer.
			"Items": {func(extra map[string]any) map[string]any {
				return batch(keys, with(extra, map[string]any{"strategy": s.Name}))
			}, bad},
		} {
			if s.Sequential && way != "keys" || s.Name == "semaphore" {
				continue // each takes seconds, and what they add is the schedule alone
			}
			want := n
			if way == "prefix" {
				want = len(listed)
			}
			var a event.Answer
			p.inTime(func() {
				s3.injure(func(i int64) fault {
					if i >= 700 {
						return late(20 * time.Second)
					}
					return nil
				})
				a = p.report(t, c.payload(nil), 5*time.Second)
			})
			if p.left <= 0 || p.left > 4*time.Second {
				t.Errorf("%s, %s: the answer came %v before the deadline, want it shortly before", s.Name, way, p.left)
			}
			if a.ObjectsRead+a.Failed+a.Unread != want || a.Unread < want/2 || !strings.HasPrefix(a.Stopped, "deadline: ") {
				t.Errorf("%s, %s: %d read, %d failed, %d unread of %d, stopped %q", s.Name, way, a.ObjectsRead, a.Failed, a.Unread, want, a.Stopped)
			}
			if way == "Items" && (p.size > 240_000 || !a.Truncated) {
				t.Errorf("%s, %s: an answer of %d bytes, truncated %v; a Distributed Map takes 240,000", s.Name, way, p.size, a.Truncated)
			}
			if way == "keys" {
				payload := c.payload(map[string]any{"onFailure": "fail", "keys": listed[:30]}) // none of them missing or broken
				s3.injure(always(late(20 * time.Second)))
				raw, err := json.Marshal(payload)
				if err != nil {
					t.Fatal(err)
				}
				p.inTime(func() { _, err = p.invoke(string(raw), 2*time.Second) })
				if p.left <= 0 || err == nil || !strings.HasPrefix(err.Error(), "deadline: 0 of 30 reads were done") {
					t.Errorf("%s, onFailure fail: %v, %v before the deadline; want an error that says what was done", s.Name, err, p.left)
				}
			}
			s3.injure(nil)
			read, records, calls, failed := total(t, p, a, c.payload)
			if read != want-len(c.bad) || int64(records) != found || len(failed) != len(c.bad) || calls < 2 {
				t.Errorf("%s, %s: %d calls read %d objects, %d records, %d failed; want %d, %d, %d", s.Name, way, calls, read, records, len(failed), want-len(c.bad), found, len(c.bad))
			}
			for _, key := range c.bad {
				if failed[key] != 1 {
					t.Errorf("%s, %s: %s has failed %d times, want once", s.Name, way, key, failed[key])
				}
			}
		}
	}
}

// inTime makes a call up to three times until it ends before its deadline: for
// a moment a busy machine can leave a process less than Lambda would.
func (p *child) inTime(call func()) {
	for range 3 {
		if call(); p.left > 0 {
			return
		}
	}
}

// with adds onFailure "report" and what is in extra to fields.
func with(extra, fields map[string]any) map[string]any {
	fields["onFailure"] = "report"
	fields["concurrency"] = 100
	maps.Copy(fields, extra)
	return fields
}

func TestAnAnswerThatIsFullStopsTheCallAndTheNextGoesOn(t *testing.T) {
	s3 := newS3(t)
	p := start(t, s3.settings()...)
	keys := make([]string, 6_000) // all of them missing, with failures of 1,500 bytes
	for i := range keys {
		keys[i] = fmt.Sprintf("%s<%06d>", strings.Repeat("ö&", 140), i)
	}
	payload := func(extra map[string]any) map[string]any {
		return with(extra, map[string]any{"strategy": "unbounded", "keys": keys})
	}
	a := p.report(t, payload(nil), 5*time.Minute)
	if p.size < 5_000_000 || a.Failed != len(a.Failures) || a.Failed+a.Unread != len(keys) || a.Stopped != "the answer is full" {
		t.Errorf("an answer of %d bytes, %d failed, %d failures, %d unread, stopped %q; want it full, and all %d accounted for", p.size, a.Failed, len(a.Failures), a.Unread, a.Stopped, len(keys))
	}
	_, _, calls, failed := total(t, p, a, payload)
	if calls < 2 || len(failed) != len(keys) || slices.Max(slices.Collect(maps.Values(failed))) != 1 {
		t.Errorf("%d calls named %d failures, want each of %d once", calls, len(failed), len(keys))
	}
	t.Logf("%d calls for %d failures", calls, len(keys))
}

func TestAnAnswerHasRoomForTheKeysThatAreInFlight(t *testing.T) {
	s3 := newS3(t)
	p := start(t, s3.settings("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=340")...)
	keys := make([]string, 900) // of 600 bytes: not as many as there are connections fit
	for i := range keys {
		keys[i] = fmt.Sprintf("%s%06d", strings.Repeat("k", 594), i)
	}
	s3.injure(always(late(20 * time.Second)))
	payload := func(extra map[string]any) map[string]any {
		return batch(keys, with(extra, map[string]any{"strategy": "unbounded"}))
	}
	a := p.report(t, payload(nil), 4*time.Second)
	if p.size > event.MaxBatchAnswer || a.Unread != len(keys) || len(a.UnreadKeys) < 300 {
		t.Errorf("an answer of %d bytes, %d unread, of which %d are named; want %d bytes at most, %d, 300", p.size, a.Unread, len(a.UnreadKeys), event.MaxBatchAnswer, len(keys))
	}
	s3.injure(nil)
	if _, _, _, failed := total(t, p, a, payload); len(failed) != len(keys) {
		t.Errorf("%d failures were named, want %d", len(failed), len(keys))
	}
}

func TestWhatEveryObjectWouldFailByEndsTheCall(t *testing.T) {
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
		s3.injure(func(n int64) fault { // in mid-run
			if n >= 200 {
				return c.f
			}
			return nil
		})
		a := p.report(t, payload, time.Minute)
		if a.ObjectsRead == 0 || a.Failed != 0 || a.ObjectsRead+a.Unread != len(keys) || !strings.Contains(a.Stopped, c.want) {
			t.Errorf("%s in mid-run: %d read, %d failed, %d unread, stopped %q; want %q, and what it has left", name, a.ObjectsRead, a.Failed, a.Unread, a.Stopped, c.want)
		}
		s3.injure(nil)
		rest := p.report(t, map[string]any{"keys": a.UnreadKeys, "onFailure": "report"}, time.Minute)
		if got := a.RecordsRead + rest.RecordsRead; got != found {
			t.Errorf("%s in mid-run: both calls found %d records, want %d", name, got, found)
		}
	}
}

func TestAnObjectThatMayNotBeReadIsAFailureWithARemedy(t *testing.T) {
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
		{refuse(404, "NoSuchKey", "The specified key does not exist."), "check the key: there is no such object"},
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
			t.Errorf("latency_ms %+v of no read, want none", a.Latency)
		}
	}
}
