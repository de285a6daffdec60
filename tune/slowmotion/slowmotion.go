// Package slowmotion stretches time, so that a small machine keeps up with the model of a large one: modelled delays
// are multiplied by a factor, and reported times are divided by it.
package slowmotion

import "time"

// Factor multiplies every delay. 0 and 1 mean real time.
type Factor int

// Times returns the factor as a number, 1 in real time.
func (f Factor) Times() int { return max(1, int(f)) }

// Stretch returns how long a delay of Lambda or S3 takes on this machine.
func (f Factor) Stretch(d time.Duration) time.Duration { return d * time.Duration(f.Times()) }

// Shrink returns how long what took d on this machine takes on Lambda.
func (f Factor) Shrink(d time.Duration) time.Duration { return d / time.Duration(f.Times()) }
