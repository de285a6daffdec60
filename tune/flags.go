package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
	"lambda-parallel-io/tune/local/s3"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/stepfunctions"
)

// options are what the command line says.
type options struct {
	strategies  []string
	powers      []int
	num         int
	repeat      int
	concurrency []int
	auto        bool // a concurrency of its own for what was measured
	object      string
	payload     string
	input       string
	arch        string
	timeout     time.Duration

	latency  s3.Latency
	seed     uint64
	function string
	env      []string

	stack            string
	stateMachine     string
	functionARN      string
	profile          string
	region           string
	parallel         bool
	executionTimeout time.Duration
	yes              bool
	resume           string

	from   string
	dir    string
	json   bool
	dryRun bool
	open   bool
	v      bool

	given map[string]bool // the flags that stand on the command line
}

// aws reports whether the comparison runs on AWS.
func (o *options) aws() bool {
	return o.stack != "" || o.stateMachine != "" || o.functionARN != "" || o.resume != ""
}

const (
	defaultFunction = "./handler"
	none            = "none" // in place of strategies: the payload as it is
)

// parse reads the command line. An error is a usageError, or flag.ErrHelp
// once the help has been printed.
func parse(args []string, stdout io.Writer) (*options, error) {
	o := &options{given: map[string]bool{}}
	fs := flag.NewFlagSet("tune", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors are told once, by main
	fs.Usage = func() {}
	o.define(fs)
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			_, err := io.WriteString(stdout, help)
			return nil, errors.Join(flag.ErrHelp, err)
		}
		return nil, usageError{err}
	}
	fs.Visit(func(f *flag.Flag) { o.given[f.Name] = true })
	if fs.NArg() > 0 {
		return nil, usageError{fmt.Errorf("unexpected argument %q: there are only flags", fs.Arg(0))}
	}
	if err := o.check(); err != nil {
		return nil, usageError{err}
	}
	return o, nil
}

// define gives every flag its default. Its words for people are in help.
func (o *options) define(fs *flag.FlagSet) {
	o.strategies = strategies.Names()
	o.powers = []int{128, 512, 1_024, 1_769, 3_008}
	o.concurrency = []int{event.DefaultConcurrency}
	o.latency, _ = s3.ParseLatency("apg")

	fs.Func("strategies", "", func(s string) error { return o.setStrategies(s) })
	fs.Func("power", "", func(s string) (err error) {
		o.powers, err = list(s, powertuning.MinPower, powertuning.MaxPower)
		return err
	})
	fs.Func("concurrency", "", func(s string) (err error) {
		if o.auto = s == "auto"; !o.auto {
			o.concurrency, err = list(s, 1, event.MaxConcurrency)
		}
		return err
	})
	fs.IntVar(&o.num, "num", 6, "")
	fs.IntVar(&o.repeat, "repeat", 50, "")
	fs.StringVar(&o.object, "object", "sample.json", "")
	fs.StringVar(&o.payload, "payload", "", "")
	fs.StringVar(&o.input, "input", "", "")
	fs.StringVar(&o.arch, "arch", powertuning.ARM64, "")
	fs.DurationVar(&o.timeout, "timeout", 600*time.Second, "")

	fs.Func("latency", "", func(s string) (err error) { o.latency, err = s3.ParseLatency(s); return err })
	fs.Uint64Var(&o.seed, "seed", 1, "")
	fs.StringVar(&o.function, "function", defaultFunction, "")
	fs.Func("env", "", func(s string) error { return o.addEnv(s) })

	fs.StringVar(&o.stack, "stack", "", "")
	fs.StringVar(&o.stateMachine, "state-machine", "", "")
	fs.StringVar(&o.functionARN, "function-arn", "", "")
	fs.StringVar(&o.profile, "profile", "", "")
	fs.StringVar(&o.region, "region", "", "")
	fs.BoolVar(&o.parallel, "parallel", false, "")
	fs.DurationVar(&o.executionTimeout, "execution-timeout", stepfunctions.DefaultExecutionTimeout, "")
	fs.BoolVar(&o.yes, "yes", false, "")
	fs.StringVar(&o.resume, "resume", "", "")

	fs.StringVar(&o.from, "from", "", "")
	fs.StringVar(&o.dir, "o", "tune-results", "")
	fs.BoolVar(&o.json, "json", false, "")
	fs.BoolVar(&o.dryRun, "dry-run", false, "")
	fs.BoolVar(&o.open, "open", false, "")
	fs.BoolVar(&o.v, "v", false, "")
}

func (o *options) setStrategies(s string) error {
	o.strategies = nil
	for _, name := range split(s) {
		_, err := strategies.ByName(name)
		if err != nil && name != none {
			return fmt.Errorf("%w, or %s", err, none)
		}
		for _, other := range o.strategies {
			if other == name || other == none || name == none {
				return fmt.Errorf("%s and %s cannot stand together", other, name)
			}
		}
		o.strategies = append(o.strategies, name)
	}
	if len(o.strategies) == 0 {
		return fmt.Errorf("it is empty: it must be a list of %s; or %s", strings.Join(strategies.Names(), ", "), none)
	}
	return nil
}

func (o *options) addEnv(s string) error {
	if name, _, ok := strings.Cut(s, "="); !ok || name == "" {
		return errors.New("it must be KEY=VALUE")
	}
	o.env = append(o.env, s)
	return nil
}

// onlyLocal and onlyAWS are the flags that mean nothing in the other mode.
var (
	onlyLocal = []string{"latency", "seed", "function", "env", "object", "v"}
	onlyAWS   = []string{"parallel", "yes", "profile", "execution-timeout"}
)

// check looks at what a flag alone cannot know.
func (o *options) check() error {
	wrong, where := onlyAWS, "it needs -stack, or -state-machine and -function-arn, or -resume"
	if o.aws() {
		wrong, where = onlyLocal, "it belongs to a local run, not to one on AWS"
	}
	for _, name := range wrong {
		if o.given[name] && o.from == "" && o.resume == "" {
			return fmt.Errorf("-%s has no effect here: %s", name, where)
		}
	}
	least := 1
	if o.aws() {
		least = powertuning.MinNum
	}
	if err := o.checkAlone(); err != nil {
		return err
	}
	bounded := slices.ContainsFunc(o.strategies, func(name string) bool {
		s, err := strategies.ByName(name)
		return err == nil && s.Bounded
	})
	switch {
	case o.dir == "":
		return errors.New("-o: it is empty: it must be a folder")
	case o.given["concurrency"] && !bounded:
		return fmt.Errorf("-concurrency has no effect on %s: it bounds pool and semaphore", strings.Join(o.strategies, ", "))
	case o.given["repeat"] && o.strategies[0] == none:
		return errors.New("-repeat has no effect with -strategies none, which sends the payload as it is: write it there")
	case o.auto && !o.ours():
		return errors.New("-concurrency auto needs the reads of this project's function: give numbers for another one")
	case o.num < least:
		return fmt.Errorf("-num %d: it must be at least %d", o.num, least)
	case o.repeat < 1 || o.repeat > event.MaxRepeat:
		return fmt.Errorf("-repeat %d: it must be from 1 to %d", o.repeat, event.MaxRepeat)
	case o.arch != powertuning.ARM64 && o.arch != powertuning.X8664:
		return fmt.Errorf("-arch %q: it must be %s or %s", o.arch, powertuning.ARM64, powertuning.X8664)
	case o.timeout < time.Second || o.timeout > 900*time.Second:
		return fmt.Errorf("-timeout %s: it must be from 1s to 900s", o.timeout)
	case o.executionTimeout < time.Second || o.executionTimeout > 900*time.Second:
		return fmt.Errorf("-execution-timeout %s: it must be from 1s to 900s", o.executionTimeout)
	case o.auto && o.aws():
		return errors.New("-concurrency auto needs the CPU figures of a local run: give AWS the numbers that one has found")
	case o.payload != "" && o.input != "":
		return errors.New("-payload and -input: only one of them can be the payload")
	case o.json && o.open:
		return errors.New("-json and -open: only one of them")
	}
	return nil
}

// alone are the flags that take up or draw a comparison that is made already,
// and those that go with each.
var alone = map[string][]string{
	"from":   {"from", "o", "json", "open"},
	"resume": {"resume", "profile", "region", "execution-timeout", "yes", "json", "open", "dry-run"},
}

// checkAlone refuses flags that would do nothing beside those of alone.
func (o *options) checkAlone() error {
	for name, with := range alone {
		if !o.given[name] {
			continue
		}
		for _, other := range slices.Sorted(maps.Keys(o.given)) {
			if !slices.Contains(with, other) {
				return fmt.Errorf("-%s has no effect beside -%s, which goes with -%s alone", other, name, strings.Join(with[1:], ", -"))
			}
		}
	}
	return nil
}

func split(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// list reads whole numbers, none twice.
func list(s string, least, most int) ([]int, error) {
	var out []int
	seen := map[int]bool{}
	for _, field := range split(s) {
		n, err := strconv.Atoi(field)
		if err != nil || n < least || n > most {
			return nil, fmt.Errorf("%q: each must be a whole number from %d to %d", field, least, most)
		}
		if seen[n] {
			return nil, fmt.Errorf("%d stands twice", n)
		}
		seen[n] = true
		out = append(out, n)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("it is empty: it must be a list of whole numbers from %d to %d", least, most)
	}
	return out, nil
}
