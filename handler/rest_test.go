package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
)

// Objects that a call leaves unread, because of the deadline or a full answer, and
// the calls that continue with them.

// total adds up the first answer and the answers of the calls that continue. After
// each call it makes one for the unread keys and one from startAfter on.
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
	t.Parallel()
	s3 := newS3(t)
	const n = 3_000
	keys, missing, broken, found := damaged(t, s3, strings.Repeat("o", 100)+"/", n)
	bad := append(missing, broken...)
	p := start(t, s3.settings("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=340")...) // a fifth of a CPU, which even a busy machine has
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
			// 3,000 keys of 115 bytes exceed the answer that a Distributed Map accepts.
			"Items": {func(extra map[string]any) map[string]any {
				return batch(keys, with(extra, map[string]any{"strategy": s.Name}))
			}, bad},
		} {
			if s.Sequential && way != "keys" || s.Name == "semaphore" {
				continue // each takes seconds and differs only in scheduling
			}
			t.Run(way+" by "+s.Name, func(t *testing.T) {
				if s.Name+way != "poolkeys" && s.Name+way != "unboundedItems" {
					slow(t)
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
					t.Errorf("the answer came %v before the deadline, want it shortly before", p.left)
				}
				if a.ObjectsRead+a.Failed+a.Unread != want || a.Unread < want/2 || !strings.HasPrefix(a.Stopped, "deadline: ") {
					t.Errorf("%d read, %d failed, %d unread of %d, stopped %q", a.ObjectsRead, a.Failed, a.Unread, want, a.Stopped)
				}
				if way == "Items" && (p.size > 240_000 || !a.Truncated) {
					t.Errorf("an answer of %d bytes, truncated %v; a Distributed Map takes 240,000", p.size, a.Truncated)
				}
				if way == "keys" {
					payload := c.payload(map[string]any{"onFailure": "fail", "keys": listed[:30]}) // none is missing or broken
					s3.injure(always(late(20 * time.Second)))
					raw, err := json.Marshal(payload)
					if err != nil {
						t.Fatal(err)
					}
					p.inTime(func() { _, err = p.invoke(string(raw), 2*time.Second) })
					if p.left <= 0 || err == nil || !strings.HasPrefix(err.Error(), "deadline: 0 of 30 reads were done") {
						t.Errorf("onFailure fail: %v, %v before the deadline; want an error that says what was done", err, p.left)
					}
				}
				s3.injure(nil)
				read, records, calls, failed := total(t, p, a, c.payload)
				if read != want-len(c.bad) || int64(records) != found || len(failed) != len(c.bad) || calls < 2 {
					t.Errorf("%d calls read %d objects, %d records, %d failed; want %d, %d, %d", calls, read, records, len(failed), want-len(c.bad), found, len(c.bad))
				}
				for _, key := range c.bad {
					if failed[key] != 1 {
						t.Errorf("%s has failed %d times, want once", key, failed[key])
					}
				}
			})
		}
	}
}

// inTime repeats a call for up to a minute until it ends before its deadline, because
// a busy machine may give a process less CPU time than Lambda would.
func (p *child) inTime(call func()) {
	for begin := time.Now(); time.Since(begin) < time.Minute; {
		if call(); p.left > 0 {
			return
		}
	}
}

// with returns fields with onFailure "report" and the fields of extra added.
func with(extra, fields map[string]any) map[string]any {
	fields["onFailure"] = "report"
	fields["concurrency"] = 100
	maps.Copy(fields, extra)
	return fields
}

func TestAnAnswerThatIsFullStopsTheCallAndTheNextGoesOn(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	p := start(t, s3.settings()...)
	for _, c := range []struct {
		name        string
		keys, least int // missing objects, with failures of 1,500 bytes; bytes of the answer
		payload     func(keys []string, fields map[string]any) map[string]any
	}{
		{"a batch's", 400, 200_000, batch},
		{"a call's", 6_000, 5_000_000, func(keys []string, fields map[string]any) map[string]any {
			fields["keys"] = keys
			return fields
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.keys > 1_000 {
				slow(t)
			}
			keys := make([]string, c.keys)
			for i := range keys {
				keys[i] = fmt.Sprintf("%s<%06d>", strings.Repeat("ö&", 140), i)
			}
			payload := func(extra map[string]any) map[string]any {
				return c.payload(keys, with(extra, map[string]any{"strategy": "unbounded"}))
			}
			a := p.report(t, payload(nil), 5*time.Minute)
			if p.size < c.least || a.Failed != len(a.Failures) || a.Failed+a.Unread != len(keys) || a.Stopped != "the answer is full" {
				t.Errorf("an answer of %d bytes, %d failed, %d failures, %d unread, stopped %q; want it full, and all %d accounted for", p.size, a.Failed, len(a.Failures), a.Unread, a.Stopped, len(keys))
			}
			_, _, calls, failed := total(t, p, a, payload)
			if calls < 2 || len(failed) != len(keys) || slices.Max(slices.Collect(maps.Values(failed))) != 1 {
				t.Errorf("%d calls named %d failures, want each of %d once", calls, len(failed), len(keys))
			}
			t.Logf("%d calls for %d failures", calls, len(keys))
		})
	}
}

func TestAnAnswerHasRoomForTheKeysThatAreInFlight(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	p := start(t, s3.settings("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=340")...)
	keys := make([]string, 900) // of 600 bytes: fewer fit than there are connections
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
