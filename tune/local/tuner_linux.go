package local

import (
	"bytes"
	"cmp"
	"context"
	cryptorand "crypto/rand"
	"crypto/sha256"
	"encoding/json"
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
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sys/unix"

	"lambda-parallel-io/handler/build"
	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local/lambda"
	"lambda-parallel-io/tune/local/s3"
	"lambda-parallel-io/tune/profile"
)

// Tuner measures the cells of a comparison on this machine. Close it after use.
type Tuner struct {
	Options
	s3       *s3.Server
	dir      string            // temporary: holds executables and the local S3's certificate
	mark     string            // a variable that only functions of this Tuner have
	env      []string          // of functions
	paths    map[string]string // executables by function
	latency  profile.S3
	measured []float64 // vCPUs per core, one per measurement
	speeds   []float64 // likewise, as they were used
	perGET   float64   // CPU time that this process, mostly the local S3, uses per GET, in ms
}

const bucket = "parallel-io"

// New makes a Tuner, its temporary folder, and an S3 with credentials for this run only.
func New(o Options) (*Tuner, error) {
	o.Verbose = cmp.Or(o.Verbose, log.New(io.Discard, "", 0))
	server, err := s3.Start(o.Verbose)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tune-")
	authority := filepath.Join(dir, "s3-authority.pem")
	if err == nil {
		err = os.WriteFile(authority, server.CA, 0o600)
	}
	t := &Tuner{Options: o, s3: server, dir: dir, mark: "TUNE_FOLDER=" + dir, paths: map[string]string{}}
	t.env = append([]string{
		"BUCKET=" + bucket, "AWS_ENDPOINT_URL_S3=" + server.URL, "AWS_CA_BUNDLE=" + authority, "AWS_ACCESS_KEY_ID=LOCAL" + cryptorand.Text()[:15],
		"AWS_SECRET_ACCESS_KEY=" + cryptorand.Text(), "AWS_SESSION_TOKEN=" + cryptorand.Text(),
	}, append(slices.Clone(t.Env), t.mark)...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("a folder for the function's executable: %w", err), t.Close())
	}
	return t, nil
}

func (t *Tuner) Close() error { return errors.Join(os.RemoveAll(t.dir), t.s3.Close()) }

// Abandon kills the functions and removes the temporary folder, at any time, for a program that exits at once.
func (t *Tuner) Abandon() {
	lambda.Kill(t.mark)
	_ = os.RemoveAll(t.dir) // nobody is left to be told
}

// prepare builds each function once, fills the local S3, and records the versions used and this machine's speed.
func (t *Tuner) prepare(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	for _, v := range c.Variants {
		function := cmp.Or(v.Function, c.Run.Function)
		if t.paths[function] != "" {
			continue
		}
		news := comparison.Progress{Step: comparison.Building, Now: "the function, which takes about 90 s the first time on a machine"}
		if err := observe(news); err != nil {
			return err
		}
		dir, err := os.MkdirTemp(t.dir, "function-")
		if err != nil {
			return err
		}
		path, err := executable(ctx, function, dir)
		if err != nil {
			return err
		}
		t.paths[function] = path
	}
	for _, o := range t.Objects {
		body, err := o.Body()
		if err != nil {
			return fmt.Errorf("reading %s for the local S3: %w", o.Key, err)
		}
		t.s3.Put(bucket, o.Key, body)
	}
	t.Objects = nil
	var err error
	if t.latency, err = profile.Parse(c.Run.Latency); err != nil {
		return err
	}
	c.Run.CPU = cmp.Or(c.Run.CPU, &comparison.CPU{Factor: 1, Scale: 1, Source: "measured"})
	c.Run.Versions = versions(ctx, t.paths[cmp.Or(c.Variants[0].Function, c.Run.Function)])
	for range max(1, latest-len(t.measured)) {
		t.coreSpeed(c.Run)
	}
	return nil
}

// executable returns the path of an executable: function itself, or what it builds in dir from a Go package, or from
// REVISION:PACKAGE. Our own function is built as for deployment, any other as its owner would.
func executable(ctx context.Context, function, dir string) (string, error) {
	info, err := os.Stat(function)
	if err == nil && info.Mode().IsRegular() {
		if info.Mode()&0o111 == 0 {
			return "", fmt.Errorf("the function %s is a file that is not executable: name an executable that speaks the Lambda Runtime API, or a Go package", function)
		}
		return filepath.Abs(function)
	}
	root, pkg := "", function
	if revision, within, ok := strings.Cut(function, ":"); ok && err != nil {
		if pkg = within; pkg == "" || filepath.IsAbs(pkg) {
			return "", fmt.Errorf("the function %s: it must be REVISION:PACKAGE with a package below this folder, such as main:./handler", function)
		}
		if root, err = build.Checkout(ctx, revision, dir); err != nil {
			return "", err
		}
	}
	bootstrap := filepath.Join(dir, "bootstrap")
	if build.Ours(pkg) {
		err = build.Function(ctx, root, pkg, runtime.GOARCH, bootstrap)
	} else {
		err = build.Package(ctx, root, pkg, bootstrap)
	}
	if errors.Is(err, exec.ErrNotFound) {
		err = fmt.Errorf("%w\nput the go command on PATH, or name an executable with --function", err)
	} else if info, errInfo := os.Stat(bootstrap); err == nil && (errInfo != nil || info.Mode()&0o111 == 0) {
		err = fmt.Errorf("the function %s is a Go package that is not package main: name one that is, or an executable", function)
	}
	return bootstrap, err
}

// function returns an environment of a memory size. The caller closes it.
func (t *Tuner) function(run comparison.Run, name string, memoryMB int) *lambda.Function {
	return lambda.New(lambda.Config{
		Path: t.paths[name], Env: t.env, Name: "parallel-io", Region: run.Region,
		MemoryMB: memoryMB, Arch: run.Arch, Speed: run.CPU.Factor, Slow: run.Slow, Timeout: run.Timeout(),
		Log: t.Output, Errors: t.Verbose,
	})
}

// latest is how many measurements give the speed. A single one scatters more than the machine's speed moves from turn
// to turn, and the speed sets a turn's quota.
const latest = 25

// coreSpeed returns how many vCPUs a core of this machine is worth. Unless that is fixed, it measures it, takes the
// median of the latest measurements, and records the median and the spread of what it has returned so far.
func (t *Tuner) coreSpeed(run comparison.Run) float64 {
	cpu := run.CPU
	if cpu.Scale == 0 {
		return cpu.Factor
	}
	t.measured = append(t.measured, cpu.Scale*measureSpeed(run.Arch, 25*time.Millisecond))
	speed := comparison.Factor(comparison.Median(t.measured[max(0, len(t.measured)-latest):]))
	t.speeds = append(t.speeds, speed)
	sorted := slices.Sorted(slices.Values(t.speeds))
	n := len(sorted)
	cpu.Low, cpu.Factor, cpu.High = sorted[n/10], sorted[n/2], sorted[n-1-n/10]
	return speed
}

// onVCPU is the CPU time of a pass on one of Lambda's vCPUs (1,769 MB). It is computed, not measured on Lambda.
// cebert/aws-lambda-performance-benchmarks (us-east-2, December 2025, means of 300 warm invocations, Python 3.11)
// published 500,000 chained SHA-256 digests at six memory sizes. Scaled to 1,769 MB, the median over the sizes is 310
// ms on arm64 (280 to 341) and 346 ms on x86_64 (320 to 350; 2,048 MB is one vCPU there). On a Xeon (Sapphire
// Rapids), alternating 25 times, a pass takes 2.64 ms for each second of that loop (quartiles 2.59 and 2.68; best of
// many short passes). Lambda's sizes differ by 10 % and the measurement by 2 %. Another CPU's ratio between Go and
// Python can differ by more.
var onVCPU = map[string]time.Duration{"arm64": 820 * time.Microsecond, "x86_64": 915 * time.Microsecond}

// measureSpeed measures for d how many of Lambda's vCPUs of an architecture a core of this machine is worth now: on a
// shared or hot host it can fall by half for minutes. The 10th percentile of the passes counts, since the fastest one
// can be an exception. Under the race detector, which slows only this program, it returns 1.
func measureSpeed(arch string, d time.Duration) float64 {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return 1
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	document := records()
	var took []time.Duration
	for end := time.Now().Add(d); len(took) == 0 || time.Now().Before(end); {
		start := cpuTime(unix.CLOCK_THREAD_CPUTIME_ID)
		pass(document)
		took = append(took, cpuTime(unix.CLOCK_THREAD_CPUTIME_ID)-start)
	}
	slices.Sort(took)
	return onVCPU[arch].Seconds() / took[len(took)/10].Seconds()
}

// records returns 9 KB of JSON, like a document that the function reads.
func records() []byte {
	var b strings.Builder
	for i := range 43 {
		fmt.Fprintf(&b, `,{"id": %d, "name": "record %d of a document", "price": %d.25, "tags": ["first", "second", null], "open": true, "text": %q}`,
			i, i, i*17, strings.Repeat("lorem ipsum ", 8))
	}
	return []byte("[" + b.String()[1:] + "]")
}

// pass copies, hashes and decodes a document 20 times, as a function that reads objects does, in about 0.5 ms.
func pass(document []byte) {
	for range 20 {
		own := bytes.Clone(document)
		runtime.KeepAlive(sha256.Sum256(own)) // so that the compiler keeps it
		d := jsontext.NewDecoder(bytes.NewReader(own))
		for err := error(nil); err == nil; { // until io.EOF
			_, err = d.ReadToken()
		}
	}
}

// cpuTime reads a clock of the CPU time that this process, or this thread, has used.
func cpuTime(clock int32) time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(clock, &ts) // which there is always
	return time.Duration(ts.Nano())
}

// invoke calls the function. failure says why the invocation does not count, "" if it does. Our own function must
// report all reads, failed ones included, and its answer is without slow motion. For any other one reads is 0.
func (t *Tuner) invoke(ctx context.Context, f *lambda.Function, payload []byte, reads int) (inv lambda.Invocation, failure string, err error) {
	if inv, err = f.Invoke(ctx, payload); err != nil {
		return inv, "", err
	}
	t.Verbose.Print(inv.Report(f.MemoryMB))
	var answer event.Answer
	switch {
	case inv.OutOfMemory:
		failure = "out of memory: " + inv.Err.Error()
	case inv.Err != nil:
		failure = inv.Err.Error()
		lines := strings.Split(strings.TrimSpace(string(inv.Log)), "\n")
		if last := lines[len(lines)-1]; inv.Err.Type == "Runtime.ExitError" && last != "" {
			failure += "; its last words: " + last
		}
	case inv.Children:
		failure = "it starts processes of its own, which the local model does not throttle: its figures would be wrong (a shell script can end in exec; or compare on AWS)"
	case !json.Valid(inv.Response):
		failure = fmt.Sprintf("its answer of %d bytes is not JSON: %.80q", len(inv.Response), inv.Response)
	case reads == 0:
	case json.Unmarshal(inv.Response, &answer) != nil:
		failure = fmt.Sprintf("its answer is not that of this project's function: %s", inv.Response)
	case answer.ObjectsRead+answer.Failed != reads:
		failure = fmt.Sprintf("it read %d objects where %d were asked for", answer.ObjectsRead, reads)
		if answer.Stopped != "" {
			failure += ": " + answer.Stopped
		}
	case f.Slow > 1:
		slow, l := float64(f.Slow), &answer.Latency
		for _, figure := range []*float64{&answer.TimeSec, &answer.CPUSec, &answer.ListSec, &l.P50, &l.P95, &l.P99, &l.Max} {
			*figure /= slow
		}
		answer.ObjectsPerSec, answer.BytesPerSec = answer.ObjectsPerSec*slow, answer.BytesPerSec*slow
		inv.Response, _ = json.Marshal(answer)
	}
	return inv, prose.OneLine(failure, 400), nil
}
