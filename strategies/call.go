package strategies

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/sourcegraph/conc/panics"
)

// call is the state of one Run, shared by its tasks. It handles cancellation,
// errors and panics, so that a strategy only schedules.
//
// The first event to end ctx becomes its cause, and later events do not change
// it. So the cause is the error that Run must return, and needs no lock.
type call struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	task   Task

	succeeded atomic.Int64
	panics    panics.Catcher
}

var errGoexit = errors.New("a task ended its goroutine with runtime.Goexit")

func newCall(parent context.Context, task Task) *call {
	ctx, cancel := context.WithCancelCause(parent)
	return &call{ctx: ctx, cancel: cancel, task: task}
}

// ended reports whether the call has ended, so that no task may start.
func (c *call) ended() bool { return c.ctx.Err() != nil }

// run runs task i, unless the call has ended.
func (c *call) run(i int) {
	if c.ended() {
		return
	}
	err := errGoexit // remains if the task does not return, also after a panic
	defer func() {
		if err == nil {
			c.succeeded.Add(1)
		} else {
			c.cancel(err)
		}
	}()
	c.panics.Try(func() { err = c.task(c.ctx, i) })
}

// result returns the result of Run, or raises the panic of a task again. Every
// started task must have returned. It counts successes instead of asking ctx,
// because a context that ends after the last task succeeded must not matter.
func (c *call) result(n int) error {
	c.panics.Repanic()
	if c.succeeded.Load() >= int64(n) {
		return nil
	}
	return context.Cause(c.ctx)
}
