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
	"time"

	"al.essio.dev/pkg/shellescape"
	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/report"
	"lambda-parallel-io/tune/stepfunctions"
)

// onAWS compares with the Power Tuning state machine that `pulumi up` deployed.
type onAWS struct {
	selection `group:"What to compare"`
	Input     string `group:"What to compare" placeholder:"FILE" xor:"payload" help:"Power Tuning execution input. Flags given here win over it."`

	Stack            string        `first:"" group:"On AWS" placeholder:"NAME" help:"Pulumi stack whose outputs name the function and the state machine."`
	StateMachine     string        `group:"On AWS" placeholder:"ARN" help:"State machine of Power Tuning, in place of the stack's."`
	FunctionARN      string        `group:"On AWS" placeholder:"ARN" help:"Function, in place of the stack's."`
	Profile          string        `group:"On AWS" placeholder:"NAME" help:"Profile of the AWS configuration."`
	Region           string        `group:"On AWS" placeholder:"NAME" help:"Region of the state machine (that of its ARN)."`
	Prefix           *string       `group:"On AWS" placeholder:"P" help:"Read the objects below this prefix, at most 2000 or the payload's maxObjects, in place of one object (the stack's prefix, if the stack has no object)."`
	Parallel         bool          `group:"On AWS" help:"Run all invocations of a size at once, not one by one."`
	ExecutionTimeout time.Duration `group:"On AWS" placeholder:"D" help:"totalExecutionTimeout of Power Tuning (the stack's, else 600s)."`
	Local            string        `group:"On AWS" placeholder:"FILE" help:"results.json of a local run: the estimate names the sizes that ran out of memory there."`
	Check            string        `first:"" group:"On AWS" placeholder:"FILE" help:"Measure only the three cells that confirm the map in this results.json, and fit the map to them. -o is then tune-check."`
	Yes              bool          `group:"On AWS" help:"Spend more than $$1 without being asked."`
	Resume           string        `first:"" group:"On AWS" placeholder:"DIR" help:"Resume the interrupted comparison in this folder."`

	presentation `group:"Output" set:"dir=tune-aws"`
	DryRun       bool `first:"" group:"Output" help:"Print what would run and what it would cost, and stop."`
}

func (a *onAWS) Help() string {
	return `Examples

  go run ./tune aws --stack dev --dry-run
  go run ./tune aws --stack dev --power 512,1024,1769 --num 10 --repeat 2000
  go run ./tune aws --stack dev --check tune-results/results.json
  go run ./tune aws --resume tune-aws`
}

// maxObjects is the default of a payload's maxObjects, as in the deployment's
// inputs.
const maxObjects = 2_000

// askAbove is the cost in dollars above which a comparison needs --yes or a yes.
const askAbove = 1.0

// besideResume are the flags allowed with --resume: the comparison itself says
// what is compared and where.
var besideResume = []string{"resume", "local", "profile",
	"region", "execution-timeout", "yes", "json", "open", "dry-run"}

// besideCheck are the flags allowed with --check: its FILE says what is compared.
var besideCheck = append([]string{"check", "stack", "state-machine", "function-arn", "num", "arch", "timeout", "output"}, besideResume[1:]...)

// Run makes or resumes a comparison on AWS.
func (a *onAWS) Run(ctx context.Context, k *kong.Context, s *session) error {
	begin, beside := a.begin, besideCheck
	if a.Resume != "" {
		begin, beside = a.resume, besideResume
	}
	for _, p := range k.Path {
		if p.Flag != nil && a.Resume+a.Check != "" && !slices.Contains(beside, p.Flag.Name) {
			return usageError{err: fmt.Errorf("--%s has no effect beside --%s, which goes with --%s alone",
				p.Flag.Name, beside[0], strings.Join(beside[1:], ", --"))}
		}
	}
	if a.Check != "" {
		if !slices.ContainsFunc(k.Path, func(p *kong.Path) bool { return p.Flag != nil && p.Flag.Name == "output" }) {
			a.Dir = "tune-check"
		}
		if filepath.Clean(a.Dir) == filepath.Dir(a.Check) {
			return usageError{err: fmt.Errorf("-o %s holds the map to check: name another folder", a.Dir)}
		}
	}
	c, t, err := begin(ctx, s, stepfunctions.Target{
		StateMachine: a.StateMachine,
		Function:     a.FunctionARN,
		Region:       a.Region, Profile: a.Profile, ExecutionTimeout: a.ExecutionTimeout,
		Arch: a.Arch, Timeout: a.Timeout,
	})
	if err != nil {
		return err
	}
	var local *comparison.Comparison
	if a.Local != "" {
		if local, err = load(a.Local); err != nil {
			return fmt.Errorf("--local: %w", err)
		}
	}
	estimate, err := stepfunctions.NewEstimate(c, t.Target, local)
	if err != nil {
		return usageError{err: err}
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
	if estimate.Dollars() > askAbove && !a.Yes {
		if err := s.confirm(ctx, estimate.Dollars()); err != nil {
			return err
		}
	}
	err = a.compare(ctx, s, newProgress(s.stderr), c, t.Tune)
	if err == nil || errors.Is(err, errCells) || !c.Underway() {
		return err
	}
	return fmt.Errorf("%w\nto resume it: %s", err, a.again(k))
}

// tuner returns a tuner for the flags and the stack. In a dry run it cannot call
// AWS, and so needs no credentials.
func (a *onAWS) tuner(ctx context.Context, stack string, flags stepfunctions.Target) (*stepfunctions.Tuner, error) {
	target, err := stepfunctions.Resolve(ctx, stack, flags)
	if err != nil || a.DryRun {
		return &stepfunctions.Tuner{Target: target}, err
	}
	return stepfunctions.New(ctx, target)
}

// begin returns the comparison that the flags describe, and its tuner.
func (a *onAWS) begin(ctx context.Context, s *session, flags stepfunctions.Target) (*comparison.Comparison, *stepfunctions.Tuner, error) {
	if err := refuseUnfinished(a.Dir); err != nil && !a.DryRun {
		return nil, nil, err
	}
	t, err := a.tuner(ctx, a.Stack, flags)
	if err == nil && !a.DryRun {
		var unknown string
		if unknown, err = t.Complete(ctx); unknown != "" {
			fmt.Fprintf(s.stderr, "  %s\n", unknown)
		}
	}
	if err != nil {
		return nil, nil, asFlag(err)
	}
	if a.Check != "" {
		c, err := load(a.Check)
		if err == nil {
			err = stepfunctions.NewCheck(c, a.Check, t.Target, *cmp.Or(a.Num, new(comparison.DefaultNum)))
		}
		if err != nil {
			err = usageError{err: fmt.Errorf("--check %s: %w", a.Check, err)}
		}
		return c, t, err
	}
	spec, err := a.spec(t.Target)
	if err != nil {
		return nil, nil, usageError{err: err}
	}
	return comparison.New(spec, time.Now()), t, nil
}

// spec builds the Spec from the flags, the execution input and the stack.
func (a *onAWS) spec(target stepfunctions.Target) (comparison.Spec, error) {
	r := a.request()
	if a.Input != "" {
		raw, err := os.ReadFile(a.Input)
		if err != nil {
			return r.Spec, fmt.Errorf("--input: %w", err)
		}
		in, err := powertuning.ParseInput(raw)
		if err != nil {
			return r.Spec, fmt.Errorf("--input %s: %w", a.Input, err)
		}
		r.Input = &in
	}
	r.Deployed = target.PowerValues
	r.Spec.Arch, r.Spec.TimeoutSec = target.Arch, target.Timeout.Seconds()
	r.Spec.StateMachine, r.Spec.Function = target.StateMachine, target.Function
	r.Spec.Region = stepfunctions.RegionOf(target.Function) // prices are those of the function's region
	r.Spec.ParallelInvocation = a.Parallel
	r.Ours, r.ObjectKey, r.MaxObjects = true, cmp.Or(target.ObjectKey, "sample.json"), maxObjects
	if r.Prefix, r.PrefixWins = a.Prefix, a.Prefix != nil; !r.PrefixWins && target.ObjectKey == "" {
		r.Prefix = target.Prefix
	}
	spec, err := comparison.Build(r)
	return spec, asFlag(err)
}

// resume reads the interrupted comparison.
func (a *onAWS) resume(ctx context.Context, _ *session, flags stepfunctions.Target) (*comparison.Comparison, *stepfunctions.Tuner, error) {
	name := filepath.Join(a.Resume, report.DataFile)
	c, err := load(name)
	if err == nil && c.Mode != comparison.AWS {
		err = fmt.Errorf("%s is not an interrupted comparison on AWS: a local one starts again", name)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("--resume: %w", err)
	}
	c.Run.Interrupted = false
	a.Dir = a.Resume
	flags.StateMachine, flags.Function = c.Run.StateMachine, c.Run.Function
	t, err := a.tuner(ctx, "", flags)
	return c, t, asFlag(err)
}

// again returns the command that resumes the comparison, with those flags of
// this command that are allowed there.
func (a *onAWS) again(k *kong.Context) string {
	command := "go run ./tune aws --resume " + shellescape.Quote(a.Dir)
	for _, p := range k.Path {
		if f := p.Flag; f != nil && f.Name != "resume" && slices.Contains(besideResume, f.Name) && !f.IsBool() {
			command += fmt.Sprintf(" --%s %s", f.Name, shellescape.Quote(fmt.Sprint(k.FlagValue(f))))
		}
	}
	return command
}

// confirm asks once whether to spend the money. Without a terminal it refuses.
func (s *session) confirm(ctx context.Context, dollars float64) error {
	if f, ok := s.stdin.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return usageError{err: fmt.Errorf("the comparison may cost $%.2f: say --yes to that, or lower --num, --repeat, --power or --strategies", dollars)}
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
