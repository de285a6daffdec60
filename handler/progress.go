package main

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// progress is the state of one read. The context of its attempts carries it;
// only one attempt uses it at a time.
type progress struct {
	key      string
	attempts int
	phase    phase
	reserved int64 // bytes of the budget
	dropped  bool  // whether they belong to a buffer that is not collected yet

	handed *handover // the outcome of direct's attempt, until GetObject uses it for its own first attempt
}

// handover is the outcome of an attempt by direct that did not get the object.
type handover struct {
	resp *http.Response // with its body unread
	err  error          // instead of a response
	body error          // from reading the body of a response
	skew time.Duration  // by which the request's time was corrected
}

// phase is the step that a read is in, named after what it waits for.
type phase int

const (
	queued     phase = iota // a connection slot
	connecting              // DNS, TCP and TLS
	waiting                 // the first byte of the answer
	reading                 // the rest of the answer
	pausing                 // the delay before another attempt
	starved                 // memory that other objects hold
	phases                  // the number of phases
)

func (p phase) String() string {
	return [...]string{"waiting for a connection slot", "connecting", "waiting for the first byte", "reading", "pausing before another attempt", "waiting for memory"}[p]
}

type progressKey struct{}

// progressOf returns the progress that ctx carries, or a new one that nobody
// else uses. It never returns nil.
func progressOf(ctx context.Context) *progress {
	if p, ok := ctx.Value(progressKey{}).(*progress); ok {
		return p
	}
	return new(progress)
}

// tally counts the retries and connections of one invocation; others may run in
// the same process. The context of the invocation's requests carries it.
type tally struct {
	began       time.Time
	retries     atomic.Int64
	connections atomic.Int64          // opened by its requests
	answered    atomic.Bool           // S3 has answered, perhaps on a connection of an earlier invocation
	last        atomic.Pointer[error] // the failure that caused the last retry
}

type tallyKey struct{}

// tallyOf returns the tally that ctx carries, or a new one. It never returns nil.
func tallyOf(ctx context.Context) *tally {
	if t, ok := ctx.Value(tallyKey{}).(*tally); ok {
		return t
	}
	return &tally{began: time.Now()}
}

// into starts the tally's clock and returns a context that carries the tally.
func (t *tally) into(ctx context.Context) context.Context {
	t.began = time.Now()
	return context.WithValue(ctx, tallyKey{}, t)
}
