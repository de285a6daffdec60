// Package local runs a comparison on this machine: the function runs as a real process under a model of Lambda and
// reads from a model of S3.
package local

import (
	"cmp"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/slowmotion"
)

// Options is what a comparison on this machine needs beside its Spec.
type Options struct {
	Objects []Object    // of the local S3, in the order of a listing
	Env     []string    // KEY=VALUE, for the function
	Verbose *log.Logger // receives each invocation's REPORT line; may be nil
	Output  io.Writer   // receives what the function prints; may be nil
}

// leastRounds is how many rounds each memory size gets in any case. They are enough to exclude a much slower variant.
const leastRounds = 3

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
	Size    int      `kong:"-"` // bytes of an object to make, in place of Object
	Verbose bool     `short:"v" help:"Print each invocation's REPORT line and the function's log."`
}

// Question is a comparison to make on this machine, with nothing measured yet.
type Question struct {
	*comparison.Comparison
	Options
	Maps bool // compute the cells after a calibration, instead of measuring each
}

// Lasts estimates how long it takes to measure every cell: 0 for a map or if the reads are not known, and that of the
// fewest rounds if their number is not fixed.
func (q Question) Lasts() (d time.Duration) {
	spec, rounds := q.Run.Spec, q.Run.Num+1
	if spec.ForSec > 0 {
		rounds = min(rounds, leastRounds+1)
	}
	latency := profile.MustParse(spec.Latency)
	for _, v := range q.Variants {
		for _, power := range spec.PowerValues {
			if !q.Maps {
				d += time.Duration(spec.Slow.Times()*rounds) * compute.Estimate(spec, v.Variant, power, latency, compute.ReadCPU)
			}
		}
	}
	return d
}

// Ask completes the request by the flags and the files that they name. What Verbose prints goes to logs.
func (m *Model) Ask(r comparison.Request, logs io.Writer) (q Question, err error) {
	latency, err := profile.Parse(m.Latency)
	if err != nil {
		return q, fmt.Errorf("--%w", err)
	}
	cpu, err := speed(m.CPU)
	if err != nil {
		return q, err
	}
	if m.Slow < 1 || m.Slow > comparison.MaxSlow {
		return q, fmt.Errorf("--slow %d: it must be a whole number from 1 to %d", m.Slow, comparison.MaxSlow)
	}
	if most := time.Second; m.Slow > 1 && time.Duration(m.Slow)*latency.Mean() > most {
		return q, fmt.Errorf("--slow %d: reads would take more than %s on average, and the function gives up a read after 10 s: lower it, or --latency %s", m.Slow, most, latency)
	}
	for _, e := range m.Env {
		if strings.Index(e, "=") < 1 {
			return q, fmt.Errorf("--env %s: it must be KEY=VALUE", e)
		}
	}
	if m.Prefix != nil && m.Objects == "" {
		return q, errors.New("--prefix says which of --objects: name a folder, or objects to make")
	}
	r.Spec.Region, r.Spec.Slow, r.Spec.Seed = platform.PricesRegion, slowmotion.Factor(m.Slow), m.Seed
	r.Spec.Latency, r.Spec.LatencyMeanMS = latency.String(), float64(latency.Mean().Microseconds())/1e3
	objects, unread := m.stored(&r)
	if unread != nil && m.Objects+m.Object != "" {
		return q, unread
	}
	spec, err := comparison.Build(r)
	if err == nil && r.Map && spec.Objects != nil {
		r.Map = false // a calibration reads one object many times
		spec, err = comparison.Build(r)
	}
	q = Question{comparison.New(spec, time.Now()), Options{Objects: objects, Env: m.Env}, r.Map}
	q.Run.OS, q.Run.CPU = runtime.GOOS+"/"+runtime.GOARCH, cpu
	q.Run.CPUs, q.Run.CPULimit = Cores()
	if m.Verbose {
		q.Verbose, q.Output = log.New(logs, "", 0), logs
	}
	return q, cmp.Or(err, unread) // a wrong flag comes before a missing file
}

// speed parses --cpu: vCPUs per core, or with an x a multiplier of the measured speed. It is nil for an empty flag.
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

// Commit returns the commit that this program was built from, empty if unknown. go run records none, so git is asked.
func Commit(ctx context.Context) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) > 12 {
				return s.Value[:12]
			}
		}
	}
	out, _ := exec.CommandContext(ctx, "git", "log", "-1", "--format=%h", "--abbrev=12", "--", "tune/comparison").Output() // fails outside a clone
	return strings.TrimSpace(string(out))
}

// versions returns this program's commit, and a Go program's versions of Go and of what its figures depend on.
func versions(ctx context.Context, path string) map[string]string {
	v := map[string]string{}
	if commit := Commit(ctx); commit != "" {
		v["tune"] = commit
	}
	if info, err := buildinfo.ReadFile(path); err == nil {
		v["go"] = info.GoVersion
		for _, m := range info.Deps {
			switch m.Path {
			case "github.com/aws/aws-lambda-go", "github.com/aws/aws-sdk-go-v2/service/s3",
				"github.com/sourcegraph/conc", "golang.org/x/sync":
				v[m.Path] = m.Version
			}
		}
	}
	return v
}

// Cores returns how many cores this process may use: those that it may run on, or the quota of its control group if
// that is less, which limit then says. GOMAXPROCS would round the quota up, to at least 2.
func Cores() (cores float64, limit string) {
	cores = float64(runtime.NumCPU())
	if q := quota("/"); q > 0 && q < cores {
		return q, "a container's limit"
	}
	return cores, ""
}

// quota returns the least CPU quota, in cores, of the process's control group and of its parents, if they are mounted
// below root; 0 means none. Sources: the kernel's documentation, scheduler/sched-bwc (v1) and admin-guide/cgroup-v2.
func quota(root string) (least float64) {
	fs, _ := procfs.NewFS(filepath.Join(root, "proc")) // nothing is found without it
	self, _ := fs.Self()
	groups, _ := self.Cgroups()
	mounts, _ := self.MountInfo()
	for _, g := range groups {
		for _, m := range mounts {
			v1 := m.FSType == "cgroup" && slices.Contains(g.Controllers, "cpu")
			if v2 := m.FSType == "cgroup2" && g.HierarchyID == 0; !v1 && !v2 {
				continue
			}
			// A path in another namespace leads to no folder, and so to the mount, which then is the group itself.
			dir := filepath.Join("/", strings.TrimPrefix(g.Path, m.Root))
			for below := ""; dir != below; dir, below = filepath.Dir(dir), dir {
				if q := quotaOf(filepath.Join(root, m.MountPoint, dir)); q > 0 && (least == 0 || q < least) {
					least = q
				}
			}
		}
	}
	return least
}

// quotaOf returns the quota of the group at dir in cores, at most 0 if it has none.
func quotaOf(dir string) float64 {
	var text []byte
	for _, file := range []string{"cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"} { // of v2, v1 and v1
		part, _ := os.ReadFile(filepath.Join(dir, file)) // the root group of v2 has none
		text = append(text, part...)
	}
	quota, period := 0., 1.                  // in us
	fmt.Sscan(string(text), &quota, &period) // without a quota that is max in v2, and -1 in v1
	return quota / period
}
