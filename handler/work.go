package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
)

// work holds the objects of one invocation and the outcome of each.
type work struct {
	bucket  *bucket
	payload event.Payload
	n       int
	keys    []string     // nil if the payload's one object is read n times
	sizes   []int64      // of keys, in bytes, -1 if unknown; nil if all are unknown
	listed  []event.Item // of a batch: the items of keys
	skipped event.Skipped
	listing time.Duration // how long the listing took
	report  bool          // whether onFailure is "report"

	mu       sync.Mutex
	begun    int    // reads of keys[:begun] have begun
	done     []bool // by index of keys: whether the object was read or has failed
	room     int    // bytes left for the answer's lists
	full     bool   // whether a key or failure did not fit into room
	failures []event.Failure
}

// answerOverhead is the most bytes of an answer without its lists: the figures,
// the reason why it stopped, and startAfter, whose 1,024 bytes may become six
// times as many in JSON.
const answerOverhead = 12_000

// find returns the work of a payload. If the payload has a prefix, it lists the
// objects, and returns an error if that fails.
func (f *function) find(ctx context.Context, p event.Payload) (*work, error) {
	w := &work{bucket: f.bucket, payload: p, n: p.Repeat, report: p.OnFailure == event.Report}
	if p.ObjectKey != "" {
		return w, nil
	}
	w.keys, w.skipped = p.Rest(), p.Skipped
	if p.Batch {
		w.listed = p.Listed[len(p.Keys)-len(w.keys):]
		for _, item := range w.listed {
			w.sizes = append(w.sizes, int64(item.Size))
		}
	}
	if p.Prefix != nil {
		ctx, cancel := withDeadline(ctx, unwinding(1, 1, strategies.Strategy{}), f.memoryMB)
		defer cancel()
		if err := w.bucket.acquire(ctx); err != nil {
			return nil, err
		}
		defer w.bucket.release()
		began := time.Now()
		var err error
		if w.keys, w.sizes, w.skipped, err = f.bucket.list(ctx, p); err != nil {
			return nil, err
		}
		w.listing = time.Since(began)
	}
	w.n = len(w.keys)
	if w.report {
		w.done = make([]bool, w.n)
		w.room = event.MaxAnswer - answerOverhead
		if p.Batch {
			w.room = event.MaxBatchAnswer - answerOverhead
		}
	}
	return w, nil
}

// reporting returns the CPU time reserved for building a report: a function
// killed at its deadline reports nothing.
func (w *work) reporting() time.Duration {
	if !w.report {
		return 0
	}
	return 100*time.Millisecond + time.Duration(w.n)*time.Microsecond
}

// read reads the next object and reports whether it was read completely. With
// onFailure "report" it records an object that fails and returns no error.
func (w *work) read(ctx context.Context) (o object, whole bool, err error) {
	if err := w.bucket.acquire(ctx); err != nil {
		return object{}, false, err
	}
	defer w.bucket.release()
	i, key, ok := w.begin()
	if !ok {
		return object{}, false, nil
	}
	size := int64(-1)
	if w.sizes != nil {
		size = w.sizes[i]
	}
	o, err = w.bucket.read(ctx, key, size)
	whole = err == nil
	if w.report && (whole || ctx.Err() == nil && !failsAll(err)) {
		w.note(i, err)
		err = nil
	}
	return o, whole, err
}

// begin returns the index and key of the next object to read. A strategy may run
// its tasks in any order, but reads begin in the order of keys: so when a call
// stops, the objects not begun are all those after one key.
//
// With onFailure "report" the answer must have room for the key of each object
// whose read has begun, in case the call stops before it ends. If there is no
// room, ok is false and no read begins.
func (w *work) begin() (i int, key string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keys == nil {
		return 0, w.payload.ObjectKey, true
	}
	i, key = w.begun, w.keys[w.begun]
	if w.report {
		n := size(key)
		if w.full = w.full || n > w.room; w.full {
			return 0, "", false
		}
		w.room -= n
	}
	w.begun++
	return i, key, true
}

// note records that object i was read, or why it failed. If the answer has no
// room for the failure, the object stays unread and the next call reads it again.
func (w *work) note(i int, failed error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	room := w.room + size(w.keys[i])
	var e *readError
	if errors.As(failed, &e) {
		f := event.Failure{Key: e.key, Error: event.OneLine(e.cause), Attempts: e.attempts}
		if w.listed != nil {
			f.Size, f.StorageClass = max(w.listed[i].Size, 0), w.listed[i].StorageClass
		}
		if room -= size(f); room < 0 {
			w.full = true
			return
		}
		w.failures = append(w.failures, f)
	}
	w.room, w.done[i] = room, true
}

// complete adds the failed, unread and skipped objects to the answer. stopped is
// the reason why the call ended before its last object, or nil.
func (w *work) complete(a *event.Answer, stopped error) {
	a.ListSec = w.listing.Seconds()
	if w.payload.StartAfter == "" { // otherwise the first call has counted them
		a.Skipped = w.skipped
	}
	if !w.report {
		return
	}
	a.Failures, a.Failed = w.failures, len(w.failures)
	a.Unread = w.n - a.ObjectsRead - a.Failed
	if a.Unread == 0 {
		return
	}
	if stopped == nil {
		stopped = errFull
	}
	a.Stopped = event.OneLine(stopped)
	for i, key := range w.keys[:w.begun] {
		if !w.done[i] {
			a.UnreadKeys = append(a.UnreadKeys, key)
		}
	}
	rest := w.keys[w.begun:]
	for _, key := range rest {
		if w.room -= size(key); w.room < 0 {
			a.Truncated, a.StartAfter = true, w.payload.StartAfter
			if w.begun > 0 {
				a.StartAfter = w.keys[w.begun-1]
			}
			return
		}
	}
	a.UnreadKeys = append(a.UnreadKeys, rest...)
}

var errFull = errors.New("the answer is full")

// size returns the bytes of a value in an answer, including a comma after it.
func size(v any) int {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers cannot fail
	}
	return len(b) + 1
}
