package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/report"
	"lambda-parallel-io/tune/stepfunctions"
)

// askAbove is the cost of a comparison, in dollars, that wants a yes.
const askAbove = 1.0

// onAWS compares by the Power Tuning state machine that `pulumi up` deployed.
func onAWS(ctx context.Context, o *options, stdin io.Reader, stdout, stderr io.Writer) error {
	target, err := stepfunctions.Resolve(ctx, o.stack, stepfunctions.Target{
		StateMachine:     o.stateMachine,
		Function:         o.functionARN,
		Region:           o.region,
		Profile:          o.profile,
		ExecutionTimeout: o.executionTimeout,
	})
	if flag := (*comparison.FieldError)(nil); errors.As(err, &flag) {
		return usageError{fmt.Errorf("--%w", err)}
	}
	if err != nil {
		return err
	}
	o.object = cmp.Or(target.ObjectKey, o.object)
	c, _, err := plan(o, time.Now())
	if err != nil {
		return usageError{err}
	}
	c.Run.StateMachine, c.Run.Function = target.StateMachine, target.Function
	c.Run.Region = stepfunctions.RegionOf(target.Function) // prices are those of where the function runs
	return spend(ctx, o, c, target, stdin, stdout, stderr)
}

// resume takes up a comparison on AWS that was cut off.
func resume(ctx context.Context, o *options, stdin io.Reader, stdout, stderr io.Writer) error {
	name := filepath.Join(o.resume, report.DataFile)
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("-resume: %w", err)
	}
	defer f.Close()
	c, err := report.Read(f)
	if err != nil {
		return fmt.Errorf("-resume %s: %w", name, err)
	}
	if c.Mode != comparison.AWS {
		return fmt.Errorf("-resume %s: it is not a comparison on AWS: a local one is made again from the start", name)
	}
	target, err := stepfunctions.Resolve(ctx, "", stepfunctions.Target{
		StateMachine:     c.Run.StateMachine,
		Function:         c.Run.Function,
		Region:           o.region,
		Profile:          o.profile,
		ExecutionTimeout: o.executionTimeout,
	})
	if err != nil {
		return fmt.Errorf("-resume %s: %w", name, err)
	}
	c.Run.Interrupted = false
	o.dir = o.resume
	return spend(ctx, o, c, target, stdin, stdout, stderr)
}

// spend shows what the comparison will cost, and makes it.
func spend(ctx context.Context, o *options, c *comparison.Comparison, target stepfunctions.Target, stdin io.Reader, stdout, stderr io.Writer) error {
	p, err := stepfunctions.NewPlan(c, target, nil)
	if err != nil {
		return usageError{err}
	}
	if o.dryRun && !o.json {
		return p.WriteText(stdout)
	}
	if err := p.WriteText(stderr); err != nil {
		return err
	}
	if o.dryRun {
		return printPlan(stdout, o, c)
	}
	t, err := stepfunctions.New(ctx, target)
	if err != nil {
		return err
	}
	if p.Dollars() > askAbove && !o.yes {
		if err := confirm(ctx, stdin, stderr, p.Dollars()); err != nil {
			return err
		}
	}
	err = compare(ctx, t, o, c, stdout, stderr)
	if err == nil || errors.Is(err, errCells) || !slices.ContainsFunc(c.Variants, begunOnAWS) {
		return err
	}
	again := "go run ./tune -resume " + o.dir
	if o.profile != "" {
		again += " -profile " + o.profile
	}
	if o.region != "" {
		again += " -region " + o.region
	}
	return fmt.Errorf("%w\nto take it up again: %s", err, again)
}

// begunOnAWS reports whether there is something of the variant to resume.
func begunOnAWS(v comparison.Result) bool {
	return v.Execution != "" || v.Tuning != nil || v.Error != ""
}

// confirm asks once. Without a terminal nobody can answer: the run is refused.
func confirm(ctx context.Context, stdin io.Reader, stderr io.Writer, dollars float64) error {
	if f, ok := stdin.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return usageError{fmt.Errorf("the comparison may cost $%.2f: say -yes to that, or lower -num, -repeat, -power or -strategies", dollars)}
	}
	fmt.Fprintf(stderr, "  Spend up to $%.2f? [y/N] ", dollars)
	answers := make(chan string, 1)
	go func() { // ends with the process when a signal comes first: a read of a terminal cannot be cut short
		line, _ := bufio.NewReader(stdin).ReadString('\n')
		answers <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case answer := <-answers:
		if answer == "y" || answer == "yes" {
			return nil
		}
		return errors.New("not confirmed: nothing was started")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
