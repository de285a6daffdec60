package event_test

import (
	"encoding/json"
	"strings"
	"testing"

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
	} {
		if got, err := event.Decode([]byte(c.raw), 7); err != nil || got != c.want {
			t.Errorf("Decode(%s) = %+v, %v; want %+v", c.raw, got, err, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for raw, want := range map[string]string{
		``:                                     "it is empty",
		`null`:                                 "must be a JSON object, got null",
		`"objectKey"`:                          `must be a JSON object, got "objectKey"`,
		`[]`:                                   "must be a JSON object, got []",
		`{`:                                    "not valid JSON",
		`{"objectKey": "k"} x`:                 "not valid JSON",
		`{"objectKey": "k"}{}`:                 "something follows the object",
		`{"objectKey": "k", "objectKey": "l"}`: "duplicate",
		`{}`:                                   "objectKey is missing",
		`{"objectKey": ""}`:                    "objectKey must be 1 to 1024 bytes long, got 0",
		`{"objectKey": "` + strings.Repeat("ä", 513) + `"}`: "objectKey must be 1 to 1024 bytes long, got 1026",
		`{"objectKey": 5}`:                          "objectKey must be a string, got 5",
		`{"objectKey": null}`:                       "objectKey must be a string, got null",
		`{"objectkey": "k"}`:                        `unknown field "objectkey": the fields are strategy, concurrency, repeat, objectKey`,
		`{"objectKey": "k", "repeat": 0}`:           "repeat must be a whole number from 1 to 1000000, got 0",
		`{"objectKey": "k", "repeat": 1000001}`:     "repeat must be a whole number from 1 to 1000000, got 1000001",
		`{"objectKey": "k", "repeat": 1.5}`:         "repeat must be a whole number from 1 to 1000000, got 1.5",
		`{"objectKey": "k", "repeat": "5"}`:         `repeat must be a whole number from 1 to 1000000, got "5"`,
		`{"objectKey": "k", "repeat": null}`:        "repeat must be a whole number from 1 to 1000000, got null",
		`{"objectKey": "k", "concurrency": -1}`:     "concurrency must be a whole number from 1 to 900, got -1",
		`{"objectKey": "k", "concurrency": 901}`:    "concurrency must be a whole number from 1 to 900, got 901",
		`{"objectKey": "k", "concurrency": 1e999}`:  "concurrency must be a whole number from 1 to 900, got 1e999",
		`{"objectKey": "k", "strategy": "threads"}`: `strategy "threads" must be one of sequential, unbounded, pool, semaphore`,
		`{"objectKey": "k", "strategy": 3}`:         "strategy 3 must be one of",
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
		strings.Repeat("x", 1e6),
	} {
		if _, err := event.Decode([]byte(raw), 7); err == nil || len(err.Error()) > 500 {
			t.Errorf("Decode(%.40s…): an error of %d bytes, want one below 500", raw, len(err.Error()))
		}
	}
}

func TestWorkers(t *testing.T) {
	for value, want := range map[string]int{"": 30, "1": 1, "900": 900} {
		if got, err := event.Workers(value); got != want || err != nil {
			t.Errorf("Workers(%q) = %d, %v; want %d", value, got, err, want)
		}
	}
	for _, value := range []string{"0", "901", "-3", "3.0", "many", " 3"} {
		if got, err := event.Workers(value); err == nil || !strings.Contains(err.Error(), "MAX_WORKERS must be a whole number from 1 to 900") {
			t.Errorf("Workers(%q) = %d, %v; want an error that says what is allowed", value, got, err)
		}
	}
}

// What Decode takes is within the limits, and is the same when it is sent
// again as Go writes it.
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
		"\ufeff{}", `[`, `{"`, ``, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := event.Decode(raw, event.DefaultConcurrency)
		if err != nil {
			if p != (event.Payload{}) {
				t.Fatalf("Decode(%q) = %+v beside the error %v", raw, p, err)
			}
			return
		}
		if _, err := strategies.ByName(p.Strategy); err != nil || p.ObjectKey == "" || len(p.ObjectKey) > event.MaxKeyBytes ||
			p.Concurrency < 1 || p.Concurrency > event.MaxConcurrency || p.Repeat < 1 || p.Repeat > event.MaxRepeat {
			t.Fatalf("Decode(%q) = %+v, which is out of bounds", raw, p)
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if q, err := event.Decode(again, 1); err != nil || q != p {
			t.Fatalf("Decode(%s) = %+v, %v; want %+v, as %q was decoded", again, q, err, p, raw)
		}
	})
}
