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
	exitSlower      = 3 // the new build is slower
	exitCredentials = 4
)

func main() {
	s := &session{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	ctx, stop := s.interruptible(context.Background())
	err := run(ctx, os.Args[1:], s)
	stop()
	os.Exit(exitCode(err, os.Stderr))
}

// session holds the streams of a command. Progress and, with -v, details go to
// stderr.
type session struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	abandon atomic.Pointer[func()] // to call before an immediate exit; nil for nothing
}

// errCells means that the run ended with failed cells, which the report names.
var errCells = errors.New("some cells failed")

// errSlower means that the new build is slower; the report names the figures.
var errSlower = errors.New("the new build is slower")

// usageError is an error in how the command was called.
type usageError struct {
	err     error
	command string // the command to name in the hint on -h; empty for the program
}

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ signal syscall.Signal }

func (i interrupted) Error() string {
	return map[syscall.Signal]string{syscall.SIGINT: "interrupted", syscall.SIGTERM: "terminated", syscall.SIGHUP: "hung up"}[i.signal]
}

// interruptible returns a context that the first Ctrl-C, SIGTERM or SIGHUP ends.
// The second one exits at once. An ignored SIGHUP, as under nohup, stays ignored.
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

// exitCode prints the error, unless the report already has it, and returns its
// exit code.
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
