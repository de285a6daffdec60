package strategies

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/sourcegraph/conc/panics"
)

// call is one Run: what its tasks share, so that a strategy has nothing to do
// but to schedule.
//
// The first event that ends ctx is its cause, and later ones change nothing:
// the cause is the very error that Run owes its caller, without a lock.
type call struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	task   Task

	succeeded atomic.Int64
	panics    panics.Catcher
}

var errGoexit = errors.New("a task left its goroutine by runtime.Goexit")

func newCall(parent context.Context, task Task) *call {
	ctx, cancel := context.WithCancelCause(parent)
	return &call{ctx: ctx, cancel: cancel, task: task}
}

// ended reports whether nothing more may be started.
func (c *call) ended() bool { return c.ctx.Err() != nil }

// run runs task i, unless the call has ended.
func (c *call) run(i int) {
	if c.ended() {
		return
	}
	err := errGoexit // stays when the task does not return, by a panic too
	defer func() {
		if err == nil {
			c.succeeded.Add(1)
		} else {
			c.cancel(err)
		}
	}()
	c.panics.Try(func() { err = c.task(c.ctx, i) })
}

// result is what Run returns, or the panic it raises, once every task that
// was started has returned. It counts rather than asking ctx: a context that
// ends after the last task has succeeded takes nothing back.
func (c *call) result(n int) error {
	c.panics.Repanic()
	if c.succeeded.Load() >= int64(n) {
		return nil
	}
	return context.Cause(c.ctx)
}
