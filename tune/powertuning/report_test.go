package powertuning

import (
	"strings"
	"testing"
)

const id = "6f7f6961-1e38-11e7-99ca-67bf163608ed"

func TestReportIsLambdasLine(t *testing.T) {
	warm := "REPORT RequestId: " + id + "\tDuration: 2345.67 ms\tBilled Duration: 2346 ms\tMemory Size: 2304 MB\tMax Memory Used: 90 MB\t"
	cold := strings.Replace(warm, "2346", "2407", 1) + "Init Duration: 61.24 ms\t"
	for r, want := range map[Report]string{
		{id, 2345.67, 2346, 2304, 90, 0}:     warm,
		{id, 2345.67, 2407, 2304, 90, 61.24}: cold,
		{id, 1, 1, 128, 9, 0}:                "REPORT RequestId: " + id + "\tDuration: 1.00 ms\tBilled Duration: 1 ms\tMemory Size: 128 MB\tMax Memory Used: 9 MB\t",
	} {
		if got := r.String(); got != want {
			t.Errorf("%#v.String() = %q, want %q", r, got, want)
		}
		if got, err := ParseReport("START RequestId: x\nEND\n" + want + "\n"); err != nil || got != r {
			t.Errorf("ParseReport(%q) = %#v, %v, want %#v", want, got, err, r)
		}
	}
}

func TestUnreadableReportsSayWhatIsWrong(t *testing.T) {
	line := Report{id, 1, 1, 128, 9, 0}.String()
	for log, want := range map[string]string{
		"":                                      "no REPORT line",
		"END RequestId: x":                      "no REPORT line",
		"{\"a\": 1}\n":                          "begins with {",
		"{ a line\n" + line:                     "begins with {",
		strings.Replace(line, "1.00", "1", 1):   "no Duration in the form",
		strings.Replace(line, "Billed ", "", 1): "no Billed Duration",
		strings.Replace(line, "\t", " ", -1):    "no Duration",
		strings.Replace(line, "128", strings.Repeat("9", 30), 1):                           "out of range",
		strings.Replace(line, "1.00", strings.Repeat("9", 400)+".0", 1):                    "out of range",
		strings.Replace(line, "9 MB", "9", 1):                                              "no Max Memory Used",
		line + "Init Duration: " + strings.Repeat("9", 400) + ".0 ms\t":                    "out of range",
		"REPORT RequestId: " + id + "\tDuration: 1.0 ms\tBilled Duration: 1 ms":            "no Memory Size",
		"REPORT RequestId: " + id + "\tDuration: -1.0 ms\tBilled Duration: 1 ms\tMemory S": "no Duration",
	} {
		if r, err := ParseReport(log); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseReport(%.80q) = %+v, %v, want an error with %q", log, r, err, want)
		}
	}
}

// What was read from a log and is written as a line reads the same, to the
// line's two decimals.
func FuzzParseReport(f *testing.F) {
	for _, c := range load(f).LogParsing {
		f.Add(c.Input.Log)
	}
	f.Add(Report{id, 0.001, 1, 128, 9, 0.001}.String())
	f.Add(Report{"", 1e300, 1 << 40, 10_240, 0, 61.24}.String())
	f.Fuzz(func(t *testing.T, log string) {
		r, err := ParseReport(log)
		if err != nil {
			return
		}
		line := r.String()
		again, err := ParseReport(line)
		if err != nil {
			t.Fatalf("ParseReport(%q) = %#v, of which the line %q: %v", log, r, line, err)
		}
		if again.RequestID != r.RequestID || again.BilledMS != r.BilledMS || again.MemoryMB != r.MemoryMB || again.MaxMemoryMB != r.MaxMemoryMB ||
			!cents(again.DurationMS, r.DurationMS) || !cents(again.InitMS, r.InitMS) {
			t.Errorf("ParseReport(%q) = %#v, of which the line reads %#v", log, r, again)
		}
	})
}

func cents(a, b float64) bool { return near(a, b) || a-b < 0.0051 && b-a < 0.0051 }
