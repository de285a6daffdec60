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

// meter measures one invocation. Its CPU time is that of the process from the
// invocation's start to its end, and so includes other concurrent invocations.
type meter struct {
	tally
	cpu     time.Duration // until stop: the CPU time of the process at the start
	started time.Time
	took    time.Duration

	inFlight, peak        atomic.Int64
	reads, bytes, records atomic.Int64
	latencies             []time.Duration // by index of the read, so that they need no lock

	cut [phases]atomic.Int64 // reads cut off by the end of the call, by their phase
}

func newMeter(reads int) *meter {
	return &meter{latencies: make([]time.Duration, reads), cpu: processCPU(), started: time.Now()}
}

// begin counts a read as in flight and returns the current time.
func (m *meter) begin() time.Time {
	now := m.inFlight.Add(1)
	for p := m.peak.Load(); now > p && !m.peak.CompareAndSwap(p, now); p = m.peak.Load() {
	}
	return time.Now()
}

// end counts read i as no longer in flight, and adds its results if the object
// was read completely. err is the error that the read returns to the strategy.
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

// latency returns percentiles in ms. It sorts all, in which 0 means a read that
// was not completed.
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

// processCPU returns the user and system time that the process has used.
func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprintf("getrusage: %v", err)) // it fails only for a wrong argument
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
