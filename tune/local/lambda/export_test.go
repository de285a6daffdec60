//go:build linux

package lambda

import "time"

// Slower makes the throttle's period so many times as long as Lambda's, for
// functions that are started and invoked after it.
func Slower(times int) { period = time.Duration(times) * 20 * time.Millisecond }
