package main

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/builds"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local"
)

// commands are the program's commands. Each is a type with its flags and a Run; the tag codes lists its exit codes,
// and help/NAME.txt has its examples. The first command may be left out.
type commands struct {
	Version kong.VersionFlag `help:"Print the commit and Go's version."`

	Local onThisMachine `cmd:"" codes:"0 fine, 1 failed, 2 usage" help:"Compare on this machine, under a model of Lambda and S3. This command may be left out."`
	AWS   onAWS         `cmd:"" codes:"0 fine, 1 failed, 2 usage, 4 no valid credentials" name:"aws" help:"Compare on AWS, with the stack that pulumi up deployed."`
	Map   mapping       `cmd:"" codes:"0 fine, 1 failed, 2 usage" help:"Answer another question from an earlier calibration."`
	Draw  drawing       `cmd:"" codes:"0 fine, 1 failed, 2 usage" help:"Draw an earlier comparison again."`
	Plan  planning      `cmd:"" codes:"0 fine, 1 failed, 2 usage" help:"Plan how Step Functions reads a million objects or more."`

	Compare comparing `cmd:"" codes:"0 not slower, 1 failed or different work, 2 usage, 3 slower" help:"Compare two builds of a function on this machine: is one slower?"`
}

// exitCodes ends the help of a command, with the codes of that command.
const exitCodes = `
Exit codes: %s,
129 SIGHUP, 130 Ctrl-C, 143 SIGTERM. "go run" turns every failure into 1.
`

// vars are what the help of a flag may name.
var vars = kong.Vars{
	"strategies": strings.Join(strategies.Names(), ", "), "bounded": prose.List(comparison.BoundedStrategies()), "none": comparison.None,
	"max_concurrency": fmt.Sprint(event.MaxConcurrency), "concurrency": fmt.Sprint(event.DefaultConcurrency),
	"num": fmt.Sprint(comparison.DefaultNum), "repeat": fmt.Sprint(comparison.DefaultRepeat), "map_repeat": fmt.Sprint(comparison.DefaultMapRepeat),
	"max": fmt.Sprint(comparison.DefaultMax), "for": comparison.DefaultFor.String(), "figures": prose.List(builds.Figures),
	"min_factor": fmt.Sprint(comparison.MinFactor), "max_slow": fmt.Sprint(comparison.MaxSlow), "max_factor": fmt.Sprint(comparison.MaxFactor),
}

// run is the program.
func run(ctx context.Context, args []string, s *session) error {
	var cli commands
	helped := false
	short := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "--help-all" })
	all := len(short) < len(args)
	if all {
		args = append(short, "--help")
	}
	parser, err := kong.New(&cli,
		kong.Name("go run ./tune"), kong.Writers(s.stdout, s.stderr), kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 80, NoExpandSubcommands: true}), kong.Help(help(all)), vars,
		kong.Vars{"version": "tune " + cmp.Or(local.Commit(ctx), "of an unknown commit") + ", " + runtime.Version()},
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(s),
	)
	if err != nil {
		return err // a flag is declared wrongly: every test of the program fails
	}
	args, err = completed(args, parser.Model)
	if err != nil {
		return usage(err)
	}
	kctx, err := parser.Parse(args)
	if helped {
		return nil
	}
	if err == nil {
		err = kctx.Run()
	} else {
		err = usage(explained(err, args, parser.Model))
	}
	if wrong, ok := errors.AsType[usageError](err); ok && slices.ContainsFunc(parser.Model.Children[1:], func(c *kong.Node) bool { return c.Name == args[0] }) {
		return usageError{wrong.error, " " + args[0]}
	}
	return err
}

// completed adds the first command where none is named, and turns help COMMAND into
// COMMAND -h. It refuses a flag with one dash, which kong would read as several short flags.
func completed(args []string, app *kong.Application) ([]string, error) {
	for _, a := range args {
		name, _, _ := strings.Cut(strings.TrimPrefix(a, "-"), "=")
		if strings.HasPrefix(a, "-") && len(name) > 1 && commandWith(name, app) != nil {
			return nil, fmt.Errorf("-%s: flags have two dashes: --%s", name, name)
		}
	}
	switch {
	case len(args) == 0 || strings.HasPrefix(args[0], "-"):
		return append([]string{app.Children[0].Name}, args...), nil
	case args[0] == "help":
		return completed(append(args[1:], "-h"), app)
	}
	return args, nil
}

// commandWith returns the first command with a flag of that name, or nil.
func commandWith(flag string, app *kong.Application) *kong.Node {
	for _, c := range app.Children {
		if slices.ContainsFunc(c.Flags, func(f *kong.Flag) bool { return f.Name == flag }) {
			return c
		}
	}
	return nil
}

// explained adds the command that has the flag to the error of an unknown flag,
// and the list of commands to the error of an unknown command.
func explained(err error, args []string, app *kong.Application) error {
	flag, unknown := strings.CutPrefix(err.Error(), "unknown flag --")
	if c := commandWith(flag, app); unknown && c != nil {
		return fmt.Errorf("%w: it belongs to the command %s, as in go run ./tune %s --%s", err, c.Name, c.Name, flag)
	}
	if strings.HasPrefix(err.Error(), "unexpected argument "+args[0]) {
		var names []string
		for _, c := range app.Children {
			names = append(names, c.Name)
		}
		return fmt.Errorf("%w\nthe commands are %s", err, prose.List(names))
	}
	return err
}

//go:embed help/*.txt
var examples embed.FS

// help prints the flags of a command: all of them, or if they are more than a dozen
// those with the tag first. The help of the first command describes the program.
func help(all bool) func(kong.HelpOptions, *kong.Context) error {
	return func(options kong.HelpOptions, ctx *kong.Context) error {
		selected := ctx.Selected()
		text, _ := examples.ReadFile("help/" + selected.Name + ".txt") // not every command has examples
		selected.Detail = string(text)
		command := " " + selected.Name
		if selected == ctx.Model.Children[0] {
			fmt.Fprint(ctx.Stdout, selected.Detail)
			options.NoAppSummary = true
			selected.Help, selected.Detail, command = "", "", ""
		}
		rest := 0
		for _, f := range selected.Flags {
			f.Hidden = !all && len(selected.Flags) > 12 && !f.Tag.Has("first")
			if f.Hidden {
				rest++
			}
		}
		for _, f := range ctx.Model.Flags { // -h and --version
			f.Hidden = !all
		}
		if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
			return err
		}
		if rest > 0 {
			fmt.Fprintf(ctx.Stdout, "\ngo run ./tune%s --help-all explains %d more flags.\n", command, rest)
		}
		_, err := fmt.Fprintf(ctx.Stdout, exitCodes, selected.Tag.Get("codes"))
		return err
	}
}
