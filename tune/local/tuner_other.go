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
func New(context.Context, Config) (*Tuner, error) {
	return nil, errors.New("the local model of Lambda needs Linux, whose processes it holds back by their CPU clocks: use a Linux machine, virtual machine or container, or compare on AWS with -stack")
}

// Abandon has nothing to do.
func Abandon(string) {}

func (*Tuner) Close() error { return nil }

func (*Tuner) Versions() map[string]string { return nil }

func (*Tuner) Tune(context.Context, *comparison.Comparison, func(comparison.Progress) error) error {
	return nil
}
