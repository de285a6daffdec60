package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"lambda-parallel-io/strategies"
)

const records = 43 // of sample.json

func TestEveryStrategyReadsEveryObjectWhole(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	p := start(t, s3.settings()...)
	size := len(sample(t))
	for _, s := range strategies.All() {
		const repeat = 200
		s3.injure(nil)
		a := p.must(t, fmt.Sprintf(`{"strategy": %q, "concurrency": 20, "repeat": %d, "objectKey": "sample.json"}`, s.Name, repeat), time.Minute)
		if a.BytesRead != int64(repeat*size) || a.RecordsRead != repeat*records {
			t.Errorf("%s: bytes_read %d, records_read %d; want %d, %d", s.Name, a.BytesRead, a.RecordsRead, repeat*size, repeat*records)
		}
		if got := s3.gets.Load(); got != repeat {
			t.Errorf("%s: S3 was sent %d GETs for %d reads", s.Name, got, repeat)
		}
		if a.Strategy != s.Name || a.Retries != 0 || a.TimeSec <= 0 || a.CPUSec <= 0 || a.ObjectsPerSec <= 0 || a.BytesPerSec <= 0 {
			t.Errorf("%s: answer %+v", s.Name, a)
		}
		if l := a.Latency; l.P50 <= 0 || l.P50 > l.P95 || l.P95 > l.P99 || l.P99 > l.Max || l.Max > a.TimeSec*1000 {
			t.Errorf("%s: latency_ms %+v in %.3f s", s.Name, l, a.TimeSec)
		}
		switch c := a.Concurrency; {
		case s.Sequential:
			if c == nil || *c != 1 || a.PeakInFlight != 1 {
				t.Errorf("%s: concurrency %v, peak_in_flight %d; want 1, 1", s.Name, c, a.PeakInFlight)
			}
		case s.Bounded:
			if c == nil || *c != 20 || a.PeakInFlight != 20 {
				t.Errorf("%s: concurrency %v, peak_in_flight %d; want 20, 20", s.Name, c, a.PeakInFlight)
			}
		default:
			if c != nil || a.PeakInFlight <= 20 {
				t.Errorf("%s: concurrency %v, peak_in_flight %d; want null, more than the bounded ones'", s.Name, c, a.PeakInFlight)
			}
		}
	}
}

func TestThePayloadOfTheOriginalSampleWorks(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	p := start(t, s3.settings("MAX_WORKERS=7")...)
	a := p.must(t, `{"repeat": 70, "objectKey": "sample.json"}`, time.Minute)
	if a.Strategy != "pool" || *a.Concurrency != 7 || a.ObjectsRead != 70 {
		t.Errorf("answer %+v, want 70 objects by pool at MAX_WORKERS", a)
	}
	p = start(t, s3.settings("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=2304")...)
	if a := p.must(t, `{"repeat": 70, "objectKey": "sample.json"}`, time.Minute); *a.Concurrency != 130 {
		t.Errorf("answer %+v of 2,304 MB without MAX_WORKERS, want the concurrency 130", a)
	}
}

func TestConnectionsAreKeptForTheNextInvocation(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	p := start(t, s3.settings()...)
	const payload = `{"repeat": 300, "objectKey": "sample.json"}`
	if a := p.must(t, payload, time.Minute); a.Connections < 1 || a.Connections > 100 {
		t.Errorf("300 reads at concurrency 30 opened %d connections, want about 30", a.Connections)
	}
	if a := p.must(t, payload, time.Minute); a.Connections > 0 {
		t.Errorf("300 more opened %d, want none", a.Connections)
	}
}

func TestBadInputIsRefusedBeforeAnyRequest(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	s3.injure(nil)
	p := start(t, s3.settings()...)
	for payload, want := range map[string]string{
		`{}`: "objectKey is missing",
		`{"objectKey": "sample.json", "repeat": 0}`:            "repeat must be a whole number from 1 to 1000000, got 0",
		`{"objectKey": "sample.json", "strategy": "Pool"}`:     `strategy must be one of sequential, unbounded, pool, semaphore, got "Pool"`,
		`{"objectKey": "sample.json", "workers": 3}`:           `unknown field "workers"`,
		`[{"objectKey": "sample.json"}]`:                       "must be a JSON object",
		`{"objectKey": "sample.json"} {"objectKey": "second"}`: "after top-level value",
		``: "must be a JSON object, got nothing",
	} {
		if _, err := p.invoke(payload, time.Minute); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("invoke(%s) = %v, want an error with %q", payload, err, want)
		}
	}
	if got := s3.gets.Load(); got != 0 {
		t.Errorf("%d requests were sent for payloads that ask for nothing", got)
	}
	p.must(t, `{"repeat": 3, "objectKey": "sample.json"}`, time.Minute)
}

func TestSettingsThatAreMissingEndTheStartWithASentence(t *testing.T) {
	good := newS3(t).settings()
	for _, c := range []struct{ setting, want string }{
		{"BUCKET=", "BUCKET is not set"},
		{"MAX_WORKERS=901", `MAX_WORKERS must be a whole number from 1 to 900, got "901"`},
		{"AWS_REGION=", "AWS_REGION is not set"},
		{"AWS_CA_BUNDLE=/does/not/exist", "/does/not/exist"},
	} {
		p := start(t, append(good, c.setting)...)
		<-p.exited
		if code := p.cmd.ProcessState.ExitCode(); code != 1 || !strings.HasPrefix(p.log.String(), "the function cannot start: ") || !strings.Contains(p.log.String(), c.want) {
			t.Errorf("%s: exit code %d, log %q; want 1 and a sentence with %q", c.setting, code, p.log.String(), c.want)
		}
	}
}

func TestTheLogIsLittleAndOfText(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	p := start(t, s3.settings()...)
	p.must(t, `{"repeat": 500, "objectKey": "sample.json"}`, time.Minute)
	if got := p.log.String(); got != "" {
		t.Errorf("a call that succeeded logged %q, want nothing", got)
	}
	s3.injure(share(0.3, cut))
	p.must(t, `{"repeat": 500, "objectKey": "sample.json"}`, time.Minute)
	s3.injure(nil)
	_, err := p.invoke(`{"repeat": 500, "objectKey": "missing"}`, time.Minute)
	if got := p.log.String(); err == nil || len(got) > 2000 {
		t.Errorf("error %v, and %d bytes of log; want an error and less than 2,000 bytes", err, len(got))
	}
	for line := range strings.Lines(p.log.String()) {
		if strings.HasPrefix(line, "{") { // Power Tuning would mistake it for a JSON log
			t.Errorf("a line of the log begins with {: %q", line)
		}
	}
}

func TestObjectsOfAnyKeyAndSize(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	p := start(t, s3.settings()...)
	for key, content := range map[string]string{
		"a folder/ä+b&c=%d.json":     `[1]`,
		"empty-array":                ` [ ] `,
		strings.Repeat("k", 900):     `[{"a": 1, "a": 2}]`,
		"of-2-MB":                    "[" + strings.TrimSuffix(strings.Repeat(`"0123456789",`, 150_000), ",") + "]",
		"with-everything-json-knows": `[null, true, -1.5e3, "\u00e4", [[]], {"x": {}}]`,
	} {
		s3.put(t, strings.NewReplacer("%", "%25", " ", "%20", "ä", "%C3%A4", "+", "%2B", "&", "%26", "=", "%3D").Replace(key), []byte(content))
		a := p.must(t, fmt.Sprintf(`{"repeat": 3, "objectKey": %q}`, key), time.Minute)
		n, err := countRecords([]byte(content))
		if a.BytesRead != int64(3*len(content)) || a.RecordsRead != 3*n || err != nil {
			t.Errorf("%q: bytes_read %d, records_read %d; want %d, %d (%v)", key, a.BytesRead, a.RecordsRead, 3*len(content), 3*n, err)
		}
	}
}
