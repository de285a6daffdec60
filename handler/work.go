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

// work is the objects of one invocation, and what has become of them.
type work struct {
	bucket  *bucket
	payload event.Payload
	n       int
	keys    []string     // nil where the payload's one object is read n times
	sizes   []int64      // of keys, in bytes, -1 where not known; nil where none is
	listed  []event.Item // of a batch: what keys names
	skipped event.Skipped
	listing time.Duration
	report  bool

	mu       sync.Mutex
	begun    int    // keys[:begun] have been begun
	over     []bool // those that were read or have failed
	room     int    // bytes that the answer's lists may still take
	full     bool   // whether something found no room
	failures []event.Failure
}

// answerOverhead is for all of an answer but its lists: the figures, the
// reason why it stopped, and startAfter, of whose 1,024 bytes JSON may make
// six times as many.
const answerOverhead = 12_000

// find names the objects of a payload, for which it lists a prefix.
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
		if err := w.bucket.turn(ctx); err != nil {
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
		w.over = make([]bool, w.n)
		w.room = event.MaxAnswer - answerOverhead
		if p.Batch {
			w.room = event.MaxBatchAnswer - answerOverhead
		}
	}
	return w, nil
}

// reporting is the processor time that a report takes from its last read to
// its answer: who is late has nothing to show for all that was read.
func (w *work) reporting() time.Duration {
	if !w.report {
		return 0
	}
	return 100*time.Millisecond + time.Duration(w.n)*time.Microsecond
}

// read reads the next object, whole unless it says otherwise. With onFailure
// "report" an object that fails is no error.
func (w *work) read(ctx context.Context) (o object, whole bool, err error) {
	if err := w.bucket.turn(ctx); err != nil {
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
	if w.report && (whole || ctx.Err() == nil && !ofAll(err)) {
		w.note(i, err)
		err = nil
	}
	return o, whole, err
}

// begin takes the next object. A strategy may run its tasks in any order, but
// objects are begun in theirs: when a call stops, what has not been begun is
// all that comes after one key.
//
// With onFailure "report" the answer must have room for the key of each that
// was begun, in case the call stops before it is over. Without that room
// nothing is begun.
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

// note says that object i is over. A failure for which the answer has no room
// is none: the object stays unread, and the next call will tell.
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
	w.room, w.over[i] = room, true
}

// complete adds to the answer what became of the objects that were not read;
// stopped is why the call ended before its last object, if it did.
func (w *work) complete(a *event.Answer, stopped error) {
	a.ListSec = w.listing.Seconds()
	if w.payload.StartAfter == "" { // else the call before this one has counted them
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
		if !w.over[i] {
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

// size is what a value takes in an answer, with the comma behind it.
func size(v any) int {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers have no error
	}
	return len(b) + 1
}
