package stepfunctions

import (
	"context"
	"time"
)

// NewTuner is New with a backoff and a timeout for each attempt at a call.
var NewTuner = newTuner

// SetClock replaces the Tuner's clock.
func (t *Tuner) SetClock(now func() time.Time, pause func(context.Context, time.Duration) error) {
	t.now, t.pause = now, pause
}
