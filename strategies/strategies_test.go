package strategies_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sourcegraph/conc/panics"

	"lambda-parallel-io/strategies"
)

// each runs a test of the contract for every strategy in a synctest bubble: time is
// virtual, and a goroutine that outlives the call fails the test.
func each(t *testing.T, test func(t *testing.T, s strategies.Strategy)) {
	t.Helper()
	for _, s := range strategies.All() {
		t.Run(s.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, s) })
		})
	}
}

const n, concurrency = 100, 7

func TestEachIndexRunsExactlyOnce(t *testing.T) {
	each(t, func(t *testing.T, s strategies.Strategy) {
		var runs [n]atomic.Int32
		err := s.Run(t.Context(), n, concurrency, func(ctx context.Context, i int) error {
			time.Sleep(time.Duration(i%5) * time.Millisecond)
			runs[i].Add(1)
			return nil
		})
		if err != nil {
			t.Fatalf("Run(%d items) = %v, want nil", n, err)
		}
		for i := range runs {
			if got := runs[i].Load(); got != 1 {
				t.Errorf("item %d ran %d times, want once", i, got)
			}
		}
	})
}

func TestConcurrencyIsKeptAndUsed(t *testing.T) {
	each(t, func(t *testing.T, s strategies.Strategy) {
		want := n // unbounded: all at once
		if s.Bounded {
			want = concurrency
		}
		if s.Sequential {
			want = 1
		}
		var running, peak atomic.Int32
		err := s.Run(t.Context(), n, concurrency, func(ctx context.Context, i int) error {
			now := running.Add(1)
			defer running.Add(-1)
			for p := peak.Load(); now > p && !peak.CompareAndSwap(p, now); p = peak.Load() {
			}
			time.Sleep(time.Millisecond)
			return nil
		})
		if got := int(peak.Load()); err != nil || got != want {
			t.Errorf("Run(%d items, concurrency %d): peak %d, error %v; want peak %d, no error", n, concurrency, got, err, want)
		}
	})
}

func TestTheFirstErrorCancelsTheRestAndIsReturned(t *testing.T) {
	boom := errors.New("boom")
	each(t, func(t *testing.T, s strategies.Strategy) {
		var started, cancelled atomic.Int32
		err := s.Run(t.Context(), n, concurrency, func(ctx context.Context, i int) error {
			started.Add(1)
			if i == 3 {
				time.Sleep(time.Millisecond)
				return boom
			}
			select {
			case <-ctx.Done():
				cancelled.Add(1)
				return ctx.Err()
			case <-time.After(time.Duration(i) * time.Second):
				return nil
			}
		})
		if err != boom {
			t.Errorf("Run = %v, want the error of the task that failed first", err)
		}
		if !s.Sequential && cancelled.Load() == 0 {
			t.Error("no task that was running when another failed saw its context end")
		}
		if most := int32(concurrency) + 1; s.Bounded && started.Load() > most {
			t.Errorf("%d tasks were started although one of the first %d failed", started.Load(), most)
		}
	})
}

func TestNothingIsStartedAfterAnError(t *testing.T) {
	each(t, func(t *testing.T, s strategies.Strategy) {
		var failed atomic.Bool
		_ = s.Run(t.Context(), n, 1, func(ctx context.Context, i int) error {
			if failed.Load() && (s.Bounded || s.Sequential) {
				t.Errorf("item %d was started after a task had failed", i)
			}
			if i == 3 {
				failed.Store(true)
				return errors.New("boom")
			}
			return nil
		})
	})
}

func TestTheCauseOfTheCallersContextIsReturned(t *testing.T) {
	cause := errors.New("the caller has enough")
	each(t, func(t *testing.T, s strategies.Strategy) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(1500*time.Microsecond, func() { cancel(cause) })
		err := s.Run(ctx, n, concurrency, func(ctx context.Context, i int) error {
			select {
			case <-ctx.Done():
				return fmt.Errorf("item %d: %w", i, ctx.Err())
			case <-time.After(time.Duration(i+1) * time.Millisecond):
				return nil
			}
		})
		if err != cause {
			t.Errorf("Run = %v, want the cause of the caller's context: %v", err, cause)
		}
	})
}

func TestAContextThatEndedBeforeStartsNothing(t *testing.T) {
	cause := errors.New("too late")
	each(t, func(t *testing.T, s strategies.Strategy) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		err := s.Run(ctx, n, concurrency, func(ctx context.Context, i int) error {
			t.Errorf("item %d was started", i)
			return nil
		})
		if err != cause {
			t.Errorf("Run = %v, want %v", err, cause)
		}
	})
}

func TestAContextThatEndsAfterTheLastTaskTakesNothingBack(t *testing.T) {
	each(t, func(t *testing.T, s strategies.Strategy) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var done atomic.Int32
		err := s.Run(ctx, n, concurrency, func(context.Context, int) error {
			if done.Add(1) == n {
				cancel()
			}
			return nil
		})
		if err != nil {
			t.Errorf("Run = %v, want nil: all %d tasks had succeeded", err, n)
		}
	})
}

func TestAPanicIsRaisedAgainInTheCaller(t *testing.T) {
	each(t, func(t *testing.T, s strategies.Strategy) {
		var running atomic.Int32
		defer func() {
			r, ok := recover().(*panics.Recovered)
			if !ok || r.Value != "boom" {
				t.Fatalf("recovered %v, want a *panics.Recovered of boom", r)
			}
			if !strings.Contains(string(r.Stack), "panicky") {
				t.Errorf("the stack does not name the function that panicked:\n%s", r.Stack)
			}
			if got := running.Load(); got != 0 {
				t.Errorf("%d tasks were still running when the panic was raised again", got)
			}
		}()
		err := s.Run(t.Context(), n, concurrency, func(ctx context.Context, i int) error {
			running.Add(1)
			defer running.Add(-1)
			if i == 2 {
				panicky()
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Hour):
			}
			return nil
		})
		t.Errorf("Run returned %v, want a panic", err)
	})
}

func panicky() { panic("boom") }

func TestATaskThatLeavesByGoexitIsAnError(t *testing.T) {
	each(t, func(t *testing.T, s strategies.Strategy) {
		if s.Sequential { // its tasks run in the caller's goroutine, which Goexit ends
			var err error
			var wg sync.WaitGroup
			wg.Go(func() {
				err = errors.New("Run did not return")
				err = s.Run(t.Context(), n, 1, func(context.Context, int) error { runtime.Goexit(); return nil })
			})
			wg.Wait()
			if err == nil || err.Error() != "Run did not return" {
				t.Errorf("Run = %v, want it to leave the caller's goroutine", err)
			}
			return
		}
		err := s.Run(t.Context(), n, concurrency, func(context.Context, int) error { runtime.Goexit(); return nil })
		if err == nil || !strings.Contains(err.Error(), "Goexit") {
			t.Errorf("Run = %v, want an error that names runtime.Goexit", err)
		}
	})
}

func TestNoItems(t *testing.T) {
	each(t, func(t *testing.T, s strategies.Strategy) {
		for _, n := range []int{0, -1} {
			if err := s.Run(t.Context(), n, 1, nil); err != nil {
				t.Errorf("Run(%d items) = %v, want nil", n, err)
			}
		}
	})
}

func TestConcurrencyBelowOneIsRefusedWhereItBounds(t *testing.T) {
	each(t, func(t *testing.T, s strategies.Strategy) {
		err := s.Run(t.Context(), 1, 0, func(context.Context, int) error { return nil })
		if refused := err != nil; refused != s.Bounded {
			t.Errorf("Run(concurrency 0) = %v; want an error: %t", err, s.Bounded)
		}
		if s.Bounded && !strings.Contains(err.Error(), s.Name+": concurrency must be at least 1, got 0") {
			t.Errorf("the error does not name strategy, bound and value: %v", err)
		}
	})
}

func TestTheZeroStrategyIsRefused(t *testing.T) {
	if err := (strategies.Strategy{}).Run(t.Context(), 1, 1, nil); err == nil {
		t.Error("Run of the zero Strategy = nil, want an error")
	}
}

func TestNames(t *testing.T) {
	if got, want := strategies.Names(), []string{"sequential", "unbounded", "pool", "semaphore"}; !slices.Equal(got, want) {
		t.Errorf("Names() = %q, want %q", got, want)
	}
	for _, s := range strategies.All() {
		got, err := strategies.ByName(s.Name)
		if err != nil || got.Name != s.Name || s.Description == "" {
			t.Errorf("ByName(%q) = %q, %v; description %q", s.Name, got.Name, err, s.Description)
		}
	}
	_, err := strategies.ByName("Pool")
	if err == nil || !strings.Contains(err.Error(), `"Pool"`) || !strings.Contains(err.Error(), "sequential, unbounded, pool, semaphore") {
		t.Errorf("ByName(Pool) = %v, want an error with this name and the known names", err)
	}
}
