package main

import (
	"context"
	"errors"
	"io"
	"log"
	"slices"
	"sync/atomic"
	"time"

	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local"
)

// measuring is the tuner of this machine, nil where there is none.
var measuring atomic.Pointer[local.Tuner]

// abandon leaves nothing of a comparison on this machine behind, for a program
// that leaves at once.
func abandon() {
	if t := measuring.Load(); t != nil {
		t.Abandon()
	}
}

// onThisMachine compares under the local model of Lambda and S3.
func onThisMachine(ctx context.Context, o *options, stdout, stderr io.Writer) (err error) {
	c, b, err := plan(o, time.Now())
	if err != nil {
		return usageError{err}
	}
	if b.dryRun {
		return printPlan(stdout, b.options, c)
	}
	if err := writable(b.dir); err != nil {
		return err // before the time that it takes to build the function
	}
	opts := local.Options{Object: b.object, Env: b.env}
	if b.v {
		opts.Verbose, opts.Output = log.New(stderr, "", 0), stderr
	}
	t, err := local.New(opts)
	if err != nil {
		return err
	}
	measuring.Store(t)
	defer func() { err = errors.Join(err, t.Close()) }()
	if b.auto {
		return compare(ctx, withPrediction{t, b}, b.options, c, stdout, stderr)
	}
	return compare(ctx, t, b.options, c, stdout, stderr)
}

// withPrediction measures the bounded strategies once more, by the concurrency
// that the first figures predict for the recommended memory size.
type withPrediction struct {
	*local.Tuner
	base base
}

func (t withPrediction) Tune(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	if err := t.Tuner.Tune(ctx, c, observe); err != nil {
		return err
	}
	if c.Recommendation == nil {
		return nil
	}
	predicted, ok := c.Predicted(c.Recommendation.Power)
	if !ok || slices.Contains(t.base.concurrency, predicted.Concurrency) {
		return nil
	}
	t.base.concurrency = []int{predicted.Concurrency}
	t.base.given["concurrency"] = true
	for _, name := range t.base.strategies {
		if s, err := strategies.ByName(name); err != nil || !s.Bounded {
			continue
		}
		more, err := t.base.variants(name)
		if err != nil {
			return err
		}
		c.Variants = append(c.Variants, more...)
	}
	return t.Tuner.Tune(ctx, c, observe)
}
