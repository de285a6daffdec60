package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local/lambda"
	"lambda-parallel-io/tune/local/s3"
	"lambda-parallel-io/tune/powertuning"
)

// Tuner measures a comparison's cells one after the other. Close it.
type Tuner struct {
	cfg  Config
	path string // of the function's executable
	s3   *s3.Server
	env  []string
}

// bucket is the name of the one that holds the object.
const bucket = "parallel-io"

// New builds the function and starts S3.
func New(ctx context.Context, cfg Config) (*Tuner, error) {
	object, err := os.ReadFile(cfg.Object)
	if err != nil {
		return nil, fmt.Errorf("reading the object for the local S3: %w", err)
	}
	path, err := executable(ctx, cfg.Function, cfg.Dir)
	if err != nil {
		return nil, err
	}
	quiet := log.New(io.Discard, "", 0)
	if cfg.Verbose != nil {
		quiet = cfg.Verbose
	}
	server, err := s3.Start(cfg.Latency, cfg.Seed, quiet)
	if err != nil {
		return nil, err
	}
	t := &Tuner{cfg: cfg, path: path, s3: server}
	if err := t.prepare(object); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return t, nil
}

// prepare fills the bucket, and gives the function its way there, with
// credentials made for this run.
func (t *Tuner) prepare(object []byte) error {
	if err := t.s3.CreateBucket(bucket); err != nil {
		return err
	}
	if err := t.s3.Put(bucket, t.cfg.Key, object); err != nil {
		return err
	}
	ca := authority(t.cfg.Dir)
	if err := os.WriteFile(ca, t.s3.CA(), 0o600); err != nil {
		return fmt.Errorf("writing the local S3's certificate: %w", err)
	}
	t.env = append([]string{
		"BUCKET=" + bucket,
		"AWS_ENDPOINT_URL_S3=" + t.s3.URL(),
		caVariable + ca,
		"AWS_ACCESS_KEY_ID=LOCAL" + rand.Text()[:15],
		"AWS_SECRET_ACCESS_KEY=" + rand.Text(),
		"AWS_SESSION_TOKEN=" + rand.Text(),
	}, t.cfg.Env...)
	return nil
}

// caVariable tells the function which authority to trust, and this program
// which processes are the function's.
const caVariable = "AWS_CA_BUNDLE="

func authority(dir string) string { return filepath.Join(dir, "s3-authority.pem") }

// Abandon kills the processes of the function of a Tuner with that Config.Dir,
// for a program that leaves at once.
func Abandon(dir string) { lambda.KillMarked(caVariable + authority(dir)) }

// Close ends S3.
func (t *Tuner) Close() error { return t.s3.Close() }

// Versions returns what the function was built with.
func (t *Tuner) Versions() map[string]string { return versions(t.path) }

// Tune measures every cell that the variants of c lack, size by size, so that
// the variants of one size are measured close to each other in time. A cell
// that fails holds its cause. The error is the model's own, the cause of ctx
// or what observe returned: then the cell that was being measured is missing.
func (t *Tuner) Tune(ctx context.Context, c *comparison.Comparison, observe func(comparison.Progress) error) error {
	p := comparison.Progress{Total: len(c.Variants) * len(c.Run.PowerValues)}
	for i := range c.Variants {
		p.Done += len(c.Variants[i].Cells)
	}
	for _, power := range c.Run.PowerValues {
		for i := range c.Variants {
			v := &c.Variants[i]
			if v.Cell(power) != nil {
				continue
			}
			p.Now, p.Finished, p.Changed = fmt.Sprintf("%s at %d MB", v.Label(), power), "", false
			if err := observe(p); err != nil {
				return err
			}
			cell, err := t.measure(ctx, c.Run, v, power)
			if err != nil {
				return err
			}
			v.Cells = append(v.Cells, cell)
			if v.Tuning, err = t.analyze(c.Run, v); err != nil {
				return err
			}
			p.Done++
			p.Finished, p.Changed = outcome(p.Now, cell), true
			if err := observe(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// outcome tells of a finished cell in a line.
func outcome(name string, cell comparison.Cell) string {
	if cell.Error != "" {
		return name + ": " + cell.Error
	}
	return fmt.Sprintf("%s: median %.1f ms", name, comparison.Median(cell.DurationsMS))
}

// analyze is what Power Tuning would have answered for the variant so far,
// nil when no cell has succeeded.
func (t *Tuner) analyze(run comparison.Run, v *comparison.Result) (*powertuning.Output, error) {
	var runs []powertuning.Measured
	for _, cell := range v.Cells {
		m := powertuning.Measured{Value: cell.Power}
		if cell.Error == "" {
			m.DurationsMS, m.BilledMS = cell.DurationsMS, cell.BilledMS
		}
		runs = append(runs, m)
	}
	out, err := powertuning.Analyze(t.cfg.Goal, run.Region, run.Arch, runs)
	if errors.Is(err, powertuning.ErrNoDurations) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, stat := range out.Stats {
		cell := v.Cell(stat.Value)
		cell.AverageMS, cell.AverageCost = stat.AverageDuration, stat.AveragePrice
	}
	return &out, nil
}

// pause sleeps between two invocations.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
