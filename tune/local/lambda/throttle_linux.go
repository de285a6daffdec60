package lambda

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"lambda-parallel-io/handler/platform"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sys/unix"
)

type mode int

const (
	starting  mode = iota // INIT
	throttled             // during an invocation
	frozen                // between invocations
)

const (
	// step is the shortest sleep between two readings of the clock. The process can exceed its quota by this much on
	// each core, until the next period.
	step = 100 * time.Microsecond

	// window is the longest sleep if one thread could use more than Lambda gives it. The process counts as busy in a
	// window for the CPU time that it used there, up to the window's length. So threads that alternate count as one,
	// and threads that run at the same time count once. Reading the threads' own clocks needs privilege, their
	// schedstat is up to 4 ms late, and Go moves goroutines between threads.
	window = 500 * time.Microsecond

	// tick is how late the clock of a running process can be.
	tick = 4 * time.Millisecond
)

// set changes the mode at once and begins a new period, as Lambda does after a pause.
func (p *process) set(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	vCPUs := cmp.Or(p.cfg.VCPUs, platform.VCPUs(p.cfg.MemoryMB))
	if m == starting {
		vCPUs = platform.InitVCPUs
	}
	one := float64(platform.Period) / p.cfg.Speed // of the vCPUs, in CPU time of this machine per period
	p.quota, p.perThread = time.Duration(vCPUs*one), time.Duration(platform.ThreadVCPUs(p.cfg.Arch)*one)
	p.mode, p.begin, p.seen, p.pending = m, time.Now(), p.clock.now(), 0
	p.left, p.ofThread, p.looked = p.quota, p.perThread, p.begin
	p.signal(m == frozen)
	if m != frozen && len(p.thaw) == 0 { // otherwise run has not received the last one yet
		p.thaw <- struct{}{}
	}
}

// signal stops or continues the process group. The caller holds mu.
func (p *process) signal(stop bool) {
	if stop == p.stopped {
		return
	}
	p.stopped = stop
	sig := unix.SIGCONT
	if stop {
		sig = unix.SIGSTOP
	}
	_ = unix.Kill(-p.proc.PID, sig) // fails only if the group has ended
}

// run throttles the process until its end. The calling goroutine must be locked to its thread. It stops the process
// group once the process has used up the quota of a period, or once one thread could have used up its own, and
// continues it in the next period. What is used beyond a quota is taken from the next ones. The kernel's CFS
// bandwidth control does the same on Lambda, but needs the privilege to make a control group.
func (p *process) run() {
	// By default the kernel delays a timer by up to 50 us to save power. The quota of the smallest size is 1.4 ms.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	for p.alive.Err() == nil {
		if wake, ok := p.look(); ok {
			pause := unix.NsecToTimespec(max(0, time.Until(wake).Nanoseconds()))
			_ = unix.Nanosleep(&pause, nil) // Go's own timers round to 1 ms. A signal may wake it early, which does no harm
			continue
		}
		select {
		case <-p.thaw:
		case <-p.alive.Done():
		}
	}
}

// look accounts for the CPU time used and the periods that have ended, stops or continues the process, and returns
// when to look again: at the earliest when what is left can be used up. It returns false while the process is frozen.
func (p *process) look() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == frozen {
		return time.Time{}, false
	}
	used, now := p.clock.now(), time.Now() // in this order: a pause between them must not count as work
	p.pending = min(p.pending+now.Sub(p.looked), tick)
	alone := min(used-p.seen, p.pending) // what one thread can have used
	p.left, p.ofThread, p.pending = p.left-(used-p.seen), p.ofThread-alone, p.pending-alone
	if p.stopped {
		p.pending = 0 // the clock has reported all
	}
	p.looked, p.seen = now, used
	period := p.cfg.Slow.Stretch(platform.Period)
	if n := now.Sub(p.begin) / period; n > 0 { // more than one if the machine was busy
		p.begin = p.begin.Add(n * period)
		p.left, p.ofThread = min(p.quota, p.left+n*p.quota), min(p.perThread, p.ofThread+n*p.perThread)
		p.watchMemory()
	}
	p.signal(min(p.left, p.ofThread) <= 0)
	pause := p.begin.Add(period).Sub(now)
	if !p.stopped {
		pause = min(pause, max(step, min(p.left/time.Duration(runtime.NumCPU()), p.ofThread)))
		if p.perThread < min(p.quota, period) {
			pause = min(pause, window)
		}
	}
	if p.mode == starting { // the first invocation must not wait for this period's end
		pause = min(pause, time.Millisecond)
	}
	return now.Add(pause), true
}

// watchMemory kills a process that outgrew its memory size, as Lambda does. It misses what is freed within a period.
func (p *process) watchMemory() {
	memory, _ := p.proc.Statm() // zero once the process has ended
	now := megabytes(memory.ResidentBytes())
	p.peak.Store(max(p.peak.Load(), int64(now)))
	if now > p.cfg.MemoryMB {
		_ = p.cmd.Process.Kill()
	}
}

// cpuClock is the kernel's clock of the CPU time of all threads of a process.
type cpuClock int32

// clockOf returns the clock of process pid, as clock_getcpuclockid(3) does, in the encoding of
// linux/posix-timers_types.h (CPUCLOCK_SCHED is 2).
func clockOf(pid int) cpuClock { return cpuClock(^int32(pid)<<3 | 2) }

// now returns 0 once the process has gone.
func (c cpuClock) now() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(int32(c), &ts)
	return time.Duration(ts.Nano())
}

// megabytes returns units of 1,048,576 bytes, rounded up.
func megabytes(bytes uint64) int { return int((bytes + 1<<20 - 1) >> 20) }

// onVCPU is the CPU time of a pass on one of Lambda's vCPUs (1,769 MB). It is computed, not measured on Lambda.
// cebert/aws-lambda-performance-benchmarks (us-east-2, December 2025, means of 300 warm invocations, Python 3.11)
// published 500,000 chained SHA-256 digests at six memory sizes. Scaled to 1,769 MB, the median over the sizes is 310
// ms on arm64 (280 to 341) and 346 ms on x86_64 (320 to 350; 2,048 MB is one vCPU there). On a Xeon (Sapphire
// Rapids), alternating 25 times, a pass takes 2.64 ms for each second of that loop (quartiles 2.59 and 2.68; best of
// many short passes). Lambda's sizes differ by 10 % and the measurement by 2 %. Another CPU's ratio between Go and
// Python can differ by more.
var onVCPU = map[string]time.Duration{"arm64": 820 * time.Microsecond, "x86_64": 915 * time.Microsecond}

// Speed measures for d how many of Lambda's vCPUs of an architecture a core of this machine is worth now: on a shared
// or hot host it can fall by half for minutes. The 10th percentile of the passes counts, since the fastest one can be
// an exception. Under the race detector, which slows only this program, Speed returns 1.
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

// pass copies, hashes and decodes a document 20 times, as a function that reads objects does, in about 0.5 ms.
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
