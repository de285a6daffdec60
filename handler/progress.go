package main

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// progress is how far one read has come. The context of its attempts has it,
// and they use it one after the other.
type progress struct {
	key      string
	attempts int
	phase    phase
	reserved int64 // bytes of the budget
	dropped  bool  // whether they are those of a buffer that waits for its collection

	handed *handover // of the attempt by direct, until GetObject takes it for its own first one's
}

// handover is what an attempt that did not bring the object came to.
type handover struct {
	resp *http.Response // its body is unread
	err  error          // there is no response
	body error          // there was one, and this came of its body
}

// phase is what a read waits for.
type phase int

const (
	queued     phase = iota // a connection's turn
	connecting              // TCP and TLS, the name service included
	waiting                 // the first byte of the answer
	reading                 // the rest of it
	pausing                 // another attempt
	crowded                 // memory that other objects have
	phases                  // how many there are
)

func (p phase) String() string {
	return [...]string{"waiting for a connection's turn", "connecting", "waiting for the first byte", "reading", "pausing before another attempt", "waiting for memory"}[p]
}

type progressKey struct{}

// progressOf is never nil: what belongs to no read, as a listing, has one that
// nobody looks at.
func progressOf(ctx context.Context) *progress {
	if p, ok := ctx.Value(progressKey{}).(*progress); ok {
		return p
	}
	return new(progress)
}

// tally counts what is done for one invocation, which may not be alone in the
// process. The context of the invocation's requests has it.
type tally struct {
	began       time.Time
	retries     atomic.Int64
	connections atomic.Int64          // that its requests opened
	answered    atomic.Bool           // whether S3 has answered, perhaps on a connection of an earlier invocation
	last        atomic.Pointer[error] // what the last retry was made for
}

type tallyKey struct{}

// tallyOf is never nil.
func tallyOf(ctx context.Context) *tally {
	if t, ok := ctx.Value(tallyKey{}).(*tally); ok {
		return t
	}
	return &tally{began: time.Now()}
}

func (t *tally) into(ctx context.Context) context.Context {
	t.began = time.Now()
	return context.WithValue(ctx, tallyKey{}, t)
}
