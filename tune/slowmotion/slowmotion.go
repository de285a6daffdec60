// Package slowmotion stretches time, so that a small machine keeps up with a
// model of a large one: modelled delays are multiplied by a factor, and what is
// reported is divided by it.
package slowmotion

import "time"

// Factor is how many times its own time everything takes. 0 and 1 mean real time.
type Factor int

// Times is the factor as a number, 1 in real time.
func (f Factor) Times() int { return max(1, int(f)) }

// Stretch returns how long something of Lambda's or S3's takes on this machine.
func (f Factor) Stretch(d time.Duration) time.Duration { return d * time.Duration(f.Times()) }
