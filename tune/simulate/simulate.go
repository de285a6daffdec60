// Package simulate computes one invocation of the reading function in virtual time. It has no clock, does no I/O and
// repeats itself exactly: one [Invocation] and one [Draw] give one [Result]. All times are in ms, and CPU time in ms of
// one Lambda vCPU.
//
// It assumes:
//
//   - A read computes (Before), waits for S3 and computes again (After). Its worker starts the next read at once.
//   - Cores serve what is ready, first come first served. In a period of 20 ms all cores together compute no more than
//     the quota, and one core no more than a thread gets; the rest waits for the next period. The first period begins
//     with the invocation.
//   - What becomes ready while its core is idle and quota is left pays for a wake-up.
//   - A read costs more the more are in flight: Crowd interpolates what was measured.
//   - Each read in flight has its own connection, and there are at most 900. Opening one computes first and waits then.
//   - S3 grants GETs from a token bucket as they arrive, and refuses the others after their latency; a refused one
//     computes as much as an answered one. The handler retries it after full jitter of 50 ms, doubled each time up to 2 s.
//   - A read that has been silent for 10 s when the CPU comes to it is given up at no cost: its connection is
//     closed, and it is retried like a refused one.
//   - A body longer than [profile.Piece] takes its time on its connection. All bodies share the function's bandwidth,
//     in the order of their beginnings.
//   - Memory is the sum of what reads take in flight or waiting for a connection.
//   - Lambda ends an invocation after 900 s.
//
// It leaves out garbage collection cycles, the listing of a prefix and the overshoot of this machine's throttle.
package simulate

import (
	"cmp"
	"slices"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/profile"
)

// Machine is the hardware that a memory size buys. CPU is in Lambda vCPUs.
type Machine struct {
	MemoryMB    int
	VCPUs       float64 // the quota
	Cores       int
	CoreVCPUs   float64 // speed of a core
	ThreadVCPUs float64 // limit of one thread over a period
}

// Lambda returns a function's machine on AWS, where a core is as fast as a thread can be.
func Lambda(memoryMB int, arch string) Machine {
	thread := platform.ThreadVCPUs(arch)
	return Machine{memoryMB, platform.VCPUs(memoryMB), platform.VisibleCores(memoryMB), thread, thread}
}

// Costs are the CPU time, waiting and memory of reads and connections.
type Costs struct {
	Before, After float64 // CPU time of a read before and after its wait for S3
	WakeUp        float64 // CPU time
	Handshake     float64 // CPU time of a new connection
	Crowd         []Crowd // in the order of InFlight
	Late          float64 // delay of the local S3's answer beyond its latency
	Bytes         int     // of an object
	BaseMB        float64 // of the process without reads
	ReadMB        float64 // of a read in flight
	WaitingMB     float64 // of a read that waits for a connection
}

// Crowd is the additional CPU time of a read with InFlight reads in flight. It is interpolated between two of them and
// below the first. Above the last it stays that of the last.
type Crowd struct {
	InFlight int
	CPU      float64
}

func (c *Costs) crowd(n int) float64 {
	var below Crowd
	for _, p := range c.Crowd {
		if n < p.InFlight {
			return below.CPU + (p.CPU-below.CPU)*float64(n-below.InFlight)/float64(p.InFlight-below.InFlight)
		}
		below = p
	}
	return below.CPU
}

// Invocation describes an invocation without its random part, the [Draw].
type Invocation struct {
	Machine
	Costs
	S3      profile.S3
	Reads   int
	Workers int // reads at a time; 0: all at once
	Open    int // connections that are open from the start
}

// Draw is the random part of an invocation: the latencies, in ms, of its reads' first GETs in the order in which they
// are sent, those of retries, used one after the other, and the seed of the handler's jitter.
type Draw struct {
	First, Again []float64
	Seed         uint64
}

// NewDraw returns what the local S3 draws for an invocation of reads reads.
func NewDraw(s profile.S3, seed, invocation uint64, reads int) Draw {
	d := Draw{make([]float64, reads), make([]float64, 1_000), seed ^ invocation}
	for series, ms := range map[uint64][]float64{0: d.First, profile.Again: d.Again} {
		for i := range ms {
			ms[i] = s.Draw(seed, invocation, series|uint64(i+1)).Seconds() * 1e3
		}
	}
	return d
}

// Draws returns what the local S3 draws for the first n invocations of reads reads.
func Draws(s profile.S3, seed uint64, n, reads int) (draws []Draw) {
	for k := range n {
		draws = append(draws, NewDraw(s, seed, uint64(k+1), reads))
	}
	return draws
}

// Result is the outcome of an invocation.
type Result struct {
	DurationMS  float64 // to the end of its last read
	CPUMS       float64
	Reads       int // that were completed: not all if Lambda ended it
	WakeUps     int
	Retries     int
	Connections int // that were opened
	PeakMB      float64
	OutOfMemory bool // PeakMB is more than there is: Lambda would have ended it

	// How long each cause held it up.
	ProcessorMS   float64 // something waited for the CPU, or nothing for S3
	LimitMS       float64 // a GET waited for its retry after S3 had refused it
	BandwidthMS   float64 // a body waited for its bytes
	ConnectionsMS float64 // a read waited for a connection alone
}

// The bottlenecks, as [Result.Binds] names them.
const (
	Processor   = "processor"
	Latency     = "s3 latency"
	Limit       = "s3 limit"
	Bandwidth   = "bandwidth"
	Connections = "connections"
	Memory      = "memory"
)

// Binds names the cause that held the invocation up the longest, if for half of its duration, otherwise S3's latency.
func (r Result) Binds() string {
	if r.OutOfMemory {
		return Memory
	}
	causes := []string{Processor, Limit, Bandwidth, Connections, Latency}
	ms := []float64{r.ProcessorMS, r.LimitMS, r.BandwidthMS, r.ConnectionsMS, r.DurationMS / 2}
	return causes[slices.Index(ms, slices.Max(ms))]
}

// Runs simulates the invocation with each draw, which must have a latency for each read.
func (in Invocation) Runs(draws []Draw) []Result {
	var s Simulator
	results := make([]Result, len(draws))
	for k, d := range draws {
		results[k] = s.Run(in, d)
	}
	return results
}

// Summary is the Result with the median duration over several draws, and the durations between which eight in ten lie.
type Summary struct {
	Result
	LowMS, HighMS float64
}

// Summarize takes at least one result, and changes none.
func Summarize(results []Result) Summary {
	sorted := slices.SortedFunc(slices.Values(results), func(a, b Result) int { return cmp.Compare(a.DurationMS, b.DurationMS) })
	n := len(sorted)
	return Summary{sorted[n/2], sorted[n/10].DurationMS, sorted[n-1-n/10].DurationMS}
}
