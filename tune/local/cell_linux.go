package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local/lambda"
	"lambda-parallel-io/tune/prose"
)

// measure runs a cell: in a process of its own a warm-up, which takes the cold
// start, and then the invocations that count. It ends at the first failure.
func (t *Tuner) measure(ctx context.Context, run comparison.Run, v *comparison.Result, power int) (cell comparison.Cell, err error) {
	f, err := lambda.New(lambda.Config{
		Path:     t.path,
		Env:      t.env,
		MemoryMB: power,
		Timeout:  t.cfg.Timeout,
		Name:     "parallel-io",
		Region:   run.Region,
		Log:      t.cfg.Output,
		Errors:   t.cfg.Verbose,
	})
	if err != nil {
		return cell, err
	}
	m := startMeter(t)
	defer func() {
		err = errors.Join(err, f.Close())
		m.tell(v, cell, f.Control())
	}()

	share := comparison.CPUShare{Target: lambda.VCPUs(power)}
	cell = comparison.Cell{Power: power, Capped: share.Target > float64(run.CPUs)}
	var total, cpu, delay time.Duration
	for k := range run.Num + 1 { // 0 is the warm-up
		if err := pause(ctx, min(1, time.Duration(k))*t.cfg.Sleep); err != nil {
			return cell, err
		}
		t.s3.Begin(k)
		inv, err := f.Invoke(ctx, v.Payload)
		if err != nil {
			return cell, err
		}
		m.cpu += inv.CPU
		if t.cfg.Verbose != nil {
			t.cfg.Verbose.Print(inv.Report(power))
		}
		if failure := t.check(inv, v.Payload); failure != "" {
			return comparison.Cell{
				Power:       power,
				Capped:      cell.Capped,
				MaxMemoryMB: inv.MaxMemoryMB,
				Error:       fmt.Sprintf("invocation %d of %d: %s", k+1, run.Num+1, failure),
			}, nil
		}
		ms := lambda.Milliseconds(inv.Duration)
		cell.MaxMemoryMB = max(cell.MaxMemoryMB, inv.MaxMemoryMB)
		if k == 0 {
			cell.InitMS = lambda.Milliseconds(inv.Init)
			cell.WarmUp = &comparison.WarmUp{DurationMS: ms, BilledMS: inv.BilledMS}
			continue
		}
		cell.DurationsMS = append(cell.DurationsMS, ms)
		cell.BilledMS = append(cell.BilledMS, inv.BilledMS)
		cell.Response = inv.Response
		total, cpu, delay = total+inv.Duration, cpu+inv.CPU, delay+inv.RunDelay
	}
	share.Used = cpu.Seconds() / total.Seconds()
	share.Starved = delay.Seconds() / total.Seconds()
	cell.CPUShare = &share
	return cell, nil
}

// maxMessage bounds a cell's error, in runes.
const maxMessage = 400

// check says in a sentence why an invocation does not count; empty when it
// does.
func (t *Tuner) check(inv lambda.Invocation, payload []byte) string {
	switch {
	case inv.OutOfMemory:
		return "out of memory: " + inv.Err.Error()
	case inv.Err != nil:
		text := inv.Err.Error()
		if line := lastLine(inv.Log); line != "" && inv.Err.Type == "Runtime.ExitError" {
			text += "; its last words: " + line
		}
		return prose.OneLine(text, maxMessage)
	case inv.Children:
		return "it starts processes of its own, which the local model does not hold back: its figures would be wrong (a shell script can end in exec; or compare on AWS)"
	case !json.Valid(inv.Response):
		return prose.OneLine(fmt.Sprintf("its answer of %d bytes is not JSON: %.80q", len(inv.Response), inv.Response), maxMessage)
	case !t.cfg.Ours:
		return ""
	}
	var answer event.Answer
	asked, err := event.Decode(payload, event.DefaultConcurrency)
	if err = errors.Join(err, json.Unmarshal(inv.Response, &answer)); err != nil {
		return prose.OneLine(fmt.Sprintf("its answer is not that of this project's function: %v", err), maxMessage)
	}
	if answer.ObjectsRead != asked.Repeat {
		return fmt.Sprintf("it read %d objects where %d were asked for", answer.ObjectsRead, asked.Repeat)
	}
	return ""
}

// lastLine returns the last line that a log has.
func lastLine(log []byte) string {
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	return string(lines[len(lines)-1])
}

// meter tells what a cell has cost the model itself.
type meter struct {
	t     *Tuner
	start time.Time
	own   time.Duration // processor time of this process at the start
	reads int64         // of S3 at the start
	cpu   time.Duration // of the function's invocations
}

func startMeter(t *Tuner) *meter {
	reads, _ := t.s3.Counters()
	return &meter{t: t, start: time.Now(), own: ownTime(), reads: reads}
}

// tell prints processor time a read, of the function and of S3 with the
// Runtime API, and the share of a core that the throttle has taken.
func (m *meter) tell(v *comparison.Result, cell comparison.Cell, control time.Duration) {
	reads, slowDowns := m.t.s3.Counters()
	if reads -= m.reads; m.t.cfg.Verbose == nil || reads == 0 {
		return
	}
	a := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(reads) }
	m.t.cfg.Verbose.Printf("%s at %d MB: CPU a read: function %.0f us, S3 %.0f us; throttle %.1f %% of a core; %d reads, %d SlowDown since the start",
		v.Label(), cell.Power, a(m.cpu), a(ownTime()-m.own-control), 100*control.Seconds()/time.Since(m.start).Seconds(), reads, slowDowns)
}

// ownTime returns the processor time of this process so far.
func ownTime() time.Duration {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}
