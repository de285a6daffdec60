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

// Tuner measures a comparison's cells, one memory size after the other. Close it.
type Tuner struct {
	Options
	dir       string            // a temporary folder for what is built and S3's authority
	paths     map[string]string // of the functions' executables
	s3        *s3.Server
	slow      slowmotion.Factor // of s3
	env       []string
	functions sync.Map  // the *lambda.Function that there are now
	speeds    []float64 // of this machine, one a turn
	perGET    float64   // ms of a core that a GET takes of this process, the local S3's part
}

const bucket = "parallel-io"

// New makes a Tuner, and nothing yet but its temporary folder.
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

// Abandon kills the function's processes and removes the temporary folder, for
// a program that leaves at once. Any goroutine may call it at any time.
func (t *Tuner) Abandon() {
	t.functions.Range(func(f, _ any) bool {
		f.(*lambda.Function).Kill()
		return true
	})
	_ = os.RemoveAll(t.dir) // there is nobody left to tell
}

// start builds each function, once, and starts an S3 with credentials for this run
// alone, and again where it is to have another pace.
func (t *Tuner) start(ctx context.Context, spec comparison.Spec) error {
	for _, v := range spec.Variants {
		function := cmp.Or(v.Function, spec.Function)
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
	if t.s3 != nil && t.slow == spec.Slow {
		t.s3.Seed = spec.Seed
		return nil
	}
	latency, err := profile.Parse(spec.Latency)
	if err != nil {
		return err
	}
	if t.s3 != nil {
		if err := t.s3.Close(); err != nil {
			return err
		}
	}
	if t.s3, err = s3.Start(latency, spec.Seed, spec.Slow, t.Verbose); err != nil {
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
		"BUCKET=" + bucket,
		"AWS_ENDPOINT_URL_S3=" + t.s3.URL,
		"AWS_CA_BUNDLE=" + authority,
		"AWS_ACCESS_KEY_ID=LOCAL" + cryptorand.Text()[:15],
		"AWS_SECRET_ACCESS_KEY=" + cryptorand.Text(),
		"AWS_SESSION_TOKEN=" + cryptorand.Text(),
	}, t.Env...)
	return nil
}

// Tune measures every cell that the variants of c lack, size by size, and at a
// size the variants side by side. It begins with the largest: at small ones a
// round takes longest and the processor, not the variant, says what it takes. A
// cell that fails holds its cause. The first call builds the function, and notes
// in c what that was built with. The error is the model's own, the cause of ctx
// or what observe returned: then the cells that were being measured have the
// rounds that were whole.
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
	pause := time.Duration(c.Run.SleepBetweenRunsMS) * time.Millisecond
	for i, power := range slices.Backward(c.Run.PowerValues) {
		share := time.Until(end) / time.Duration(i+1)
		if err := (&race{Tuner: t, Comparison: c, power: power, tell: tell, order: order, pause: pause, time: share}).run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// function returns an environment of a memory size. Its process starts with the
// first invocation. The caller closes it by retire.
func (t *Tuner) function(run comparison.Run, memoryMB int) (*lambda.Function, error) {
	f, err := lambda.New(lambda.Config{
		Path:     t.paths[run.Function],
		Env:      t.env,
		MemoryMB: memoryMB,
		Arch:     run.Arch,
		Speed:    run.CPU.Factor,
		Slow:     run.Slow,
		Timeout:  run.Timeout(),
		Name:     "parallel-io",
		Region:   run.Region,
		Log:      t.Output,
		Errors:   t.Verbose,
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

// prepare builds the function and notes in c what that was built with, and how
// fast this machine is.
func (t *Tuner) prepare(ctx context.Context, c *comparison.Comparison) error {
	if err := t.start(ctx, c.Run.Spec); err != nil {
		return err
	}
	if c.Run.CPU == nil {
		c.Run.CPU = &comparison.CPU{Factor: 1, Scale: 1, Source: "measured"}
	}
	c.Run.Versions = versions(ctx, t.paths[cmp.Or(c.Variants[0].Function, c.Run.Function)])
	_, err := t.measure(c.Run)
	return err
}

// measure returns how many vCPUs a core of this machine is now, unless that is fixed,
// and notes the median and the spread over all turns.
func (t *Tuner) measure(run comparison.Run) (float64, error) {
	cpu := run.CPU
	if cpu.Scale == 0 {
		return cpu.Factor, nil
	}
	speed, err := lambda.Speed(run.Arch, 25*time.Millisecond)
	if err != nil {
		return 0, err
	}
	speed = comparison.Factor(speed * cpu.Scale)
	t.speeds = append(t.speeds, speed)
	sorted := slices.Sorted(slices.Values(t.speeds))
	n := len(sorted)
	cpu.Low, cpu.Factor, cpu.High = sorted[n/10], sorted[n/2], sorted[n-1-n/10]
	return speed, nil
}

// maxMessage bounds what a cell's error tells of an invocation, in characters.
const maxMessage = 400

// check says why an invocation does not count, "" when it does. This project's
// function must tell of so many reads, failed ones too; of another one that is 0.
func check(inv lambda.Invocation, reads int) string {
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
		text = "it starts processes of its own, which the local model does not hold back: its figures would be wrong (a shell script can end in exec; or compare on AWS)"
	case !json.Valid(inv.Response):
		text = fmt.Sprintf("its answer of %d bytes is not JSON: %.80q", len(inv.Response), inv.Response)
	case reads == 0: // any JSON is a fine answer
	case json.Unmarshal(inv.Response, &answer) != nil:
		text = fmt.Sprintf("its answer is not that of this project's function: %s", inv.Response)
	case answer.ObjectsRead+answer.Failed != reads:
		text = fmt.Sprintf("it read %d objects where %d were asked for", answer.ObjectsRead, reads)
		if answer.Stopped != "" {
			text += ": " + answer.Stopped
		}
	}
	return prose.OneLine(text, maxMessage)
}

// inItsOwnTime returns an answer of this project's function with the times that
// it would have told without slow motion.
func inItsOwnTime(response []byte, slow float64) []byte {
	var a event.Answer
	_ = json.Unmarshal(response, &a) // it has been checked
	for _, t := range []*float64{&a.TimeSec, &a.CPUSec, &a.ListSec, &a.Latency.P50, &a.Latency.P95, &a.Latency.P99, &a.Latency.Max} {
		*t /= slow
	}
	a.ObjectsPerSec *= slow
	a.BytesPerSec *= slow
	response, _ = json.Marshal(a)
	return response
}
