package local

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/slowmotion"
)

// Model holds the flags of the model of Lambda and S3 on this machine.
type Model struct {
	Latency string   `first:"" placeholder:"NAME" default:"apg" help:"S3's latency: a profile (apg, public, express, none), 15ms, 13ms~0.62 (median and sigma) or 1.3xapg (apg)."`
	CPU     string   `name:"cpu" placeholder:"FACTOR" help:"vCPUs per core of this machine, ${min_factor} to ${max_factor}, or a multiplier of the measured speed such as 0.8x (1x)."`
	Slow    int      `placeholder:"N" default:"1" help:"Run N times slower than real time, up to ${max_slow}, so that a small machine can keep up; figures are scaled back (1)."`
	Seed    uint64   `placeholder:"N" default:"1" help:"Seed of the latencies (1)."`
	Object  string   `placeholder:"FILE" xor:"objects" help:"File that the local S3 holds (sample.json)."`
	Objects string   `placeholder:"DIR" xor:"objects" help:"Folder whose files the local S3 holds, each read once, or objects to make: 2000x9KB, 2000x4KB-1MB."`
	Prefix  *string  `placeholder:"P" help:"Read only those --objects whose keys begin with P."`
	Env     []string `placeholder:"KEY=VALUE" sep:"none" help:"Environment variable of the function. The flag may be repeated."`
}

// Question is a comparison to make on this machine.
type Question struct {
	Spec comparison.Spec
	Options
	Maps bool // compute the cells after a calibration, instead of measuring each

	cpu *comparison.CPU // nil: to be measured
}

// Comparison returns the comparison with nothing measured yet.
func (q Question) Comparison() *comparison.Comparison {
	c := comparison.New(q.Spec, time.Now())
	c.Run.OS = runtime.GOOS + "/" + runtime.GOARCH
	c.Run.CPUs, c.Run.CPULimit = Cores()
	c.Run.CPU = q.cpu
	return c
}

// Ask reads the flags and the files that they name, completes the request and makes
// the question.
func (m *Model) Ask(r comparison.Request) (q Question, err error) {
	latency, err := profile.Parse(m.Latency)
	if err != nil {
		return q, fmt.Errorf("--%w", err)
	}
	if q.cpu, err = speed(m.CPU); err != nil {
		return q, err
	}
	if m.Slow < 1 || m.Slow > comparison.MaxSlow {
		return q, fmt.Errorf("--slow %d: it must be a whole number from 1 to %d", m.Slow, comparison.MaxSlow)
	}
	if most := time.Second; m.Slow > 1 && time.Duration(m.Slow)*latency.Mean() > most {
		return q, fmt.Errorf("--slow %d: reads would take more than %s on average, and the function gives up a read after 10 s: lower it, or --latency %s", m.Slow, most, latency)
	}
	for _, e := range m.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return q, fmt.Errorf("--env %s: it must be KEY=VALUE", e)
		}
	}
	r.Spec.Region, r.Spec.Slow, r.Spec.Seed = platform.PricesRegion, slowmotion.Factor(m.Slow), m.Seed
	r.Spec.Latency, r.Spec.LatencyMeanMS = latency.String(), float64(latency.Mean().Microseconds())/1e3
	q.Env = m.Env
	var unread error
	if q.Objects, unread = m.stored(&r); unread != nil && m.Objects+m.Object != "" || m.Prefix != nil && q.Objects == nil {
		return q, unread
	}
	q.Spec, err = comparison.Build(r)
	if err == nil && r.Map && q.Spec.Objects != nil {
		r.Map = false // a calibration reads one object many times
		q.Spec, err = comparison.Build(r)
	}
	q.Maps = r.Map
	return q, cmp.Or(err, unread) // a wrong flag comes before a missing file
}

// speed parses --cpu: vCPUs per core, or with an x a multiplier of the measured
// speed. It returns nil for an empty flag.
func speed(flag string) (*comparison.CPU, error) {
	if flag == "" {
		return nil, nil
	}
	number, times := strings.CutSuffix(flag, "x")
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !(f >= comparison.MinFactor && f <= comparison.MaxFactor) {
		return nil, fmt.Errorf("--cpu %s: it must be from %g to %g, or a multiplier of the measured speed such as 0.8x", flag, comparison.MinFactor, comparison.MaxFactor)
	}
	cpu := &comparison.CPU{Factor: f, Source: "--cpu " + flag}
	if times {
		cpu.Scale = f
	}
	return cpu, nil
}

// stored returns the objects of the local S3 and enters them into the request.
func (m *Model) stored(r *comparison.Request) (objects []Object, err error) {
	switch {
	case m.Objects != "":
		r.Prefix, r.PrefixWins = cmp.Or(m.Prefix, new(string)), m.Prefix != nil
		if objects, err = ParseObjects(m.Objects, *r.Prefix, m.Seed); err != nil {
			return nil, fmt.Errorf("--objects %s: %w", m.Objects, err)
		}
		r.MaxObjects = len(objects)
		r.Stored = map[string]int{}
		for _, o := range objects {
			r.Stored[o.Key] = o.Size
		}
		return objects, nil
	case m.Prefix != nil:
		return nil, errors.New("--prefix says which of --objects: name a folder, or objects to make")
	}
	// The key of a file is its path below the working directory, else its name.
	file := cmp.Or(m.Object, "sample.json")
	r.ObjectKey = file
	if !filepath.IsLocal(file) {
		r.ObjectKey = filepath.Base(file)
	}
	r.ObjectKey = filepath.ToSlash(filepath.Clean(r.ObjectKey))
	r.BodyOfObject, err = os.ReadFile(file)
	switch missing := errors.Is(err, os.ErrNotExist) && m.Object == ""; {
	case missing && !r.Ours: // outside of a clone another function may read nothing
		r.ObjectKey = ""
		return nil, nil
	case missing:
		return nil, fmt.Errorf("%w\nrun it in the root of the clone, or name an object: --object FILE", err)
	case err != nil:
		return nil, fmt.Errorf("--object: %w", err)
	}
	body := func() ([]byte, error) { return r.BodyOfObject, nil }
	return []Object{{Key: r.ObjectKey, Body: body}}, nil
}
