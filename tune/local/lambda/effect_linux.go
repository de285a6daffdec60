package lambda

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// effect estimates how much longer an invocation took because the machine had
// no processor for it. The time that its threads stood in the kernel's queue,
// summed, is several times that: a function whose threads waited for 35 % of
// its duration was 5 % too slow, beside the same one at a quarter of the speed.
// So
//
//   - a period whose quota was used up lost nothing: what came later would have
//     been stopped as much earlier;
//   - threads that wait at once wait once: of a period the thread that waited
//     longest counts, not their sum;
//   - what is late while the function idles in between, waiting for S3, is made
//     good in the idle time as far as there is any: the wait counts by the share
//     of the period in which a thread ran or wanted to.
type effect struct {
	pid     int
	threads map[string]*thread
	since   time.Time // the last look

	// Of the invocation so far.
	lost  time.Duration
	free  time.Duration // in periods whose quota was not used up
	delay time.Duration // its threads' time ready to run and without a processor, summed
}

type thread struct {
	schedstat   *os.File
	ran, waited int64 // ns, as last told
}

func (e *effect) start() {
	e.find()
	e.look(true)
	e.lost, e.free, e.delay = 0, 0, 0
}

// find adds the threads that are new, with their delay up to now. Those that the
// function starts in an invocation add to what it lost from the next one on;
// after a warm-up there are hardly any.
func (e *effect) find() {
	paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", e.pid))
	for _, path := range paths {
		if e.threads[path] == nil {
			if f, err := os.Open(path); err == nil { // else it has ended since
				t := &thread{schedstat: f}
				t.ran, t.waited, _ = numbers(f)
				e.threads[path] = t
				e.delay += time.Duration(t.waited)
			}
		}
	}
}

// look closes the stretch since the last look: a period, or the invocation's last.
func (e *effect) look(usedUp bool) {
	now := time.Now()
	length := now.Sub(e.since)
	e.since = now
	var waited, wanted int64
	for path, t := range e.threads {
		ran, queued, ok := numbers(t.schedstat)
		if !ok {
			t.schedstat.Close()
			delete(e.threads, path)
			continue
		}
		waited, wanted = max(waited, queued-t.waited), max(wanted, ran-t.ran+queued-t.waited)
		e.delay += time.Duration(queued - t.waited)
		t.ran, t.waited = ran, queued
	}
	if usedUp || length <= 0 {
		return
	}
	e.free += length
	e.lost += time.Duration(float64(min(waited, length.Nanoseconds())) * min(1, float64(wanted)/float64(length)))
}

// numbers returns the first two of an open file of /proc, and whether what it
// tells of is still there. It runs once a period: a library that opens the file
// each time would cost more than the rest of the throttle.
func numbers(file *os.File) (first, second int64, ok bool) {
	var buf [128]byte
	n, _ := file.ReadAt(buf[:], 0)
	fields := bytes.Fields(buf[:n])
	if len(fields) < 2 {
		return 0, 0, false
	}
	first, _ = strconv.ParseInt(string(fields[0]), 10, 64)
	second, _ = strconv.ParseInt(string(fields[1]), 10, 64)
	return first, second, true
}

func (e *effect) close() {
	for _, t := range e.threads {
		t.schedstat.Close()
	}
}
