package lambda

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sys/unix"
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

// Speed measures for as long as d how many of Lambda's vCPUs of that architecture
// a core of this machine is, just now: where its host is shared, or it is warm, a
// core has half of its best speed for minutes. The fastest tenth of the passes
// counts; the fastest one of all can be a moment that does not come back. Under
// the race detector, which slows this program alone, a core is taken for a vCPU.
func Speed(arch string, d time.Duration) (float64, error) {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return 1, nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	clock, document := cpuClock(unix.CLOCK_THREAD_CPUTIME_ID), records()
	var took []time.Duration
	for end := time.Now().Add(d); len(took) == 0 || time.Now().Before(end); {
		start := clock.now()
		if err := pass(document); err != nil {
			return 0, fmt.Errorf("measuring the speed of this machine: %w", err)
		}
		took = append(took, clock.now()-start)
	}
	slices.Sort(took)
	return onVCPU[arch].Seconds() / took[len(took)/10].Seconds(), nil
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
