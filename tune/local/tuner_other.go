//go:build !linux

package local

import (
	"errors"

	"lambda-parallel-io/tune/comparison"
)

// Tuner needs Linux: New never returns one elsewhere.
type Tuner struct {
	Tune, Map, Calibrate comparison.Tuner
	Close                func() error
	Abandon              func()
}

// New returns an error: the model of Lambda needs Linux.
func New(Options) (*Tuner, error) {
	return nil, errors.New("the local model of Lambda needs Linux, whose processes it throttles by their CPU clocks: use a Linux machine, virtual machine or container, or compare on AWS (go run ./tune aws -h)")
}
