package event_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
)

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		raw  string
		want event.Payload
	}{
		{`{"objectKey": "k"}`, event.Payload{Strategy: "pool", Concurrency: 7, Repeat: 10_000, ObjectKey: "k"}},
		{` {"repeat": 2000, "objectKey": "sample.json"} `, event.Payload{Strategy: "pool", Concurrency: 7, Repeat: 2000, ObjectKey: "sample.json"}},
		{`{"strategy": "unbounded", "concurrency": 900, "repeat": 1e6, "objectKey": "\u00e4/b"}`, event.Payload{Strategy: "unbounded", Concurrency: 900, Repeat: 1_000_000, ObjectKey: "ä/b"}},
		{`{"strategy": "semaphore", "concurrency": 1.0, "repeat": 1, "objectKey": "k"}`, event.Payload{Strategy: "semaphore", Concurrency: 1, Repeat: 1, ObjectKey: "k"}},
		{`{"objectKey": "k", "onFailure": "fail"}`, event.Payload{Strategy: "pool", Concurrency: 7, OnFailure: "fail", Repeat: 10_000, ObjectKey: "k"}},
		{`{"keys": ["b", "a", "\u00e4"]}`, event.Payload{Strategy: "pool", Concurrency: 7, Keys: []string{"b", "a", "ä"}}},
		{`{"startAfter": "b", "keys": ["b", "a"], "onFailure": "report"}`, event.Payload{Strategy: "pool", Concurrency: 7, OnFailure: "report", Keys: []string{"b", "a"}, StartAfter: "b"}},
		{`{"prefix": "orders/"}`, event.Payload{Strategy: "pool", Concurrency: 7, Prefix: new("orders/"), MaxObjects: 100_000}},
		{`{"prefix": "", "suffix": ".json", "maxObjects": 5, "startAfter": "k"}`, event.Payload{Strategy: "pool", Concurrency: 7, Prefix: new(""), Suffix: ".json", MaxObjects: 5, StartAfter: "k"}},
		{`{"Items": [{"Key": "k"}]}`, event.Payload{Strategy: "pool", Concurrency: 7, Keys: []string{"k"}, Batch: true, Listed: []event.Item{{"k", -1, ""}}}},
		{
			`{"BatchInput": {"strategy": "unbounded", "concurrency": 3, "onFailure": "report"}, "Items": [
				{"Etag": "\"5e\"", "Key": "o/", "LastModified": 1.7e9, "Size": 0, "StorageClass": "STANDARD"},
				{"Key": "o/1", "Size": 5, "StorageClass": "GLACIER"}, {"Key": "o/2", "Size": 5, "StorageClass": "DEEP_ARCHIVE"},
				{"Key": "o/3", "Size": 5, "StorageClass": "GLACIER_IR"}, {"Key": "o/4/", "Size": 5}, {"Key": "o/5", "Size": 0},
				{"Key": "o/6/"}, {"Key": "o/7", "Size": "7", "StorageClass": null, "Nested": {"Key": ["k"]}},
				{"Key": "o/8/", "Size": "0"}, {"Key": "o/9/", "Size": 0.0}, {"Key": "o/10/", "Size": "", "StorageClass": 5}, {"Key": "o/11/", "Size": {"of": "it"}}]}`,
			event.Payload{
				Strategy: "unbounded", Concurrency: 3, OnFailure: "report", Batch: true,
				Keys: []string{"o/3", "o/4/", "o/5", "o/6/", "o/7", "o/10/", "o/11/"}, Skipped: event.Skipped{FolderMarkers: 3, Archived: 2},
				Listed: []event.Item{{"o/3", 5, "GLACIER_IR"}, {"o/4/", 5, ""}, {"o/5", 0, ""}, {"o/6/", -1, ""}, {"o/7", 7, ""}, {"o/10/", -1, ""}, {"o/11/", -1, ""}},
			},
		},
		// Merged lists may name an object twice.
		{
			`{"Items": [{"Key": "a"}, {"Key": "b/", "Size": 0}, {"Key": "a", "Size": 3}, {"Key": "\u0061"}, {"Key": "b/", "Size": 0}]}`,
			event.Payload{
				Strategy: "pool", Concurrency: 7, Batch: true, Keys: []string{"a"}, Listed: []event.Item{{"a", -1, ""}},
				Skipped: event.Skipped{FolderMarkers: 1, Duplicates: 3},
			},
		},
	} {
		if got, err := event.Decode([]byte(c.raw), 7); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("Decode(%s) = %+v, %v; want %+v", c.raw, got, err, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for raw, want := range map[string]string{
		``:                                     "must be a JSON object, got nothing",
		`null`:                                 "must be a JSON object, got null",
		`"objectKey"`:                          `must be a JSON object, got "objectKey"`,
		`[]`:                                   "must be a JSON object, got []",
		`{`:                                    "not valid JSON",
		`{"objectKey": "k"} x`:                 "not valid JSON",
		`{"objectKey": "k"}{}`:                 "not valid JSON: ",
		`{"objectKey": "k", "objectKey": "l"}`: "duplicate",
		`{}`:                                   "objectKey is missing",
		`{"objectKey": ""}`:                    "objectKey must be 1 to 1024 bytes long: it has 0",
		`{"objectKey": "` + strings.Repeat("ä", 513) + `"}`: "objectKey must be 1 to 1024 bytes long: it has 1026",
		`{"objectKey": 5}`:                          "objectKey must be a string, got 5",
		`{"objectKey": null}`:                       "objectKey must be a string, got null",
		`{"objectkey": "k"}`:                        `unknown field "objectkey": the fields are strategy, concurrency, repeat, objectKey, keys, prefix, suffix, maxObjects, startAfter, onFailure, BatchInput, Items`,
		`{"objectKey": "k", "repeat": 0}`:           "repeat must be a whole number from 1 to 1000000, got 0",
		`{"objectKey": "k", "repeat": 1000001}`:     "repeat must be a whole number from 1 to 1000000, got 1000001",
		`{"objectKey": "k", "repeat": 1.5}`:         "repeat must be a whole number from 1 to 1000000, got 1.5",
		`{"objectKey": "k", "repeat": "5"}`:         `repeat must be a whole number from 1 to 1000000, got "5"`,
		`{"objectKey": "k", "repeat": null}`:        "repeat must be a whole number from 1 to 1000000, got null",
		`{"objectKey": "k", "concurrency": -1}`:     "concurrency must be a whole number from 1 to 900, got -1",
		`{"objectKey": "k", "concurrency": 901}`:    "concurrency must be a whole number from 1 to 900, got 901",
		`{"objectKey": "k", "concurrency": 1e999}`:  "concurrency must be a whole number from 1 to 900, got 1e999",
		`{"objectKey": "k", "strategy": "threads"}`: `strategy must be one of sequential, unbounded, pool, semaphore, got "threads"`,
		`{"objectKey": "k", "strategy": 3}`:         "strategy must be one of sequential, unbounded, pool, semaphore, got 3",

		`{"objectKey": "k", "keys": ["k"]}`:                            "objectKey and keys cannot be combined: exactly one of objectKey, keys, prefix and Items",
		`{"prefix": "p", "Items": [{"Key": "k"}], "keys": ["k"]}`:      "keys and prefix and Items cannot be combined",
		`{"keys": ["k"], "repeat": 5}`:                                 "repeat cannot be used with keys, which allows only strategy, concurrency, onFailure, startAfter",
		`{"prefix": "p", "repeat": 5}`:                                 "repeat cannot be used with prefix",
		`{"Items": [{"Key": "k"}], "repeat": 5}`:                       "repeat cannot be used with Items",
		`{"Items": [{"Key": "k"}], "strategy": "pool"}`:                "strategy cannot be used with Items, which allows only BatchInput",
		`{"keys": ["k"], "suffix": ".json"}`:                           "suffix cannot be used with keys",
		`{"keys": ["k"], "maxObjects": 5}`:                             "maxObjects cannot be used with keys",
		`{"objectKey": "k", "startAfter": "j"}`:                        "startAfter cannot be used with objectKey",
		`{"objectKey": "k", "BatchInput": {}}`:                         "BatchInput cannot be used with objectKey",
		`{"objectKey": "k", "onFailure": "report"}`:                    `onFailure "report" cannot be used with objectKey`,
		`{"BatchInput": {"strategy": "pool"}}`:                         "objectKey is missing",
		`{"keys": []}`:                                                 "keys must name at least one object, got []",
		`{"Items": []}`:                                                "Items must name at least one object, got []",
		`{"keys": ["a", "b", "a"]}`:                                    `the key "a" appears twice`,
		`{"keys": ["a", "b", "\u0061"]}`:                               `the key "a" appears twice`,
		`{"keys": ["a", ""]}`:                                          "keys[1] must be 1 to 1024 bytes long: it has 0",
		`{"keys": ["a", null]}`:                                        "keys[1] must be a string, got null",
		`{"keys": "a"}`:                                                `keys must be a list of strings, got "a"`,
		`{"keys": null}`:                                               "keys must be a list of strings, got null",
		`{"keys": ["a"`:                                                "not valid JSON",
		`{"keys": ["a"], "startAfter": "b"}`:                           `startAfter "b" must be one of the keys, and not the last`,
		`{"keys": ["a"], "startAfter": "a"}`:                           `startAfter "a" must be one of the keys, and not the last`,
		`{"keys": ["a"], "startAfter": ""}`:                            "startAfter must be 1 to 1024 bytes long: it has 0",
		`{"keys": ["a"], "onFailure": "ignore"}`:                       `onFailure must be one of fail, report, got "ignore"`,
		`{"keys": ["a"], "onFailure": null}`:                           "onFailure must be one of fail, report, got null",
		`{"prefix": null}`:                                             "prefix must be a string, got null",
		`{"prefix": "p", "maxObjects": 1000001}`:                       "maxObjects must be a whole number from 1 to 1000000, got 1000001",
		`{"prefix": "p", "prefix": "q"}`:                               "duplicate",
		`{"Items": [{"Key": "a"}, {"key": "b"}]}`:                      "Items[1] must have a Key",
		`{"Items": [{"Key": 5}]}`:                                      "Items[0].Key must be a string, got 5",
		`{"Items": ["a"]}`:                                             `Items[0] must be a JSON object, got "a"`,
		`{"Items": [{"Key": "a"}], "BatchInput": 5}`:                   "BatchInput must be a JSON object, got 5",
		`{"Items": [{"Key": "a"}], "BatchInput": {"repeat": 5}}`:       `unknown field "BatchInput.repeat": the fields are strategy, concurrency, onFailure, startAfter`,
		`{"Items": [{"Key": "a"}], "BatchInput": {"concurrency": 0}}`:  "BatchInput.concurrency must be a whole number from 1 to 900, got 0",
		`{"Items": [{"Key": "a"}], "BatchInput": {"startAfter": "b"}}`: `startAfter "b" must be one of the keys`,
	} {
		_, err := event.Decode([]byte(raw), 7)
		if err == nil || !strings.HasPrefix(err.Error(), "payload: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("Decode(%s) = %v, want an error with %q", raw, err, want)
		}
	}
}

func TestAnErrorStaysReadableWhateverThePayload(t *testing.T) {
	for _, raw := range []string{
		`{"` + strings.Repeat("n", 1e6) + `": 1}`,
		`{"objectKey": "k", "repeat": "` + strings.Repeat("9", 1e6) + `"}`,
		`{"objectKey": "k", "strategy": "` + strings.Repeat("s", 1e6) + `"}`,
		`{"keys": [["` + strings.Repeat("k", 1e6) + `"]]}`,
		`{"Items": [{"Key": "k"}], "BatchInput": {"` + strings.Repeat("n", 1e6) + `": 1}}`,
		`{"keys": ["` + strings.Repeat("ä", 512) + `", "` + strings.Repeat("ä", 512) + `"]}`,
		strings.Repeat("x", 1e6),
	} {
		if _, err := event.Decode([]byte(raw), 7); err == nil || len(err.Error()) > 500 {
			t.Errorf("Decode(%.40s…): an error of %d bytes, want one below 500", raw, len(err.Error()))
		}
	}
}

// Lambda accepts a payload of 6 MB: a million keys of 6 bytes, including quotes
// and comma. Ten times the keys may take ten times as long, and twice that if
// memory is scarce, but not a hundred times as long. The test measures CPU time,
// which does not depend on the load of the machine.
func TestAMillionKeysAreDecodedInTheTimeThatTheirNumberTakes(t *testing.T) {
	payload := func(n int) []byte {
		raw := []byte(`{"keys": [`)
		for i := range n {
			raw = fmt.Appendf(raw, `"%x",`, i)
		}
		return append(raw[:len(raw)-1], "]}"...)
	}
	least := func(raw []byte, n int) time.Duration {
		best := time.Hour
		for range 3 {
			before := processCPU(t)
			p, err := event.Decode(raw, 7)
			best = min(best, processCPU(t)-before)
			if err != nil || len(p.Keys) != n {
				t.Fatalf("Decode of %d keys: %d keys, %v", n, len(p.Keys), err)
			}
		}
		return best
	}
	few, many := least(payload(70_000), 70_000), least(payload(700_000), 700_000)
	if many > 40*few {
		t.Errorf("70,000 keys took %v, 700,000 took %v: want about ten times as long", few, many)
	}
	t.Logf("70,000 keys: %v; 700,000 keys: %v", few, many)
}

func processCPU(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestDecodingCopiesEachKeyOnce(t *testing.T) {
	const n = 50_000
	key := strings.Repeat("k", 100)
	raw := []byte(`{"keys": ["`)
	for i := range n {
		raw = fmt.Appendf(raw, `%s%06d","`, key, i)
	}
	raw = append(raw[:len(raw)-2], "]}"...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := event.Decode(raw, 7)
	runtime.ReadMemStats(&after)
	// Room for the keys, the growing slice of keys and the set that finds repeated
	// keys. The race detector makes pools drop the decoder's buffers.
	most := len(raw) * 5 / 2
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		most += len(raw)
	}
	if got := int(after.TotalAlloc - before.TotalAlloc); err != nil || got > most {
		t.Errorf("decoding %d bytes of keys allocated %d bytes, want at most %d (%v)", len(raw), got, most, err)
	}
}

func TestWorkers(t *testing.T) {
	for value, want := range map[string]int{"": 130, "1": 1, "900": 900} {
		if got, err := event.Workers(value, 2_304); got != want || err != nil {
			t.Errorf("Workers(%q, 2304) = %d, %v; want %d", value, got, err, want)
		}
	}
	for memoryMB, want := range map[int]int{0: 30, 128: 30, 512: 30, 1_024: 57, 1_769: 100, 3_008: 170, 10_240: 578} {
		if got, err := event.Workers("", memoryMB); got != want || err != nil {
			t.Errorf("Workers(\"\", %d) = %d, %v; want 100 for each vCPU, 30 at least: %d", memoryMB, got, err, want)
		}
	}
	for _, value := range []string{"0", "901", "-3", "3.0", "many", " 3"} {
		if got, err := event.Workers(value, 128); err == nil || !strings.Contains(err.Error(), "MAX_WORKERS must be a whole number from 1 to 900") {
			t.Errorf("Workers(%q) = %d, %v; want an error that says what is allowed", value, got, err)
		}
	}
}

// A payload that Decode accepts is within the limits, and Decode returns the same
// payload for its JSON as encoded by Go.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"strategy": "pool", "concurrency": 30, "repeat": 2000, "objectKey": "sample.json"}`,
		`{"repeat": 3e1, "objectKey": "\ud83d\ude00"}`,
		`{"objectKey": "k", "concurrency": 9007199254740993}`,
		`{"objectKey": "k", "repeat": 1e-400}`,
		`{"objectKey": "k", "unknown": {"nested": [null, true]}}`,
		`{"objectKey": "\ud800"}`,
		`{"objectKey": "k", "objectKey": "l"}`,
		`{"objectKey": "k"} trailing`,
		`{"keys": ["a", "b"], "startAfter": "a", "onFailure": "report"}`,
		`{"prefix": "", "suffix": ".json", "maxObjects": 5}`,
		`{"BatchInput": {"strategy": "pool"}, "Items": [{"Key": "a/", "Size": 0}, {"Key": "b"}]}`,
		"\ufeff{}", `[`, `{"`, ``, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := event.Decode(raw, event.DefaultConcurrency)
		if err != nil {
			if !reflect.DeepEqual(p, event.Payload{}) {
				t.Fatalf("Decode(%q) = %+v beside the error %v", raw, p, err)
			}
			return
		}
		if _, err := strategies.ByName(p.Strategy); err != nil || p.Concurrency < 1 || p.Concurrency > event.MaxConcurrency {
			t.Fatalf("Decode(%q) = %+v, which is out of bounds", raw, p)
		}
		var ways int
		for _, way := range []bool{p.ObjectKey != "", p.Prefix != nil, p.Keys != nil || p.Batch} {
			if way {
				ways++
			}
		}
		if ways != 1 || (p.ObjectKey != "") != (p.Repeat > 0) || (p.Prefix != nil) != (p.MaxObjects > 0) ||
			p.Repeat > event.MaxRepeat || p.MaxObjects > event.MaxObjects || slices.Contains(p.Keys, "") {
			t.Fatalf("Decode(%q) = %+v, which does not name objects in one way", raw, p)
		}
		if p.Batch {
			return // Go does not encode Items
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if q, err := event.Decode(again, 1); err != nil || !reflect.DeepEqual(p, q) {
			t.Fatalf("Decode(%s) = %+v, %v; want %+v, as %q was decoded", again, q, err, p, raw)
		}
	})
}
