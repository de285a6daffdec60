// Tune compares concurrency strategies at Lambda memory sizes and recommends one: on this machine, under a model of
// Lambda and S3, or on AWS by Power Tuning. See -h.
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

// session holds the streams of a command. Progress and details go to stderr.
type session struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	abandon atomic.Pointer[func()] // to call before an immediate exit; nil for nothing
}

// reported is the exit code of an error that the report has already told.
type reported int

const (
	errCells  = reported(exitFailed) // cells failed, which the report names
	errSlower = reported(exitSlower) // figures of the new build are slower, which the report names
)

func (r reported) Error() string { return fmt.Sprintf("exit code %d", int(r)) }

// usageError is an error in how the command was called.
type usageError struct {
	error
	command string // the command to name in the hint on -h; empty for the program
}

func (e usageError) Unwrap() error { return e.error }

// usage returns the error as one in how the command was called, or nil.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{error: err}
}

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

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

// exitCode prints the error, unless the report already has it, and returns its exit code.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	if done, ok := errors.AsType[reported](err); ok {
		return int(done)
	}
	fmt.Fprintf(stderr, "tune: %v\n", err)
	if wrong, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintf(stderr, "      go run ./tune%s -h explains the flags\n", wrong.command)
		return exitUsage
	}
	if by, ok := errors.AsType[interrupted](err); ok {
		return 128 + int(by.signal)
	}
	if stepfunctions.IsCredentials(err) {
		return exitCredentials
	}
	return exitFailed
}
