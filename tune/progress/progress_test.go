package progress_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/progress"
)

// In a log a step that lasts is told again every few seconds, without the estimate that has become old, and no more once it
// has ended.
func TestWhatLastsIsToldAgainUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		line := progress.New(&log)
		show := func(p comparison.Progress) {
			if err := line.Show(p); err != nil {
				t.Fatal(err)
			}
		}
		show(comparison.Progress{Step: "building", Now: "the function"})
		time.Sleep(7 * time.Second)
		show(comparison.Progress{Step: "checking", Total: 4, Now: "pool"})
		time.Sleep(2 * time.Second)
		show(comparison.Progress{Step: "checking", Done: 1, Total: 4, Now: "semaphore", Finished: "pool: 284 ms"})
		time.Sleep(2 * time.Second)
		show(comparison.Progress{Step: "checking", Done: 2, Total: 4, Now: "sequential"})
		time.Sleep(4 * time.Second)
		line.End()
		time.Sleep(time.Minute)
		want := `  building the function
  building the function, for 3 s so far
  building the function, for 6 s so far
1/4  pool: 284 ms
  checking 2/4 sequential, for 3 s so far
`
		if log.String() != want {
			t.Errorf("the log is\n%swant\n%s", log.String(), want)
		}
	})
}
