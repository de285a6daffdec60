package stepfunctions

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"lambda-parallel-io/tune/comparison"
)

// InterruptedError says that the context ended. Nothing further is started
// then, and nothing is stopped: an execution that runs goes on.
type InterruptedError struct {
	Execution string // ARN of the one that runs; empty where none does
	Cause     error  // of the context
	text      string
}

func (e *InterruptedError) Error() string { return e.text }
func (e *InterruptedError) Unwrap() error { return e.Cause }

// Tune runs the variants of c that have neither a tuning nor an error, one
// after the other: two executions on one function must never overlap. A
// variant that has an execution already is waited for; the others are started
// under a name that follows from c.Run.Time, which must not change when a
// comparison is taken up again. So observe is first called, with Changed,
// before anything is started, and again as soon as an execution has been.
//
// What goes wrong in one variant is its error, and the next one goes on. The
// error of Tune is one of the comparison as a whole, and leaves the variant
// that it met as it was, to be taken up again: a [*CredentialsError], a
// [*BusyError], an [*InterruptedError], or that AWS could not be reached.
func (t *Tuner) Tune(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress)) error {
	if err := t.owns(c); err != nil {
		return err
	}
	p := comparison.Progress{Total: len(c.Variants)}
	for i := range c.Variants {
		if finished(c.Variants[i]) {
			p.Done++
		}
	}
	tell := func(now, finished string, changed bool) {
		p.Now, p.Finished, p.Changed = now, finished, changed
		observe(p)
	}
	tell("", "", true)
	for i := range c.Variants {
		v := &c.Variants[i]
		if finished(*v) {
			continue
		}
		if ctx.Err() != nil {
			return t.interrupted(ctx, *v)
		}
		took, err := t.variant(ctx, c.Run, v, func(now string, changed bool) { tell(now, "", changed) })
		if err != nil {
			return err
		}
		p.Done++
		tell("", outcome(*v, took), true)
	}
	return nil
}

// owns completes c by what the Tuner runs on, and refuses the comparison of
// something else.
func (t *Tuner) owns(c *comparison.Comparison) error {
	if c.Run.Time.IsZero() {
		return errors.New("the comparison has no time, from which its executions are named")
	}
	for _, f := range []struct {
		name, want string
		got        *string
	}{
		{"state machine", t.StateMachine, &c.Run.StateMachine},
		{"function", t.Function, &c.Run.Function},
	} {
		if *f.got == "" {
			*f.got = f.want
		}
		if *f.got != f.want {
			return fmt.Errorf("the comparison was begun with the %s %s: it cannot go on with %s", f.name, *f.got, f.want)
		}
	}
	for _, v := range c.Variants {
		// It ends up in commands for a shell, and may come from a file.
		name, ours := strings.CutPrefix(v.Execution, executionARN(t.StateMachine, ""))
		if v.Execution != "" && (!ours || name == "" || notInNames.MatchString(name)) {
			return fmt.Errorf("the comparison's execution %.200q of %s is none of the state machine %s", v.Execution, v.Label(), t.StateMachine)
		}
	}
	return nil
}

// finished reports whether a variant needs nothing more.
func finished(v comparison.Result) bool { return v.Tuning != nil || v.Error != "" }

func (t *Tuner) interrupted(ctx context.Context, v comparison.Result) error {
	e := &InterruptedError{Execution: v.Execution, Cause: context.Cause(ctx)}
	if v.Execution == "" {
		e.text = fmt.Sprintf("interrupted before %s was started: no execution of this comparison runs", v.Label())
	} else {
		e.text = fmt.Sprintf("interrupted during %s: its execution goes on\n%s", v.Label(), t.commands(v.Execution))
	}
	return e
}

// outcome tells in a line how a variant ended.
func outcome(v comparison.Result, took time.Duration) string {
	after := took.Round(time.Second).String()
	if v.Error != "" {
		line, _, _ := strings.Cut(v.Error, "\n")
		return fmt.Sprintf("%s: failed after %s: %s", v.Label(), after, line)
	}
	return fmt.Sprintf("%s: %d sizes in %s", v.Label(), len(v.Tuning.Stats), after)
}
