package lambda

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sys/unix"

	"lambda-parallel-io/tune/comparison"
)

// onVCPU is the processor time that the kernel's pass takes on one of Lambda's
// vCPUs (1,769 MB). It is derived: nothing of this was run on Lambda.
//
// cebert/aws-lambda-performance-benchmarks (us-east-2, December 2025, means of
// 300 warm invocations, Python 3.11) has published 500,000 chained SHA-256
// digests at six memory sizes. Times MB / 1,769, the median over the sizes is
// 310 ms on arm64 (280 to 341) and 346 ms on x86_64 (320 to 350; 2,048 MB is one
// vCPU there). That loop and this kernel, run in turn 25 times on a Xeon
// (Sapphire Rapids), the best of many short passes each: a pass takes 2.64 ms
// for each second of the loop (quartiles 2.59 and 2.68).
//
// So a pass takes 0.82 ms and 0.91 ms. What is uncertain in that: 10 % of how
// even Lambda is from size to size, 2 % of the measurement, and more where a
// processor's ratio between Go and Python is another than the Xeon's.
var onVCPU = map[string]time.Duration{"arm64": 820 * time.Microsecond, "x86_64": 915 * time.Microsecond}

// Speed returns how many of Lambda's vCPUs of that architecture a core of this
// machine is. It takes a quarter of a second: the fastest pass counts, since
// whatever else runs here can only make one slower. Under the race detector,
// which slows this program alone, a core is taken for a vCPU.
func Speed(arch string) (float64, error) {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return 1, nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	clock, document, best := cpuClock(unix.CLOCK_THREAD_CPUTIME_ID), records(), time.Duration(math.MaxInt64)
	for end := time.Now().Add(250 * time.Millisecond); time.Now().Before(end); {
		start := clock.now()
		if err := pass(document); err != nil {
			return 0, fmt.Errorf("measuring the speed of this machine: %w", err)
		}
		best = min(best, clock.now()-start)
	}
	factor := math.Round(100*onVCPU[arch].Seconds()/best.Seconds()) / 100
	return min(max(factor, comparison.MinFactor), comparison.MaxFactor), nil
}

// records returns a document like those that the function reads: 9 KB of JSON.
func records() []byte {
	var b strings.Builder
	for i := range 43 {
		fmt.Fprintf(&b, `,{"id": %d, "name": "record %d of a document", "price": %d.25, "tags": ["first", "second", null], "open": true, "text": %q}`,
			i, i, i*17, strings.Repeat("lorem ipsum ", 8))
	}
	return []byte("[" + b.String()[1:] + "]")
}

// pass is the kernel: half a millisecond of a load that resembles a function which
// reads objects. It copies a document into memory of its own, hashes it, and reads
// its JSON to the end.
func pass(document []byte) error {
	for range 20 {
		own := bytes.Clone(document)
		runtime.KeepAlive(sha256.Sum256(own)) // so that no compiler leaves it out
		d := jsontext.NewDecoder(bytes.NewReader(own))
		for {
			if _, err := d.ReadToken(); err == io.EOF {
				break
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}
