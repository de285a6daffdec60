package main

import (
	"flag"
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/strategies"
)

// The limits of Lambda: memory, descriptors, the deadline, and a process that runs
// for a long time.

func TestTheDeadlineIsKeptAndSaysWhatWasDone(t *testing.T) {
	t.Parallel()
	for _, latency := range []time.Duration{200 * time.Millisecond, 4 * time.Second} {
		t.Run(latency.String(), func(t *testing.T) {
			t.Parallel()
			s3 := newS3(t)
			p := start(t, s3.settings("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256")...)
			p.must(t, `{"repeat": 1, "objectKey": "sample.json"}`, time.Minute)
			release := throttle(t, p, 256)
			s3.injure(always(late(latency)))
			const timeout = 10 * time.Second
			began := time.Now()
			_, err := p.invoke(`{"strategy": "unbounded", "repeat": 20000, "objectKey": "sample.json"}`, timeout)
			took := time.Since(began)
			if err == nil || !regexp.MustCompile(`^deadline: \d+ of 20000 reads were done in \d+\.\d s`).MatchString(err.Error()) {
				t.Errorf("%v, want an error that says how many reads were done in which time", err)
			}
			if err != nil && strings.Contains(err.Error(), "attempts failed") {
				t.Errorf("%v: no attempt failed but by the deadline", err)
			}
			if took >= timeout || took < timeout/4 {
				t.Errorf("the call ended after %v, want shortly before its deadline of %v", took, timeout)
			}
			t.Logf("%v after %v", err, took)
			release()
			s3.injure(nil)
			p.must(t, `{"repeat": 100, "objectKey": "sample.json"}`, time.Minute) // in the same process
		})
	}
}

// throttle limits p to the CPU time that Lambda gives memory in every 20 ms, until
// release is called. It measures p's own CPU clock, so a busy machine does not
// reduce the CPU time further.
func throttle(t *testing.T, p *child, memoryMB int) (release func()) {
	t.Helper()
	const period = 20 * time.Millisecond
	quota := period * time.Duration(memoryMB) / platform.MemoryPerVCPU
	clock := int32(^p.cmd.Process.Pid<<3 | 2) // as clock_getcpuclockid(3) makes it
	used := func() time.Duration {
		var ts unix.Timespec
		_ = unix.ClockGettime(clock, &ts) // an ended process has no clock
		return time.Duration(ts.Nano())
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticks := time.NewTicker(time.Millisecond)
		defer ticks.Stop()
		began, before, running := time.Now(), used(), true
		for {
			select {
			case <-ticks.C:
			case <-stop:
				_ = p.cmd.Process.Signal(syscall.SIGCONT)
				return
			}
			switch {
			case time.Since(began) >= period:
				began, before, running = time.Now(), used(), true
				_ = p.cmd.Process.Signal(syscall.SIGCONT)
			case running && used()-before >= quota:
				running = false
				_ = p.cmd.Process.Signal(syscall.SIGSTOP)
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

func TestTheDeadlineErrorNamesWhatHeldTheReadsUp(t *testing.T) {
	t.Parallel()
	s3 := newS3(t)
	p := start(t, s3.settings()...)
	s3.injure(always(slowDown))
	_, err := p.invoke(`{"repeat": 10, "objectKey": "sample.json"}`, 5*time.Second)
	if err == nil || !strings.Contains(err.Error(), "0 of 10 reads were done") || !strings.Contains(err.Error(), "SlowDown") {
		t.Errorf("all GETs refused: %v, want a deadline error that names SlowDown", err)
	}
}

func TestTheMarginGrowsWithTheReadsAndWhereCPUIsScarce(t *testing.T) {
	for _, c := range []struct {
		payload  string
		left     time.Duration
		memoryMB int
		want     time.Duration
	}{
		{`{"strategy": "sequential", "objectKey": "k"}`, time.Minute, 1769, 10503 * time.Microsecond},
		{`{"concurrency": 100, "objectKey": "k"}`, time.Minute, 1769, 60300 * time.Microsecond},
		{`{"concurrency": 100, "objectKey": "k"}`, time.Minute, 0, 60300 * time.Microsecond},
		{`{"concurrency": 100, "objectKey": "k"}`, time.Minute, 10240, 60300 * time.Microsecond},
		{`{"concurrency": 100, "repeat": 1, "objectKey": "k"}`, time.Minute, 1769, 10503 * time.Microsecond},
		{`{"strategy": "unbounded", "objectKey": "k"}`, time.Minute, 1769, 490 * time.Millisecond},
		{`{"strategy": "unbounded", "objectKey": "k"}`, time.Minute, 128, 490 * time.Millisecond * 1769 / 128},
		{`{"strategy": "unbounded", "objectKey": "k"}`, 4 * time.Second, 128, 2 * time.Second}, // half of what is left
	} {
		p, err := event.Decode([]byte(c.payload), event.DefaultConcurrency)
		if err != nil {
			t.Fatal(err)
		}
		s, err := strategies.ByName(p.Strategy)
		if err != nil {
			t.Fatal(err)
		}
		if got := margin(c.left, unwinding(p.Repeat, p.Concurrency, s), c.memoryMB); got != c.want {
			t.Errorf("%s with %v left at %d MB: margin %v, want %v", c.payload, c.left, c.memoryMB, got, c.want)
		}
	}
}

func TestUnboundedStaysWithinLambdasDescriptorsAndMemory(t *testing.T) {
	s3 := newS3(t)
	p := start(t, s3.settings()...)
	most := unix.Rlimit{Cur: 1024, Max: 1024}
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_NOFILE, &most, nil); err != nil {
		t.Fatal(err)
	}
	s3.injure(func(n int64) fault { // open as many connections as are allowed, and let all reads begin
		if n < event.MaxConcurrency {
			return late(3 * time.Second)
		}
		return late(100 * time.Millisecond)
	})
	a := p.must(t, `{"strategy": "unbounded", "repeat": 10000, "objectKey": "sample.json"}`, 5*time.Minute)
	now, peak := p.rss(t)
	// If descriptors ran out, connections would be retried again and again. A busy
	// machine may leave a few requests unanswered for 10 s, which are retried too.
	if a.PeakInFlight < 9_000 || a.Retries > 50 || p.descriptors(t) > 1000 {
		t.Errorf("peak_in_flight %d, retries %d, %d descriptors; want almost 10,000, next to none, less than 1,000", a.PeakInFlight, a.Retries, p.descriptors(t))
	}
	if peak >= 150 {
		t.Errorf("10,000 reads at once took %d MB, want less than 150", peak)
	}
	t.Logf("unbounded, 10,000 reads: %.1f s, %d connections, %d MB at the peak, %d MB after, %.0f µs of CPU a read", a.TimeSec, a.Connections, peak, now, a.CPUSec*100)
}

func TestThePoolNeedsLittleMemory(t *testing.T) {
	t.Parallel()
	fewAndMany(t, 2_000, 10_000, func(t *testing.T, reads int) {
		s3 := newS3(t)
		p := start(t, s3.settings()...)
		a := p.must(t, fmt.Sprintf(`{"repeat": %d, "objectKey": "sample.json"}`, reads), 5*time.Minute)
		_, peak := p.rss(t)
		if peak >= 45 {
			t.Errorf("%d reads at concurrency 30 took %d MB, want less than 45", reads, peak)
		}
		t.Logf("pool: %.1f s, %d MB at the peak, %.0f µs of CPU a read", a.TimeSec, peak, a.CPUSec*1e6/float64(reads))
	})
}

func TestNothingGrowsFromInvocationToInvocation(t *testing.T) {
	t.Parallel()
	fewAndMany(t, 100, *growthRepeat, nothingGrows)
}

func nothingGrows(t *testing.T, reads int) {
	s3 := newS3(t)
	p := start(t, s3.settings("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512")...)
	invoke := func(n int) {
		for i := range n {
			switch i % 10 {
			case 3: // errors must not leak either
				if _, err := p.invoke(`{"repeat": 100, "objectKey": "missing"}`, time.Minute); err == nil {
					t.Fatal("the object is missing: want an error")
				}
			default:
				p.must(t, fmt.Sprintf(`{"repeat": %d, "objectKey": "sample.json"}`, reads), time.Minute)
			}
		}
	}
	p.must(t, `{"repeat": 1, "objectKey": "sample.json"}`, time.Minute)
	one := p.descriptors(t) // with a connection
	invoke(10)
	memory, _ := p.rss(t)
	threads := p.status(t, "Threads:")
	invoke(90)
	memoryAfter, _ := p.rss(t)
	if memoryAfter > memory*3/2 || p.status(t, "Threads:") > threads+10 {
		t.Errorf("from the 10th to the 100th invocation: %d to %d MB, %d to %d threads", memory, memoryAfter, threads, p.status(t, "Threads:"))
	}
	t.Logf("10th to 100th invocation: %d to %d MB, %d descriptors, %d to %d threads",
		memory, memoryAfter, p.descriptors(t), threads, p.status(t, "Threads:"))

	// The number of connections depends on the machine's speed. All are closed after
	// 10 s of silence.
	for end := time.Now().Add(time.Minute); p.descriptors(t) > one && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	if left := p.descriptors(t); left > one {
		t.Errorf("%d descriptors are left after the last connections, want at most %d, those of one read", left, one)
	}
	// On SIGQUIT, Go prints the stack of every goroutine.
	if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	<-p.exited
	if n := strings.Count(p.log.String(), "\ngoroutine "); n < 1 || n > 22 {
		t.Errorf("%d goroutines are left, want two of a connection and a few", n)
	} else {
		t.Logf("%d goroutines are left", n)
	}
}

// By default the 100 slow invocations make some 90,000 reads.
var growthRepeat = flag.Int("growth", 1000, "reads an invocation in the slow part of TestNothingGrowsFromInvocationToInvocation; 11112 make a million")
