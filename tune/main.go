// Tune compares concurrency strategies at Lambda memory sizes and recommends
// one: on this machine, under a model of Lambda and S3, or on AWS by Power
// Tuning. See -h.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"lambda-parallel-io/tune/stepfunctions"
)

// The exit codes. A run that a signal ended exits with 128 + its number.
const (
	exitFailed      = 1 // a cell failed, or the run did
	exitUsage       = 2
	exitSlower      = 3 // a build is slower than the one that it is compared with
	exitCredentials = 4
)

func main() {
	s := &session{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	ctx, stop := s.interruptible(context.Background())
	err := run(ctx, os.Args[1:], s)
	stop()
	os.Exit(exitCode(err, os.Stderr))
}

// session is what a command works with. stderr takes progress and, with -v,
// details.
type session struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	abandon atomic.Pointer[func()] // what a program that leaves at once has to do; nil for nothing
}

// errCells says that the run ended and cells failed: the report has told which.
var errCells = errors.New("some cells failed")

// errSlower says that a build is slower: the report has told which figures.
var errSlower = errors.New("the new build is slower")

// usageError is an error in how the command was called.
type usageError struct {
	err     error
	command string // whose flags are to be explained; empty: the program's
}

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// interrupted is the cause of a context that a signal has ended.
type interrupted struct{ signal syscall.Signal }

func (i interrupted) Error() string {
	return map[syscall.Signal]string{syscall.SIGINT: "interrupted", syscall.SIGTERM: "terminated", syscall.SIGHUP: "hung up"}[i.signal]
}

// interruptible returns a context that the first Ctrl-C, SIGTERM or SIGHUP ends.
// The second one leaves at once. A SIGHUP that is ignored, as under nohup, stays
// ignored.
func (s *session) interruptible(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		first := (<-signals).(syscall.Signal)
		cancel(interrupted{first})
		second := (<-signals).(syscall.Signal)
		if abandon := s.abandon.Load(); abandon != nil {
			(*abandon)()
		}
		os.Exit(128 + int(second))
	}()
	return ctx, func() { signal.Stop(signals) }
}

// exitCode tells what went wrong, unless that has been told, and returns the
// code for it.
func exitCode(err error, stderr io.Writer) int {
	var usage usageError
	var sig interrupted
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errCells):
		return exitFailed
	case errors.Is(err, errSlower):
		return exitSlower
	}
	fmt.Fprintf(stderr, "tune: %v\n", err)
	switch {
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "      go run ./tune%s -h explains the flags\n", usage.command)
		return exitUsage
	case errors.As(err, &sig):
		return 128 + int(sig.signal)
	case stepfunctions.IsCredentials(err):
		return exitCredentials
	}
	return exitFailed
}
