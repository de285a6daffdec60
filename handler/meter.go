package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
)

// meter measures one invocation. Its processor time is the process's, from the
// invocation's start to its end: it is the invocation's where it was alone.
type meter struct {
	tally
	cpu     time.Duration // until stop, the process's at the start
	started time.Time
	took    time.Duration

	inFlight, peak        atomic.Int64
	reads, bytes, records atomic.Int64
	latencies             []time.Duration // by index: no lock, and no order

	cut [phases]atomic.Int64 // reads that the call's end has cut off, by what they were at
}

func newMeter(reads int) *meter {
	return &meter{latencies: make([]time.Duration, reads), cpu: processCPU(), started: time.Now()}
}

// begin counts a read as in flight and returns when it began.
func (m *meter) begin() time.Time {
	now := m.inFlight.Add(1)
	for p := m.peak.Load(); now > p && !m.peak.CompareAndSwap(p, now); p = m.peak.Load() {
	}
	return time.Now()
}

// end counts read i as over, and as done if the object was read whole. An error
// here is that of the call.
func (m *meter) end(i int, began time.Time, o object, whole bool, err error) {
	m.inFlight.Add(-1)
	if e, ok := errors.AsType[*readError](err); ok {
		m.cut[e.phase].Add(1)
	}
	if !whole {
		return
	}
	m.latencies[i] = time.Since(began)
	m.reads.Add(1)
	m.bytes.Add(o.bytes)
	m.records.Add(o.records)
}

func (m *meter) stop() {
	m.took = time.Since(m.started)
	m.cpu = processCPU() - m.cpu
}

func (m *meter) answer(s strategies.Strategy, concurrency int) event.Answer {
	sec := m.took.Seconds()
	a := event.Answer{
		ObjectsRead:   int(m.reads.Load()),
		BytesRead:     m.bytes.Load(),
		TimeSec:       sec,
		ObjectsPerSec: float64(m.reads.Load()) / sec,
		BytesPerSec:   float64(m.bytes.Load()) / sec,
		RecordsRead:   m.records.Load(),
		Strategy:      s.Name,
		PeakInFlight:  int(m.peak.Load()),
		Retries:       m.retries.Load(),
		Connections:   m.connections.Load(),
		CPUSec:        m.cpu.Seconds(),
		Latency:       latency(m.latencies),
		Architecture:  architecture(),
	}
	if s.Sequential {
		concurrency = 1
	}
	if s.Sequential || s.Bounded {
		a.Concurrency = &concurrency
	}
	return a
}

// latency sorts all, in which 0 stands for a read that was not done.
func latency(all []time.Duration) event.Latency {
	all = slices.DeleteFunc(all, func(d time.Duration) bool { return d == 0 })
	if len(all) == 0 {
		return event.Latency{}
	}
	slices.Sort(all)
	rank := func(share float64) float64 {
		i := int(math.Ceil(share*float64(len(all)))) - 1
		return float64(all[i]) / float64(time.Millisecond)
	}
	return event.Latency{P50: rank(0.50), P95: rank(0.95), P99: rank(0.99), Max: rank(1)}
}

// processCPU is the user and system time that the process has used.
func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprintf("getrusage: %v", err)) // it has no other error than a wrong argument
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
