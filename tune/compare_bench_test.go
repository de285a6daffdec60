//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"lambda-parallel-io/tune/builds"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local"
)

// BenchmarkCompare makes the runs of the table in docs/compare.md: as many as
// -benchtime says (20x), each with other latencies, 60 s at most and at 512 MB.
//
//	go test ./tune -run '^$' -bench Compare -benchtime 20x -timeout 3h
//
// It tells in how many of them the figure was found.
func BenchmarkCompare(b *testing.B) {
	old := overlaid(b, "", "")
	for _, bench := range []struct {
		name, code, further string // what each read does, and what else there is in the package
		found               func(*builds.Result) bool
	}{
		{"itself", "", "", func(r *builds.Result) bool {
			return r.Verdict != builds.Differs && !either(r, builds.Slower, builds.Faster)
		}},
		{"cpu", "burn()", burns, func(r *builds.Result) bool { return is(r, "cpu_per_read", builds.Slower) }},
		{"memory", "", holds, func(r *builds.Result) bool { return is(r, "memory", builds.Slower) }},
		{"request", "again(ctx, b, p)", asksAgain, func(r *builds.Result) bool { return r.Verdict == builds.Differs }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			build, found, env := old, 0, []string{}
			if bench.name != "itself" {
				build = overlaid(b, bench.code, bench.further)
				env = amounts(b, old)
			}
			for i := 0; b.Loop(); i++ {
				r := compared(b, old, build, env, builds.Result{Tolerance: 0.1, FailOn: []string{"duration"}}, time.Minute, 30)
				if bench.found(r) {
					found++
				}
				line, pairs := "", 0
				for _, c := range r.Cells {
					pairs = len(c.Pairs)
					line += fmt.Sprintf(" %s %.2f [%.2f, %.2f] %s;", c.Figure, c.Ratio, c.Low, c.High, c.Verdict)
				}
				b.Logf("%s %d: found %t, %s, %.0f s, %d pairs %q:%s", bench.name, i, bench.found(r), r.Verdict, r.Seconds, pairs, r.Differences, line)
			}
			b.ReportMetric(float64(found), "found")
		})
	}
}

func is(r *builds.Result, figure string, v builds.Verdict) bool {
	for _, c := range r.Cells {
		if c.Figure == figure {
			return c.Verdict == v
		}
	}
	return false
}

func either(r *builds.Result, verdicts ...builds.Verdict) bool {
	for _, v := range verdicts {
		for _, figure := range builds.Figures {
			if is(r, figure, v) {
				return true
			}
		}
	}
	return false
}

func compared(b *testing.B, old, build string, env []string, r builds.Result, d time.Duration, most int) *builds.Result {
	b.Helper()
	cmd := comparing{Old: old, New: build, Payload: `{"strategy": "pool", "repeat": 500, "objectKey": "sample.json"}`, Power: []int{512},
		For: d, Max: most, Model: local.Model{Latency: "apg", Slow: 1, Seed: rand.Uint64N(1 << 32), Object: "../sample.json", Env: env}}
	q, err := cmd.question(&builds.Result{Old: old, New: build}, io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	t, err := local.New(q.Options)
	if err != nil {
		b.Fatal(err)
	}
	defer t.Close()
	r.Old, r.New = old, build
	if err := r.Measure(b.Context(), q.Run, t.Tune, func(comparison.Progress) error { return nil }); err != nil {
		b.Fatal(err)
	}
	return &r
}

// amounts are what a build that burns or holds more has to burn a read and to
// hold: 15 % of the processor time and 30 % of the memory that the old one takes now.
func amounts(b *testing.B, old string) []string {
	r := compared(b, old, old, nil, builds.Result{Tolerance: 0.1, FailOn: []string{"duration"}}, time.Second, 1)
	cpu, memory, core := 0.0, 0.0, r.Run.CPU.Factor
	for _, c := range r.Cells {
		switch c.Figure {
		case "cpu_per_read":
			cpu = (c.Old + c.New) / 2 / core // of this machine's core
		case "memory":
			memory = (c.Old + c.New) / 2
		}
	}
	b.Logf("a read takes %.0f us of a core, the process %.0f MB", 1e3*cpu, memory)
	return []string{fmt.Sprintf("BURN=%.0fus", 0.15*1e3*cpu), fmt.Sprintf("HOLD=%.0f", 0.3*memory)}
}

// overlaid builds the function with code in each read.
func overlaid(b *testing.B, code, further string) string {
	b.Helper()
	dir := b.TempDir()
	root, err := filepath.Abs("..")
	if err != nil {
		b.Fatal(err)
	}
	const anchor = "	records, err := process("
	read, err := os.ReadFile(filepath.Join(root, "handler", "read.go"))
	if err != nil || bytes.Count(read, []byte(anchor)) != 1 {
		b.Fatalf("handler/read.go: %v, want one line that begins with %q", err, anchor)
	}
	read = bytes.Replace(read, []byte(anchor), []byte("	"+code+"\n"+anchor), 1)
	overlay := map[string]map[string]string{"Replace": {}}
	for name, text := range map[string][]byte{"read.go": read, "further.go": []byte("package main\n" + further)} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			b.Fatal(err)
		}
		overlay["Replace"][filepath.Join(root, "handler", name)] = file
	}
	raw, err := json.Marshal(overlay)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overlay.json"), raw, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	bootstrap := filepath.Join(dir, "bootstrap")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w",
		"-overlay", filepath.Join(dir, "overlay.json"), "-o", bootstrap, "./handler")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return bootstrap
}

const (
	burns = `
import (
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

var most, _ = time.ParseDuration(os.Getenv("BURN"))

// used is what the thread has used.
func used() time.Duration {
	var ts syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 3, uintptr(unsafe.Pointer(&ts)), 0)
	return time.Duration(ts.Nano())
}

func burn() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for begin := used(); used()-begin < most; {
	}
}
`
	holds = `
import (
	"os"
	"strconv"
	"syscall"
)

// Beside the heap: in it the collector would add as much again.
func init() {
	mb, _ := strconv.Atoi(os.Getenv("HOLD"))
	held, err := syscall.Mmap(-1, 0, mb<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(held); i += 4096 {
		held[i] = 1
	}
}
`
	asksAgain = `
import (
	"context"
	"sync/atomic"
)

var reads atomic.Int64

// again reads one object in 500 twice, which is one an invocation.
func again(ctx context.Context, b *bucket, p *progress) {
	if reads.Add(1)%500 == 0 {
		if o := b.direct.get(ctx, &progress{key: p.key}); o != nil {
			o.free()
		}
	}
}
`
)
