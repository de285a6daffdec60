//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/profile"
)

// compared runs the program and returns its results.json.
func compared(t *testing.B, args ...string) *comparison.Comparison {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), append(args, "--json", "-o", t.TempDir()), &session{stdout: &stdout, stderr: &stderr}); err != nil {
		t.Fatalf("tune %v: %v\n%s", args, err, &stderr)
	}
	t.Logf("tune %v: %s", args, lastLines(stderr.String()))
	c, err := comparison.Read(&stdout)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func lastLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "\n")
}

// The model itself, with a speed and a latency of its own, plays the Lambda. This
// reports how far the model of the answers is from it, and gates nothing: a
// machine that is busy is measured, and not exactly.
func BenchmarkTheModelBecomesLikeTheLambdaOfTheAnswers(b *testing.B) {
	b.Chdir("..")
	for _, tt := range []struct{ factor, latency, atOnce string }{{"0.7x", "public", "2"}, {"1.5x", "express", "1"}} {
		b.Run(tt.factor+" "+tt.latency, func(b *testing.B) {
			for b.Loop() {
				liken(b, tt.factor, tt.latency, tt.atOnce)
			}
		})
	}
}

// liken asks a Lambda of that factor and latency for answers, and reports in
// what the model of these answers differs from it.
func liken(t *testing.B, factor, latency, atOnce string) {
	model := []string{"--arch", "x86_64", "--strategies", "pool", "--num", "1"}
	there := append(model, "--cpu", factor, "--latency", latency)
	var answers bytes.Buffer
	for _, call := range [][]string{{"512", "64", "1000"}, {"3008", atOnce, "500"}} {
		c := compared(t, append(there, "--power", call[0], "--concurrency", call[1], "--repeat", call[2])...)
		var a event.Answer
		if err := json.Unmarshal(c.Variants[0].Cells[0].Response, &a); err != nil {
			t.Fatal(err)
		}
		a.CPUSec = c.Run.VCPUs(a.CPUSec) // as Lambda's slower processor counts it
		if err := json.NewEncoder(&answers).Encode(a); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "answers.json")
	if err := os.WriteFile(file, answers.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	c := compared(t, append(model, "--like", file, "--power", "512", "--repeat", "10")...)
	if len(c.Run.Like) != 2 || c.Run.CPU.Source != "--like "+file {
		t.Fatalf("like = %q, source %q; want a line on the speed and one on the latency", c.Run.Like, c.Run.CPU.Source)
	}
	want, _ := strconv.ParseFloat(strings.TrimSuffix(factor, "x"), 64)
	t.ReportMetric(100*(c.Run.CPU.Scale/want-1), "%-off-speed")
	got, err := profile.Parse(c.Run.Latency)
	if err != nil {
		t.Fatal(err)
	}
	real, _ := profile.Parse(latency)
	t.ReportMetric(100*(float64(got.Median())/float64(real.Median())-1), "%-off-latency")
}

func TestAnswersThatCannotTellAreRefused(t *testing.T) {
	spec := comparison.Spec{Arch: "arm64", ObjectKey: "sample.json", ObjectBytes: 9374}
	one := 1
	answer := func(edit func(*event.Answer)) string {
		a := event.Answer{ObjectsRead: 1_000, BytesRead: 9_374_000, TimeSec: 16, CPUSec: 1, Strategy: "sequential", Concurrency: &one, PeakInFlight: 1, MemoryMB: 1769, Architecture: "arm64"}
		edit(&a)
		b, _ := json.Marshal(a)
		return string(b)
	}
	fine := answer(func(*event.Answer) {})
	for name, tt := range map[string]struct{ file, want string }{
		"nothing":             {"", "there is no answer in it"},
		"not JSON":            {fine + "x", "answer 2: invalid character"},
		"another function's":  {`{"orders": 5}`, `answer 1 is not one of this project's function`},
		"another processor's": {answer(func(a *event.Answer) { a.Architecture = "x86_64" }), "compare with --arch x86_64"},
		"another object's":    {answer(func(a *event.Answer) { a.BytesRead *= 2 }), "objects of 18748 bytes"},
		"too few reads":       {answer(func(a *event.Answer) { a.ObjectsRead, a.BytesRead = 100, 937_400 }), "has 100 reads: it must be 500 or more"},
		"retries":             {answer(func(a *event.Answer) { a.Retries = 3 }), "has 3 retries"},
		"both":                {answer(func(a *event.Answer) { a.CPUSec = 11 }), "used 69 % of its processor time"},
		"many at once":        {answer(func(a *event.Answer) { a.PeakInFlight = 30 }), "with 30 reads at once"},
	} {
		file := filepath.Join(t.TempDir(), "answers.json")
		if err := os.WriteFile(file, []byte(tt.file), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readLikeness(file, spec)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), `"concurrency": 64, "repeat": 2000, "objectKey": "sample.json"}`) {
			t.Errorf("%s: %v\nwant %q and the payloads", name, err, tt.want)
		}
	}
	file := filepath.Join(t.TempDir(), "answers.json")
	if err := os.WriteFile(file, []byte(fine+"\n"+answer(func(a *event.Answer) { a.Retries = 1 })), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := readLikeness(file, spec); err != nil || l.latency == nil || l.speed != nil {
		t.Errorf("one that tells and one that does not: %+v, %v", l, err)
	}
}
