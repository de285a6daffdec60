//go:build linux

package local_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/profile"
)

func TestAfterALongPauseTheFirstInvocationDoesNotCount(t *testing.T) {
	for do, closing := range map[string]time.Duration{"take a while": 200 * time.Millisecond, "": time.Minute} {
		more := do != ""
		reset := local.SetClosing(closing)
		var printed strings.Builder
		c, err := compare(t, "print", local.Options{Output: &printed}, func(c *comparison.Comparison, _ *local.Tuner) {
			c.Run.Num = 5
			c.Add(comparison.Variant{Strategy: "other", Payload: []byte(`"` + do + `"`)})
		})
		reset()
		if err != nil {
			t.Fatal(err)
		}
		counted := len(c.Variants[0].Cells[0].DurationsMS)
		if made := strings.Count(printed.String(), "once"); counted != 5 || (made > 7) != more {
			t.Errorf("beside one that does %q: %d invocations were made and %d count, want two for the warm-up, 5, and more only if the pauses are long", do, made, counted)
		}
	}
}

// With such a sigma the latency of the third round is many times that of the others, and of the calls that do not count.
func TestWhatCountsHasTheLatenciesOfItsRound(t *testing.T) {
	defer local.SetClosing(0)() // each turn begins with a call that does not count
	s3 := profile.MustParse("30ms~2")
	c, err := compare(t, "get", local.Options{}, func(c *comparison.Comparison, _ *local.Tuner) {
		c.Run.PowerValues, c.Run.Num, c.Run.Latency, c.Run.Seed = []int{1769}, 4, s3.String(), 55
		c.Add(comparison.Variant{Strategy: "other", Payload: []byte(`"get"`)})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range c.Variants {
		cell := v.Cells[0]
		if cell.Error != "" || len(cell.DurationsMS) != 4 {
			t.Fatalf("%s: %q, %v ms; want four durations", v.Label(), cell.Error, cell.DurationsMS)
		}
		for i, ms := range cell.DurationsMS {
			if least := s3.Draw(55, uint64(i+1), 1).Seconds() * 1e3; ms < least-0.01 {
				t.Errorf("%s, round %d: %.2f ms, want at least %.2f, the latency of its read", v.Label(), i+1, ms, least)
			}
		}
	}
}

// The cold start has as many reads as there are in flight. Then the function reads
// until it has made 3,000 reads. Sequential has no such warm-up.
func TestAFunctionIsWarmedUpBeforeTheFirstRound(t *testing.T) {
	defer local.SetWarmTime(time.Minute)()
	for _, tt := range []struct {
		strategy    string
		concurrency *int // nil: unbounded
		repeat      int
		objects     *comparison.Objects
		want        string
	}{
		{"pool", new(3), 50, nil, "3 reads\n" + strings.Repeat("50 reads\n", 30)},
		{"pool", new(64), 200, nil, "64 reads\n" + strings.Repeat("200 reads\n", 16)},
		{"pool", new(3), 2, nil, "2 reads\n" + strings.Repeat("2 reads\n", 30)},
		{"unbounded", nil, 1_000, nil, strings.Repeat("1000 reads\n", 5)},
		{"sequential", new(1), 50, nil, "1 reads\n50 reads\n"},
		{"pool", new(3), 250, &comparison.Objects{}, strings.Repeat("250 reads\n", 14)},
		{comparison.None, nil, 0, nil, strings.Repeat("7 reads\n", 3)}, // another function's reads are not known
	} {
		var printed strings.Builder
		c, err := compare(t, "", local.Options{Output: &printed}, func(c *comparison.Comparison, _ *local.Tuner) {
			c.Run.Repeat, c.Run.Objects = tt.repeat, tt.objects
			c.Variants[0].Strategy, c.Variants[0].Concurrency = tt.strategy, tt.concurrency
			c.Variants[0].Payload = fmt.Appendf(nil, `{"repeat": %d}`, cmp.Or(tt.repeat, 7))
		})
		if err != nil || c.Variants[0].Cells[0].Error != "" {
			t.Fatal(err, c.Variants[0].Cells)
		}
		if got := printed.String(); got != tt.want {
			t.Errorf("%+v: all invocations but one, and that, had %q, want %q", tt, got, tt.want)
		}
	}
}

// pace uses processor time, and says whether a quota delayed that.
func pace(cpu time.Duration) string {
	used := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // of this process, always
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	begin, before := time.Now(), used()
	for used()-before < cpu {
	}
	if time.Since(begin) < 7*cpu {
		return "at once"
	}
	return "by a quota"
}

// 128 MB have a fourteenth of a vCPU. On a busy machine one of the six may seem to
// have a quota too.
func TestTheWarmUpHasNoQuota(t *testing.T) {
	defer local.SetWarmTime(time.Minute)()
	var printed strings.Builder
	_, err := compare(t, "", local.Options{Output: &printed}, func(c *comparison.Comparison, _ *local.Tuner) {
		c.Run.Repeat, c.Variants[0].Payload = 500, []byte(`{"repeat": 500, "cpu": 60}`)
	})
	got := strings.Split(strings.ReplaceAll(strings.TrimSpace(printed.String()), "500 reads\n", ""), "\n")
	const quota, free = "by a quota", "at once"
	if err != nil || len(got) != 8 || got[0] != quota || got[7] != quota || !slices.Contains(got[1:7], free) {
		t.Errorf("%q, %v; want the cold start's invocation, six without a quota, and one that counts", got, err)
	}
}

// An invocation that fails without a quota may succeed with one.
func TestAFailedWarmUpCallFailsNothing(t *testing.T) {
	var printed strings.Builder
	c, err := compare(t, "", local.Options{Output: &printed}, func(c *comparison.Comparison, _ *local.Tuner) {
		c.Run.Repeat, c.Variants[0].Payload = 100, []byte(`{"repeat": 100, "fails": 2}`)
	})
	if err != nil {
		t.Fatal(err)
	}
	cell := c.Variants[0].Cells[0]
	if n := strings.Count(printed.String(), "reads"); cell.Error != "" || len(cell.DurationsMS) != 1 || n != 3 {
		t.Errorf("after the second of %d invocations had failed: %q, %v ms; want no error, and one more that counts", n, cell.Error, cell.DurationsMS)
	}
}

func TestTheWarmUpEndsAfterItsTime(t *testing.T) {
	var printed strings.Builder
	_, err := compare(t, "", local.Options{Output: &printed}, func(c *comparison.Comparison, _ *local.Tuner) {
		c.Run.Repeat, c.Variants[0].Payload = 10, []byte(`{"repeat": 10, "ms": 400}`)
	})
	if n := strings.Count(printed.String(), "reads"); err != nil || n < 3 || n > 6 {
		t.Errorf("%d invocations of 0.4 s, %v; want the cold one, one that counts, and one to four in the second between", n, err)
	}
}
