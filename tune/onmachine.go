package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local"
)

// scratch is the temporary folder, "" where there is none.
var scratch atomic.Value

// removeScratch removes the temporary folder. It may be called from anywhere.
func removeScratch() error {
	if dir, _ := scratch.Swap("").(string); dir != "" {
		return os.RemoveAll(dir)
	}
	return nil
}

// abandon kills the function's processes and removes the temporary folder, for
// a program that leaves at once.
func abandon() {
	if dir, _ := scratch.Load().(string); dir != "" {
		local.Abandon(dir)
	}
	_ = removeScratch() // there is nobody left to tell
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
	dir, err := os.MkdirTemp("", "tune-")
	if err != nil {
		return fmt.Errorf("a folder for the function's executable: %w", err)
	}
	scratch.Store(dir)
	defer func() { err = errors.Join(err, removeScratch()) }()

	cfg := local.Config{
		Function: b.function,
		Ours:     b.ours(),
		Env:      b.env,
		Object:   b.object,
		Key:      b.key,
		Dir:      dir,
		Latency:  b.latency,
		Seed:     b.seed,
		Timeout:  b.timeout,
		Sleep:    time.Duration(c.Run.SleepBetweenRunsMS) * time.Millisecond,
		Goal:     b.input.Goal(),
	}
	if b.v {
		cfg.Verbose, cfg.Output = log.New(stderr, "", 0), stderr
	}
	t, err := local.New(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	c.Run.Versions = t.Versions()
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
