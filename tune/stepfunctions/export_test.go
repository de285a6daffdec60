package stepfunctions

import (
	"context"
	"time"
)

// NewTuner is New with another backoff and another bound of an attempt at a call.
var NewTuner = newTuner

// SetClock gives the Tuner another clock to wait by.
func (t *Tuner) SetClock(now func() time.Time, pause func(context.Context, time.Duration) error) {
	t.now, t.pause = now, pause
}
