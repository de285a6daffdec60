package local

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local/lambda"
	"lambda-parallel-io/tune/local/s3"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/prose"
)

// Tuner measures a comparison's cells one after the other. Close it.
type Tuner struct {
	Options
	dir      string // a temporary folder for the function's executable and S3's authority
	path     string // of the function's executable
	s3       *s3.Server
	env      []string
	function atomic.Pointer[lambda.Function] // the last one
}

// bucket is the name of the one that holds the objects.
const bucket = "parallel-io"

// New makes a Tuner, and nothing yet but its temporary folder.
func New(o Options) (*Tuner, error) {
	dir, err := os.MkdirTemp("", "tune-")
	if err != nil {
		return nil, fmt.Errorf("a folder for the function's executable: %w", err)
	}
	o.Verbose = cmp.Or(o.Verbose, log.New(io.Discard, "", 0))
	return &Tuner{Options: o, dir: dir}, nil
}

// Close ends S3 and removes the temporary folder.
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
	if f := t.function.Load(); f != nil {
		f.Kill()
	}
	_ = os.RemoveAll(t.dir) // there is nobody left to tell
}

// start builds the function, and starts an S3 that holds the objects. The
// function gets its way there, with credentials made for this run.
func (t *Tuner) start(ctx context.Context, spec comparison.Spec) error {
	latency, err := s3.ParseLatency(spec.Latency)
	if err != nil {
		return err
	}
	if t.path, err = executable(ctx, spec.Function, t.dir); err != nil {
		return err
	}
	if t.s3, err = s3.Start(latency, spec.Seed, t.Verbose); err != nil {
		return err
	}
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
	if err := os.WriteFile(authority, t.s3.CA(), 0o600); err != nil {
		return fmt.Errorf("writing the local S3's certificate: %w", err)
	}
	t.env = append([]string{
		"BUCKET=" + bucket,
		"AWS_ENDPOINT_URL_S3=" + t.s3.URL(),
		"AWS_CA_BUNDLE=" + authority,
		"AWS_ACCESS_KEY_ID=LOCAL" + rand.Text()[:15],
		"AWS_SECRET_ACCESS_KEY=" + rand.Text(),
		"AWS_SESSION_TOKEN=" + rand.Text(),
	}, t.Env...)
	return nil
}

// Tune measures every cell that the variants of c lack, size by size, so that
// the variants of one size are measured close to each other in time. A cell
// that fails holds its cause. The first call builds the function; it notes in
// c what that was built with. The error is the model's own, the cause of ctx or
// what observe returned: then the cell that was being measured is missing.
func (t *Tuner) Tune(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	if t.s3 == nil {
		if err := t.start(ctx, c.Run.Spec); err != nil {
			return err
		}
	}
	c.Run.Versions = versions(t.path)
	p := comparison.Progress{Total: len(c.Variants) * len(c.Run.PowerValues)}
	p.Done, _ = c.Measured()
	for _, power := range c.Run.PowerValues {
		for i := range c.Variants {
			r := &c.Variants[i]
			if r.Cell(power) != nil {
				continue
			}
			p.Now, p.Finished, p.Changed = fmt.Sprintf("%s at %d MB", r.Label(), power), "", false
			if err := observe(p); err != nil {
				return err
			}
			cell, err := t.measure(ctx, &c.Run, r.Variant, power)
			if err != nil {
				return err
			}
			r.Cells = append(r.Cells, cell)
			if r.Tuning, err = analyze(&c.Run, r); err != nil {
				return err
			}
			p.Done++
			p.Finished, p.Changed = p.Now+": "+cmp.Or(cell.Error, fmt.Sprintf("median %.1f ms", comparison.Median(cell.DurationsMS))), true
			if err := observe(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure runs a cell: in a process of its own a warm-up, which takes the cold
// start, and then the invocations that count. It ends at the first failure.
func (t *Tuner) measure(ctx context.Context, run *comparison.Run, v comparison.Variant, power int) (cell comparison.Cell, err error) {
	f, err := lambda.New(lambda.Config{
		Path:     t.path,
		Env:      t.env,
		MemoryMB: power,
		Timeout:  run.Timeout(),
		Name:     "parallel-io",
		Region:   run.Region,
		Log:      t.Output,
		Errors:   t.Verbose,
	})
	if err != nil {
		return cell, err
	}
	t.function.Store(f)
	share := comparison.CPUShare{Target: lambda.VCPUs(power)}
	cell = comparison.Cell{Power: power, Capped: share.Target > float64(run.CPUs)}
	var total, cpu, delay, spent time.Duration
	start, own := time.Now(), ownTime()
	before, _ := t.s3.Counters()
	defer func() {
		err = errors.Join(err, f.Close())
		reads, slowDowns := t.s3.Counters()
		if reads -= before; reads > 0 {
			a := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(reads) }
			t.Verbose.Printf("%s at %d MB: CPU a read: function %.0f us, S3 %.0f us; throttle %.1f %% of a core; %d reads, %d SlowDown since the start",
				v.Label(), power, a(spent), a(ownTime()-own-f.Control()), 100*f.Control().Seconds()/time.Since(start).Seconds(), reads, slowDowns)
		}
	}()
	for k := range run.Num + 1 { // 0 is the warm-up
		if k > 0 {
			select {
			case <-time.After(time.Duration(run.SleepBetweenRunsMS) * time.Millisecond):
			case <-ctx.Done():
				return cell, context.Cause(ctx)
			}
		}
		t.s3.Begin(k)
		inv, err := f.Invoke(ctx, v.Payload)
		if err != nil {
			return cell, err
		}
		spent += inv.CPU
		t.Verbose.Print(inv.Report(power))
		cell.MaxMemoryMB = max(cell.MaxMemoryMB, inv.MaxMemoryMB)
		if failure := check(inv, run.Repeat); failure != "" {
			return comparison.Cell{
				Power:       power,
				Capped:      cell.Capped,
				MaxMemoryMB: inv.MaxMemoryMB,
				OutOfMemory: inv.OutOfMemory,
				Error:       fmt.Sprintf("invocation %d of %d: %s", k+1, run.Num+1, failure),
			}, nil
		}
		ms := lambda.Milliseconds(inv.Duration)
		if k == 0 {
			cell.InitMS = lambda.Milliseconds(inv.Init)
			cell.WarmUp = &comparison.WarmUp{DurationMS: ms, BilledMS: inv.BilledMS}
			continue
		}
		cell.DurationsMS = append(cell.DurationsMS, ms)
		cell.BilledMS = append(cell.BilledMS, inv.BilledMS)
		if cell.Response = inv.Response; len(inv.Response) > comparison.MaxResponse {
			cell.Response = nil
		}
		total, cpu, delay = total+inv.Duration, cpu+inv.CPU, delay+inv.RunDelay
	}
	share.Used = cpu.Seconds() / total.Seconds()
	share.Starved = delay.Seconds() / total.Seconds()
	cell.CPUShare = &share
	return cell, nil
}

// maxMessage bounds what a cell's error tells of an invocation, in characters.
const maxMessage = 400

// check says why an invocation does not count, "" when it does. This project's
// function must have done as many reads, or tell of those that failed; of another one that
// is 0.
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

// analyze is what Power Tuning would have answered for the variant so far,
// nil when no cell has succeeded.
func analyze(run *comparison.Run, r *comparison.Result) (*powertuning.Output, error) {
	var measured []powertuning.Measured
	for _, cell := range r.Cells { // a cell that failed has no durations
		measured = append(measured, powertuning.Measured{Value: cell.Power, DurationsMS: cell.DurationsMS, BilledMS: cell.BilledMS})
	}
	out, err := powertuning.Analyze(run.Goal(), run.Region, run.Arch, measured)
	if errors.Is(err, powertuning.ErrNoDurations) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, stat := range out.Stats {
		cell := r.Cell(stat.Value)
		cell.AverageMS, cell.AverageCost = stat.AverageDuration, stat.AveragePrice
	}
	return &out, nil
}

// ownTime returns the processor time of this process so far.
func ownTime() time.Duration {
	var ru unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &ru) // fails for wrong arguments alone
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}
