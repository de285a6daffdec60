package lambda

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sys/unix"
)

// onVCPU is the CPU time of a pass on one of Lambda's vCPUs (1,769 MB). It is
// computed, not measured on Lambda. cebert/aws-lambda-performance-benchmarks
// (us-east-2, December 2025, means of 300 warm invocations, Python 3.11) published
// 500,000 chained SHA-256 digests at six memory sizes. Scaled to 1,769 MB, the median
// over the sizes is 310 ms on arm64 (280 to 341) and 346 ms on x86_64 (320 to 350;
// 2,048 MB is one vCPU there). On a Xeon (Sapphire Rapids), alternating 25 times, a
// pass takes 2.64 ms for each second of that loop (quartiles 2.59 and 2.68; best of
// many short passes). Lambda's sizes differ by 10 % and the measurement by 2 %.
// Another CPU's ratio between Go and Python can differ by more.
var onVCPU = map[string]time.Duration{"arm64": 820 * time.Microsecond, "x86_64": 915 * time.Microsecond}

// Speed measures for d how many of Lambda's vCPUs of an architecture a core of this
// machine is worth now: on a shared or hot host it can fall by half for minutes. The
// 10th percentile of the passes counts, since the fastest one can be an exception.
// Under the race detector, which slows only this program, Speed returns 1.
func Speed(arch string, d time.Duration) float64 {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return 1
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	clock, document := cpuClock(unix.CLOCK_THREAD_CPUTIME_ID), records()
	var took []time.Duration
	for end := time.Now().Add(d); len(took) == 0 || time.Now().Before(end); {
		start := clock.now()
		pass(document)
		took = append(took, clock.now()-start)
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

// pass copies, hashes and decodes a document 20 times, a load like that of a
// function that reads objects. It takes about half a millisecond.
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
