package s3_test

import (
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lambda-parallel-io/tune/local/s3"
	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/slowmotion"
)

// A body takes its bytes over the bandwidth of a connection: a long one all of
// its time, and one of S3's usual small ones no more than its latency.
func TestABodyTakesItsTimeOnAConnection(t *testing.T) {
	for size, want := range map[int]time.Duration{
		9_000:      0,
		64 << 10:   0,
		64<<10 + 1: (64<<10 + 1) * time.Second / profile.ConnectionBandwidth,
		1_000_000:  1_000_000 * time.Second / profile.ConnectionBandwidth,
		10_000_000: 10_000_000 * time.Second / profile.ConnectionBandwidth,
	} {
		s := stored(t, "15ms", 0, strings.Repeat("x", size))
		synctest.Test(t, func(t *testing.T) {
			s.Begin(latency(t, "15ms"), 1, 1, 1)
			for _, header := range [][]string{nil, {"If-None-Match", `"another"`}} { // gofakes3 answers the second one
				if got := serve(s, keyPath, header...) - 15*time.Millisecond; got != want {
					t.Errorf("a body of %d bytes took %v beside its latency, want %v (%q)", size, got, want, header)
				}
			}
		})
	}
}

// However many connections, a function's bytes beyond its burst take their time
// over its bandwidth; each invocation may burst anew.
func TestConnectionsShareTheFunctionsBandwidth(t *testing.T) {
	const size, at, each = 1_000_000, 40, 10
	s := stored(t, "none", 0, strings.Repeat("x", size))
	read := func() time.Duration {
		begin := time.Now()
		var wg sync.WaitGroup
		for range at {
			wg.Go(func() {
				for range each {
					serve(s, keyPath)
				}
			})
		}
		wg.Wait()
		return time.Since(begin)
	}
	seconds := func(bytes, rate float64) time.Duration {
		return time.Duration(bytes / rate * float64(time.Second))
	}
	const total = float64(size * at * each)
	synctest.Test(t, func(t *testing.T) {
		for k := range 2 {
			s.Begin(latency(t, "none"), 1, 1, uint64(k))
			least := seconds(total-profile.BurstBytes, profile.Bandwidth)
			if got := read(); got < least || got > least*11/10 {
				t.Errorf("invocation %d: %.0f MB over %d connections took %v, want %v: what is beyond the burst at 75 MiB/s", k, total/1e6, at, got, least)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s.Begin(latency(t, "none"), 1, 1, 2)
		begin := time.Now()
		var wg sync.WaitGroup
		for range 100 { // within the budget, and more than the burst's bandwidth at once
			wg.Go(func() { serve(s, keyPath) })
		}
		wg.Wait()
		least := seconds(100*size, profile.BurstBandwidth)
		if got := time.Since(begin); (got - least).Abs() > least/10 {
			t.Errorf("100 MB at once took %v, want %v: at the burst's 1.2 GiB/s", got, least)
		}
	})
}

// Latency, a connection's and the function's bandwidth, and the request limit.
func TestSlowMotionStretchesEverything(t *testing.T) {
	const slow = 3
	one := func(s *s3.Server) time.Duration { return serve(s, keyPath) }
	many := func(s *s3.Server) time.Duration {
		begin := time.Now()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { serve(s, keyPath) })
		}
		wg.Wait()
		return time.Since(begin)
	}
	granted := func(s *s3.Server) time.Duration { // until S3 has granted 1,000 GETs, in a row and at once
		begin := time.Now()
		for reads, refused := s.Counters(); reads-refused < 1_000; reads, refused = s.Counters() {
			serve(s, "/b/none") // takes no time but its latency
		}
		return time.Since(begin)
	}
	for _, c := range []struct {
		what, latency string
		body          int
		take          func(*s3.Server) time.Duration
	}{
		{"a GET", "15ms", 9_000, one},
		{"a body of 10 MB", "none", 10_000_000, one},
		{"100 of 1 MB at once", "none", 1_000_000, many},
		{"250 MB beyond the burst", "none", 4_000_000, many},
		{"1,000 GETs", "10us", 0, granted},
	} {
		var took []time.Duration
		for _, times := range []int{1, slow} {
			s, _ := slowServer(t, times, c.latency, strings.Repeat("x", c.body))
			s.ByGoTimers()
			synctest.Test(t, func(t *testing.T) {
				s.Begin(latency(t, c.latency), slowmotion.Factor(times), 1, 1)
				took = append(took, c.take(s))
			})
		}
		if ratio := took[1].Seconds() / took[0].Seconds(); math.Abs(ratio/slow-1) > 0.01 {
			t.Errorf("%s took %v in slow motion and %v without, %.2f times as long, want %d", c.what, took[1], took[0], ratio, slow)
		}
	}
}
