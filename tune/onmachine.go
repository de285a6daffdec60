package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync/atomic"
	"time"

	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/result"
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

// onThisMachine compares under the local model of Lambda and S3.
func onThisMachine(ctx context.Context, b base, c *result.Comparison, stdout, stderr io.Writer) (err error) {
	if b.dryRun {
		return printPlan(stdout, b.options, c)
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
	return compare(ctx, t, b.options, c, stdout, stderr)
}
