package profile_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"lambda-parallel-io/tune/profile"
)

func parse(t testing.TB, name string) profile.S3 {
	t.Helper()
	s, err := profile.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drawn returns n latencies in ms, in order of their size.
func drawn(s profile.S3, seed uint64, n int) []float64 {
	ms := make([]float64, n)
	for i := range ms {
		ms[i] = s.Draw(seed, 1, uint64(i+1)).Seconds() * 1e3
	}
	slices.Sort(ms)
	return ms
}

func mean(ms []float64) (sum float64) {
	for _, x := range ms {
		sum += x / float64(len(ms))
	}
	return sum
}

func within(t *testing.T, what string, got, low, high float64) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s: %.2f ms, want from %g to %g", what, got, low, high)
	}
}

func TestTheSameNumbersDrawTheSameLatencyAndOthersAnother(t *testing.T) {
	s := parse(t, "apg")
	if first, second := s.Draw(1, 2, 3), s.Draw(1, 2, 3); first != second {
		t.Error("the same seed, invocation and GET draw two latencies")
	}
	seen := map[time.Duration]string{}
	for seed := range uint64(5) {
		for k := range uint64(5) {
			for i := range uint64(50) {
				at := fmt.Sprint(seed, k, i)
				d := s.Draw(seed, k, i)
				if other, ok := seen[d]; ok {
					t.Errorf("%s and %s draw the same %v", at, other, d)
				}
				seen[d] = at
			}
		}
	}
}

// Source: blacha/s3-response-time, response-times.csv, the six series by Go.
func TestPublicHasTheSpreadOfThePublishedGETs(t *testing.T) {
	s := parse(t, "public")
	const n = 230
	for seed := range uint64(20) {
		ms := drawn(s, seed, n)
		within(t, "the least of 230 GETs", ms[0], 13.3, 16)
		within(t, "their 10th percentile", ms[n/10], 14.3, 19.3)
		within(t, "their median", ms[n/2], 19.7, 26.4)
		within(t, "their 90th percentile", ms[n*9/10], 25.7, 30.8)
	}
	within(t, "the 99th percentile", drawn(s, 1, 100_000)[99_000], 108, 120) // published: 114
}

// Source: aws-samples/aws-lambda-parallel-download, December 2024. At once, its
// one Python thread computes for 27 s of 10,000 reads with what 2,304 MB buy,
// 1.30 vCPUs; one by one it computes at a core's 1.37.
func TestApgHasTheMeanOfThePublishedSequentialReads(t *testing.T) {
	processor := 27e3 / 10_000 * (2304. / 1769) / 1.37
	want := 47e3/2_500 - processor
	within(t, "the mean", parse(t, "apg").Mean().Seconds()*1e3, 0.99*want, 1.01*want)
	public := parse(t, "public")
	level := float64(parse(t, "apg").Median) / float64(public.Median)
	for i, ms := range drawn(parse(t, "apg"), 1, 1_000) { // the shape of public
		within(t, fmt.Sprintf("the %d. of 1,000", i+1), ms/level/drawn(public, 1, 1_000)[i], 0.99, 1.01)
	}
}

func TestEveryLatencyHasTheMeanAndTheFloorThatItTells(t *testing.T) {
	for _, name := range []string{"apg", "public", "express", "none", "15ms", "13ms~0.62", "2xpublic"} {
		s := parse(t, name)
		ms := drawn(s, 7, 40_000)
		told := s.Mean().Seconds() * 1e3
		within(t, name+": the mean", mean(ms), 0.98*told, 1.02*told)
		within(t, name+": the least", ms[0], s.Floor.Seconds()*1e3, s.Median.Seconds()*1e3)
		middle := s.Median.Seconds() * 1e3
		within(t, name+": the median", ms[len(ms)/2], 0.97*middle, 1.03*middle)
	}
}

func TestALatencyIsReadByItsName(t *testing.T) {
	for name, want := range map[string]profile.S3{
		"27.5ms~0.62": parse(t, "27500us~0.621"),
		"1.31xapg":    parse(t, "apg").Scaled(1.3142),
		"3xexpress":   parse(t, "express").Scaled(3),
		"1.5xapg":     parse(t, "3xapg").Scaled(0.5),
		"6xapg":       parse(t, "2x3xapg"),
	} {
		s, err := profile.Parse(name)
		if err != nil || s != want || s.String() != name || s.Draw(1, 1, 1) == s.Draw(1, 1, 2) {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", name, s, err, want)
		}
	}
	apg, scaled := parse(t, "apg"), parse(t, "1.5xapg")
	if got := scaled.Draw(1, 2, 3).Seconds() / apg.Draw(1, 2, 3).Seconds(); math.Abs(got-1.5) > 1e-6 {
		t.Errorf("a GET of 1.5xapg takes %g times what the same GET takes of apg", got)
	}
}

func TestParseSaysWhatIsAllowed(t *testing.T) {
	for _, in := range []string{"", "fast", "15", "-1ms", "2m", "13ms~3", "13ms~-1", "13ms~wide", "0xapg", "-1xapg", "101xapg", "NaNxapg", "1xslow", "100x100xapg"} {
		if _, err := profile.Parse(in); err == nil || !strings.Contains(err.Error(), "apg, public, express, none, a duration from 0s to 1m") {
			t.Errorf("Parse(%q) = %v, want an error that says what is allowed", in, err)
		}
	}
}
