package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"lambda-parallel-io/handler/platform"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/profile"
)

// likeness is what answers of the function on Lambda tell of that Lambda: each
// of them one thing, by what held it up. Nil where none tells it.
type likeness struct {
	speed   *event.Answer // held up by the processor
	latency *event.Answer // held up by S3, with few reads at once
	silent  error         // why the others tell nothing
}

// What an answer must be to tell something.
const (
	minLikeReads = 500 // the median of fewer lognormal latencies is more than 7 % off too often
	busyShare    = 0.8 // of the processor time that the size buys: held up by it
	idleShare    = 0.6 // at most, for a latency that is S3's
	fewAtOnce    = 2
)

// readLikeness reads the answers in a file, as aws lambda invoke has written
// them, one or several, and takes those that tell something.
func readLikeness(file string, spec comparison.Spec) (l likeness, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("--like %s: %w%s", file, err, remedy(spec))
		}
	}()
	f, err := os.Open(file)
	if err != nil {
		return l, err
	}
	defer f.Close()
	for dec, n := json.NewDecoder(f), 1; ; n++ {
		var raw json.RawMessage
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return l, fmt.Errorf("answer %d: %w", n, err)
		}
		var a event.Answer
		if json.Unmarshal(raw, &a) != nil || a.ObjectsRead == 0 || a.MemoryMB == 0 {
			return l, fmt.Errorf("answer %d is not one of this project's function, or of an older build that does not say memory_mb: %.80s", n, raw)
		}
		if problem := l.take(a, spec); problem != nil {
			l.silent = errors.Join(l.silent, fmt.Errorf("answer %d %w", n, problem))
		}
	}
	if l.speed == nil && l.latency == nil {
		return l, cmp.Or(l.silent, errors.New("there is no answer in it"))
	}
	return l, nil
}

func (l *likeness) take(a event.Answer, spec comparison.Spec) error {
	share := a.CPUSec / a.TimeSec / (float64(a.MemoryMB) / platform.MemoryPerVCPU)
	switch size := int(a.BytesRead) / a.ObjectsRead; {
	case a.Architecture != spec.Arch:
		return fmt.Errorf("is of %s: compare with --arch %s", a.Architecture, a.Architecture)
	case size != spec.ObjectBytes:
		return fmt.Errorf("read objects of %d bytes, and --object has %d: name the same file", size, spec.ObjectBytes)
	case a.ObjectsRead < minLikeReads:
		return fmt.Errorf("has %d reads: it must be %d or more", a.ObjectsRead, minLikeReads)
	case a.Retries > 0:
		return fmt.Errorf("has %d retries: what held it up is not known", a.Retries)
	case share > busyShare:
		l.speed = &a
	case share < idleShare && a.PeakInFlight <= fewAtOnce:
		l.latency = &a
	default:
		return fmt.Errorf("used %.0f %% of its processor time with %d reads at once: neither the processor nor S3 alone held it up",
			100*share, a.PeakInFlight)
	}
	return nil
}

func remedy(spec comparison.Spec) string {
	return fmt.Sprintf(`
invoke the function twice with each of these payloads, and put the second answers into the file:
  at 512 MB    {"strategy": "pool", "concurrency": 64, "repeat": 2000, "objectKey": %q}
  at 1,769 MB  {"strategy": "sequential", "repeat": 1000, "objectKey": %q}`, spec.ObjectKey, spec.ObjectKey)
}

// again measures an answer's call num times on this machine: the payload and the
// size that it tells of, under that latency and the factor of c, which it notes
// there. The second result is the last answer.
func again(ctx context.Context, s *session, o local.Options, c *comparison.Comparison, a *event.Answer, latency string, num int) (cell *comparison.Cell, answer event.Answer, err error) {
	spec := c.Run.Spec
	spec.PowerValues, spec.Num, spec.Repeat, spec.Latency = []int{a.MemoryMB}, num, a.ObjectsRead, latency
	p := payload{repeat: &a.ObjectsRead, key: spec.ObjectKey, ours: true}
	if spec.Variants, err = p.variants([]string{a.Strategy}, []*int{a.Concurrency}); err != nil {
		return nil, answer, err
	}
	once := comparison.New(spec, time.Now())
	once.Run.CPUs, once.Run.CPU = c.Run.CPUs, c.Run.CPU
	t, err := newTuner(s, o)
	if err == nil {
		err = errors.Join(t.Tune(ctx, once, func(comparison.Progress) error { return nil }), t.Close())
	}
	if err != nil {
		return nil, answer, err
	}
	c.Run.CPU = once.Run.CPU
	cell = &once.Variants[0].Cells[0]
	if cell.Error != "" {
		return nil, answer, fmt.Errorf("the same call here: %s", cell.Error)
	}
	return cell, answer, json.Unmarshal(cell.Response, &answer)
}

// liken makes the model of c like the Lambda of the answers.
func (l likeness) liken(ctx context.Context, s *session, o local.Options, c *comparison.Comparison, file string) error {
	told := func(format string, args ...any) {
		c.Run.Like = append(c.Run.Like, fmt.Sprintf(format, args...))
		fmt.Fprintf(s.stderr, "--like %s: %s\n", file, c.Run.Like[len(c.Run.Like)-1])
	}
	if l.silent != nil {
		fmt.Fprintf(s.stderr, "--like %s: nothing was taken of the others: %v\n", file, l.silent)
	}
	if a := l.latency; a != nil {
		// What a read takes here beyond the model's latency is not S3's there
		// either: first beside a fixed latency, then beside what that gave.
		latency, own := profile.Lognormal(time.Duration(a.Latency.P50*float64(time.Millisecond)), 0), 0.0
		for range 2 {
			_, here, err := again(ctx, s, o, c, a, latency.String(), 1)
			if err != nil {
				return err
			}
			own = here.Latency.P50 - latency.Median().Seconds()*1e3
			median := a.Latency.P50 - own
			// 1.645 and 2.326: the 95th and the 99th percentile of a normal distribution.
			sigma := (math.Log((a.Latency.P95-own)/median)/1.645 + math.Log((a.Latency.P99-own)/median)/2.326) / 2
			if !(median > 0 && sigma >= 0 && sigma <= profile.MaxSigma) {
				return fmt.Errorf("--like %s: a read takes %.1f ms there, and %.1f ms beside S3 here: this machine is too busy to tell S3's latency",
					file, a.Latency.P50, own)
			}
			latency = profile.Lognormal(time.Duration(median*float64(time.Millisecond)), sigma)
		}
		c.Run.Latency, c.Run.LatencyMeanMS = latency.String(), float64(latency.Mean().Microseconds())/1e3
		told("S3's latency is %s, from %s at %d MB: p50 %.1f ms, p95 %.1f, p99 %.1f, of which %.1f ms are the read's own",
			latency, a.Strategy, a.MemoryMB, a.Latency.P50, a.Latency.P95, a.Latency.P99, own)
	}
	if a := l.speed; a != nil {
		var ms float64
		var cpu comparison.CPU
		for range 3 { // a call that waits for S3 too follows the speed less than in proportion
			cell, _, err := again(ctx, s, o, c, a, c.Run.Latency, 2)
			if err != nil {
				return err
			}
			ms, cpu = comparison.Median(cell.DurationsMS), *c.Run.CPU
			ratio := 1e3 * a.TimeSec / ms
			c.Run.CPU = &comparison.CPU{Factor: comparison.Factor(cpu.Factor * ratio), Scale: comparison.Factor(cpu.Scale * ratio), Source: "--like " + file}
			if math.Abs(ratio-1) < 0.02 {
				break
			}
		}
		told("a core is %.2f vCPUs, %g times what is measured, from %s at %d MB: %.0f ms there, %.0f ms here at %.2f",
			c.Run.CPU.Factor, c.Run.CPU.Scale, a.Strategy, a.MemoryMB, 1e3*a.TimeSec, ms, cpu.Factor)
	}
	return nil
}
