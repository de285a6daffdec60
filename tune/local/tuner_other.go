//go:build !linux

package local

import (
	"context"
	"errors"

	"lambda-parallel-io/tune/comparison"
)

// Tuner exists on Linux alone.
type Tuner struct{}

// New says that the model of Lambda needs Linux.
func New(Options) (*Tuner, error) {
	return nil, errors.New("the local model of Lambda needs Linux, whose processes it holds back by their CPU clocks: use a Linux machine, virtual machine or container, or compare on AWS (go run ./tune aws -h)")
}

func (*Tuner) Tune(context.Context, *comparison.Comparison, func(comparison.Progress) error) error {
	return nil
}

func (*Tuner) Calibrate(context.Context, *comparison.Comparison, func(comparison.Progress) error) error {
	return nil
}

func (*Tuner) Check(context.Context, *comparison.Comparison, func(comparison.Progress) error) error {
	return nil
}

func (*Tuner) Close() error { return nil }

func (*Tuner) Abandon() {}
