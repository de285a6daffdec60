package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"al.essio.dev/pkg/shellescape"
	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/report"
	"lambda-parallel-io/tune/stepfunctions"
)

// onAWS compares with the Power Tuning state machine that `pulumi up` deployed.
type onAWS struct {
	selection `group:"What to compare"`

	Stack                string `first:"" group:"On AWS" placeholder:"NAME" help:"Pulumi stack whose outputs name the function and the state machine."`
	stepfunctions.Target `group:"On AWS"`

	Local  string `group:"On AWS" placeholder:"FILE" help:"results.json of a local run: the estimate names the sizes that ran out of memory there."`
	Check  string `first:"" group:"On AWS" placeholder:"FILE" help:"Measure only the three cells that confirm the map in this results.json, and fit the map to them. -o is then tune-check."`
	Yes    bool   `group:"On AWS" help:"Spend more than $$1 without being asked."`
	Resume string `first:"" group:"On AWS" placeholder:"DIR" help:"Resume the interrupted comparison in this folder."`

	presentation `group:"Output" set:"dir=tune-aws"`
	DryRun       bool `first:"" group:"Output" help:"Print what would run and what it would cost, and stop."`
}

// besideResume are the flags allowed with --resume: the comparison itself says what is compared and where.
var besideResume = []string{"resume", "local", "profile", "region", "execution-timeout", "yes", "json", "open", "dry-run"}

// besideCheck are the flags allowed with --check: its FILE says what is compared.
var besideCheck = append([]string{"check", "stack", "state-machine", "function-arn", "num", "arch", "timeout", "output"}, besideResume[1:]...)

// Run makes or resumes a comparison on AWS.
func (a *onAWS) Run(ctx context.Context, k *kong.Context, s *session) error {
	if err := a.only(k); err != nil {
		return err
	}
	c, t, err := a.begin(ctx, s)
	if err != nil {
		return err
	}
	var local *comparison.Comparison
	if a.Local != "" {
		if local, err = report.Load(a.Local); err != nil {
			return fmt.Errorf("--local: %w", err)
		}
	}
	estimate, err := stepfunctions.NewEstimate(c, t.Target, local)
	if err != nil {
		return usage(err)
	}
	if a.DryRun && !a.JSON {
		return estimate.WriteText(s.stdout)
	}
	if err := estimate.WriteText(s.stderr); err != nil {
		return err
	}
	if a.DryRun {
		return c.Write(s.stdout)
	}
	if estimate.Dollars() > 1 && !a.Yes {
		err = s.confirm(ctx, estimate.Dollars())
	}
	if err == nil {
		err = a.compare(ctx, s, c, t.Tune)
	}
	if err == nil || errors.Is(err, errCells) || !c.Underway() {
		return err
	}
	return fmt.Errorf("%w\nto resume it: %s", err, a.again(k))
}

// only refuses flags that have no effect beside --resume or --check.
func (a *onAWS) only(k *kong.Context) error {
	beside := besideCheck
	if a.Resume != "" {
		beside, a.Dir = besideResume, a.Resume
	} else if a.Check == "" {
		return nil
	}
	output := false
	for _, p := range k.Path {
		if f := p.Flag; f != nil && !slices.Contains(beside, f.Name) {
			return usagef("--%s has no effect beside --%s, which goes with --%s alone", f.Name, beside[0], strings.Join(beside[1:], ", --"))
		}
		output = output || p.Flag != nil && p.Flag.Name == "output"
	}
	if a.Check != "" && !output {
		a.Dir = "tune-check"
	}
	if a.Check != "" && filepath.Clean(a.Dir) == filepath.Dir(a.Check) {
		return usagef("-o %s holds the map to check: name another folder", a.Dir)
	}
	return nil
}

// begin returns the comparison that the flags describe or that is resumed, and its tuner.
func (a *onAWS) begin(ctx context.Context, s *session) (c *comparison.Comparison, t *stepfunctions.Tuner, err error) {
	if a.Resume != "" {
		name := filepath.Join(a.Resume, report.DataFile)
		if c, err = report.Load(name); err == nil && c.Mode != comparison.AWS {
			err = fmt.Errorf("%s is not an interrupted comparison on AWS: a local one starts again", name)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("--resume: %w", err)
		}
		c.Run.Interrupted, a.StateMachine, a.Function = false, c.Run.StateMachine, c.Run.Function
	} else if err := usage(report.RefuseUnfinished(a.Dir)); err != nil && !a.DryRun {
		return nil, nil, err
	}
	a.Target.Arch, a.Target.Timeout = a.selection.Arch, a.selection.Timeout
	target, err := stepfunctions.Resolve(ctx, a.Stack, a.Target)
	t = &stepfunctions.Tuner{Target: target} // needs no credentials
	if err == nil && !a.DryRun {
		t, err = stepfunctions.New(ctx, target)
	}
	if err != nil || a.Resume != "" {
		return c, t, asFlag(err)
	}
	if !a.DryRun {
		unknown, err := t.Complete(ctx)
		if err != nil {
			return nil, nil, asFlag(err)
		} else if unknown != "" {
			fmt.Fprintf(s.stderr, "  %s\n", unknown)
		}
	}
	if a.Check == "" {
		r := a.request()
		r.Prefix = a.Prefix
		c, err = t.Ask(r)
		return c, t, usage(asFlag(err))
	}
	if c, err = report.Load(a.Check); err == nil {
		err = stepfunctions.NewCheck(c, a.Check, t.Target, *cmp.Or(a.Num, new(comparison.DefaultNum)))
	}
	if err != nil {
		err = usagef("--check %s: %w", a.Check, err)
	}
	return c, t, err
}

// again returns the command that resumes the comparison, with those flags of this command that are allowed there.
func (a *onAWS) again(k *kong.Context) string {
	command := "go run ./tune aws --resume " + shellescape.Quote(a.Dir)
	for _, p := range k.Path {
		if f := p.Flag; f != nil && slices.Contains(besideResume[1:], f.Name) && !f.IsBool() {
			command += fmt.Sprintf(" --%s %s", f.Name, shellescape.Quote(fmt.Sprint(k.FlagValue(f))))
		}
	}
	return command
}

// confirm asks once whether to spend the money. Without a terminal it refuses.
func (s *session) confirm(ctx context.Context, dollars float64) error {
	if f, ok := s.stdin.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return usagef("the comparison may cost $%.2f: say --yes to that, or lower --num, --repeat, --power or --strategies", dollars)
	}
	fmt.Fprintf(s.stderr, "  Spend up to $%.2f? [y/N] ", dollars)
	answers := make(chan string, 1)
	go func() { // outlives a signal until the process ends: a read of a terminal cannot be canceled
		line, _ := bufio.NewReader(s.stdin).ReadString('\n')
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
