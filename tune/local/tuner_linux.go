package local

import (
	"bytes"
	"cmp"
	"context"
	cryptorand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local/lambda"
	"lambda-parallel-io/tune/local/s3"
	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/slowmotion"
)

// Tuner measures the cells of a comparison on this machine. Close it after use.
type Tuner struct {
	Options
	dir       string            // temporary: holds executables and the local S3's certificate
	paths     map[string]string // executables by function
	latency   profile.S3
	s3        *s3.Server
	slow      slowmotion.Factor // of s3
	env       []string
	functions sync.Map  // its keys are the open *lambda.Function
	measured  []float64 // vCPUs per core, one per measurement
	speeds    []float64 // likewise, as they were used
	perGET    float64   // CPU time that this process, mostly the local S3, uses per GET, in ms
}

const bucket = "parallel-io"

// New makes a Tuner and its temporary folder.
func New(o Options) (*Tuner, error) {
	dir, err := os.MkdirTemp("", "tune-")
	if err != nil {
		return nil, fmt.Errorf("a folder for the function's executable: %w", err)
	}
	o.Verbose = cmp.Or(o.Verbose, log.New(io.Discard, "", 0))
	return &Tuner{Options: o, dir: dir, paths: map[string]string{}}, nil
}

func (t *Tuner) Close() error {
	err := os.RemoveAll(t.dir)
	if t.s3 != nil {
		err = errors.Join(err, t.s3.Close())
	}
	return err
}

// Abandon kills the function's processes and removes the temporary folder, for a
// program that exits at once. It is safe to call at any time from any goroutine.
func (t *Tuner) Abandon() {
	t.functions.Range(func(f, _ any) bool {
		f.(*lambda.Function).Kill()
		return true
	})
	_ = os.RemoveAll(t.dir) // nobody is left to be told
}

// prepare builds each function once, starts the local S3, and records in c what the
// function was built with and how fast this machine is.
func (t *Tuner) prepare(ctx context.Context, c *comparison.Comparison) error {
	for _, v := range c.Variants {
		function := cmp.Or(v.Function, c.Run.Function)
		if t.paths[function] != "" {
			continue
		}
		dir, err := os.MkdirTemp(t.dir, "function-")
		if err == nil {
			t.paths[function], err = executable(ctx, function, dir)
		}
		if err != nil {
			return err
		}
	}
	if err := t.serve(c.Run.Spec); err != nil {
		return err
	}
	c.Run.CPU = cmp.Or(c.Run.CPU, &comparison.CPU{Factor: 1, Scale: 1, Source: "measured"})
	c.Run.Versions = versions(ctx, t.paths[cmp.Or(c.Variants[0].Function, c.Run.Function)])
	for range max(1, latest-len(t.measured)) {
		t.coreSpeed(c.Run)
	}
	return nil
}

// serve starts an S3 with credentials for this run only. It replaces one that runs
// at another slow-motion factor.
func (t *Tuner) serve(spec comparison.Spec) (err error) {
	if t.s3 != nil && t.slow == spec.Slow {
		t.s3.Seed = spec.Seed
		return nil
	}
	if t.latency, err = profile.Parse(spec.Latency); err != nil {
		return err
	}
	if t.s3 != nil {
		if err := t.s3.Close(); err != nil {
			return err
		}
	}
	if t.s3, err = s3.Start(t.latency, spec.Seed, spec.Slow, t.Verbose); err != nil {
		return err
	}
	t.slow = spec.Slow
	for _, o := range t.Objects {
		body, err := o.Body()
		if err != nil {
			return fmt.Errorf("reading %s for the local S3: %w", o.Key, err)
		}
		if err := t.s3.Put(bucket, o.Key, body); err != nil {
			return err
		}
	}
	authority := filepath.Join(t.dir, "s3-authority.pem")
	if err := os.WriteFile(authority, t.s3.CA, 0o600); err != nil {
		return fmt.Errorf("writing the local S3's certificate: %w", err)
	}
	t.env = append([]string{
		"BUCKET=" + bucket, "AWS_ENDPOINT_URL_S3=" + t.s3.URL, "AWS_CA_BUNDLE=" + authority,
		"AWS_ACCESS_KEY_ID=LOCAL" + cryptorand.Text()[:15],
		"AWS_SECRET_ACCESS_KEY=" + cryptorand.Text(), "AWS_SESSION_TOKEN=" + cryptorand.Text(),
	}, t.Env...)
	return nil
}

// Tune measures every cell that the variants of c lack, by memory size. It begins
// with the largest size: its rounds are the shortest and depend most on the variant.
// A cell that fails holds its cause. The first call builds the function. The error
// is the model's own, the cause of ctx or that of observe. Cells being measured then
// keep the rounds that were complete.
func (t *Tuner) Tune(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	if err := t.prepare(ctx, c); err != nil {
		return err
	}
	p := comparison.Progress{Total: len(c.Variants) * len(c.Run.PowerValues)}
	p.Done, _ = c.Measured()
	tell := func(now string, done *racer) error {
		p.Now, p.Finished, p.Changed = cmp.Or(now, p.Now), "", done != nil
		if done != nil {
			p.Done++
			ms := done.cell.DurationsMS
			how := cmp.Or(done.cell.Error, fmt.Sprintf("median %.1f ms of %d", comparison.Median(ms), len(ms)))
			p.Finished = fmt.Sprintf("%s at %d MB: %s", done.Label(), done.cell.Power, how)
		}
		return observe(p)
	}
	order := rand.New(rand.NewPCG(c.Run.Seed, 0))
	end := time.Now().Add(time.Duration(c.Run.ForSec * float64(time.Second)))
	for i, power := range slices.Backward(c.Run.PowerValues) {
		r := race{t: t, c: c, power: power, tell: tell, order: order, share: time.Until(end) / time.Duration(i+1)}
		if err := r.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// function returns an environment of a memory size. The caller ends it by retire.
func (t *Tuner) function(run comparison.Run, memoryMB int) (*lambda.Function, error) {
	f, err := lambda.New(lambda.Config{
		Path: t.paths[run.Function], Env: t.env, Name: "parallel-io", Region: run.Region,
		MemoryMB: memoryMB, Arch: run.Arch, Speed: run.CPU.Factor, Slow: run.Slow, Timeout: run.Timeout(),
		Log: t.Output, Errors: t.Verbose,
	})
	if err == nil {
		t.functions.Store(f, nil)
	}
	return f, err
}

func (t *Tuner) retire(f *lambda.Function) error {
	defer t.functions.Delete(f)
	return f.Close()
}

// latest is how many measurements give the speed. A single one scatters more than the
// machine's speed moves from turn to turn, and the speed sets a turn's quota.
const latest = 25

// coreSpeed returns how many vCPUs a core of this machine is worth. Unless that is
// fixed, it measures it, takes the median of the latest measurements, and records the
// median and the spread of what it has returned so far.
func (t *Tuner) coreSpeed(run comparison.Run) float64 {
	cpu := run.CPU
	if cpu.Scale == 0 {
		return cpu.Factor
	}
	t.measured = append(t.measured, cpu.Scale*lambda.Speed(run.Arch, 25*time.Millisecond))
	speed := comparison.Factor(comparison.Median(t.measured[max(0, len(t.measured)-latest):]))
	t.speeds = append(t.speeds, speed)
	sorted := slices.Sorted(slices.Values(t.speeds))
	n := len(sorted)
	cpu.Low, cpu.Factor, cpu.High = sorted[n/10], sorted[n/2], sorted[n-1-n/10]
	return speed
}

// invalid says why an invocation does not count, "" if it does. Our own function must
// report all reads, failed ones included. For any other function reads is 0.
func invalid(inv lambda.Invocation, reads int) string {
	var text string
	var answer event.Answer
	switch {
	case inv.OutOfMemory:
		text = "out of memory: " + inv.Err.Error()
	case inv.Err != nil:
		text = inv.Err.Error()
		if lines := bytes.Split(bytes.TrimSpace(inv.Log), []byte("\n")); inv.Err.Type == "Runtime.ExitError" && len(lines[0]) > 0 {
			text += "; its last words: " + string(lines[len(lines)-1])
		}
	case inv.Children:
		text = "it starts processes of its own, which the local model does not throttle: its figures would be wrong (a shell script can end in exec; or compare on AWS)"
	case !json.Valid(inv.Response):
		text = fmt.Sprintf("its answer of %d bytes is not JSON: %.80q", len(inv.Response), inv.Response)
	case reads == 0:
	case json.Unmarshal(inv.Response, &answer) != nil:
		text = fmt.Sprintf("its answer is not that of this project's function: %s", inv.Response)
	case answer.ObjectsRead+answer.Failed != reads:
		text = fmt.Sprintf("it read %d objects where %d were asked for", answer.ObjectsRead, reads)
		if answer.Stopped != "" {
			text += ": " + answer.Stopped
		}
	}
	return prose.OneLine(text, 400)
}

// withoutSlowMotion divides the times in an answer of our own function by the
// slow-motion factor.
func withoutSlowMotion(response []byte, slow float64) []byte {
	var a event.Answer
	_ = json.Unmarshal(response, &a) // invalid has decoded it before
	for _, t := range []*float64{&a.TimeSec, &a.CPUSec, &a.ListSec, &a.Latency.P50, &a.Latency.P95, &a.Latency.P99, &a.Latency.Max} {
		*t /= slow
	}
	a.ObjectsPerSec, a.BytesPerSec = a.ObjectsPerSec*slow, a.BytesPerSec*slow
	response, _ = json.Marshal(a)
	return response
}
