package simulate

import (
	"cmp"
	"math"
	"math/rand/v2"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/profile"
)

const (
	period  = float64(platform.Period / time.Millisecond)
	longest = float64(platform.MaxTimeout / time.Millisecond)

	// The handler's stallTime, firstDelay and maxDelay.
	silence    = 10_000.0
	firstDelay = 50.0
	maxDelay   = 2_000.0

	// tiny is less than any computation, and more than the error of a sum.
	tiny = 1e-9
)

// Simulator runs invocations one after the other, and reuses its buffers. The zero value is ready for use, by one
// goroutine at a time.
type Simulator struct {
	in     Invocation
	draw   Draw
	jitter rand.PCG
	grant  kind // what follows a GET that S3 grants: body if the bandwidth matters, or answer

	steps       []step // a heap of four children a node, the earliest first
	connections []connection
	cores       []core
	used        []float64 // of the quota, by period
	gets        bucket
	lasting     bucket // of bytes, at the lasting bandwidth
	burst       bucket // of bytes, at the bandwidth of the burst

	begun, first, again           int // reads with a connection, their first GETs, the others
	processor, refused, bandwidth span
	result                        Result
}

// connection is a connection with its current read.
type connection struct {
	since   float64 // when its silence began
	attempt int     // from 1; 0 before the read is sent
	open    bool
}

type core struct {
	free float64 // from when
	at   int     // the latest period
	busy float64 // computed in that period
}

// Run simulates the invocation. The draw must have a latency for each read.
func (s *Simulator) Run(in Invocation, d Draw) Result {
	s.start(in, d)
	for len(s.steps) > 0 && s.steps[0].at < longest {
		x := s.pop()
		conn := &s.connections[x.conn]
		core, start := s.next(x.at)
		if (x.kind == open || x.kind == answer) && start-conn.since >= silence {
			x.at, x.kind = conn.since+silence, silent
		}
		switch x.kind {
		case open:
			conn.open = true
			s.result.Connections++
			s.push(s.compute(core, x.at, in.Handshake), x.conn, send)
		case send:
			s.send(x.conn, s.compute(core, x.at, in.Before))
		case body:
			conn.since = max(s.lasting.reserve(x.at, float64(in.Bytes)), s.burst.reserve(x.at, float64(in.Bytes)))
			if in.Bytes > profile.Piece {
				conn.since = max(conn.since, x.at+1e3*float64(in.Bytes)/profile.ConnectionBandwidth)
			}
			s.bandwidth.add(x.at, conn.since)
			s.push(conn.since, x.conn, answer)
		case answer:
			s.answered(core, x)
		case refusal:
			end := s.compute(core, x.at, in.After)
			s.refused.add(conn.since, s.retry(x.conn, end))
		case silent:
			conn.open = false
			s.retry(x.conn, x.at)
		}
	}
	if s.result.Reads < in.Reads {
		s.result.DurationMS = longest
	}
	s.result.ProcessorMS, s.result.LimitMS, s.result.BandwidthMS = s.processor.sum, s.refused.sum, s.bandwidth.sum
	return s.result
}

func (s *Simulator) start(in Invocation, d Draw) {
	workers := min(cmp.Or(in.Workers, in.Reads), in.Reads)
	n := min(workers, event.MaxConcurrency)
	*s = Simulator{
		in: in, draw: d, grant: answer, steps: s.steps[:0], used: s.used[:0],
		connections: append(s.connections[:0], make([]connection, n)...),
		cores:       append(s.cores[:0], make([]core, in.Cores)...),

		gets:    newBucket(in.S3.GetsPerSecond, max(1, float64(in.S3.Burst))),
		lasting: newBucket(profile.Bandwidth, profile.BurstBytes),
		burst:   newBucket(profile.BurstBandwidth, 2*profile.Piece),
		begun:   n,
	}
	if in.Bytes > profile.Piece || in.Bytes*in.Reads > profile.BurstBytes {
		s.grant = body
	}
	s.jitter.Seed(d.Seed, 0)
	s.result.PeakMB = in.BaseMB + in.ReadMB*float64(n) + in.WaitingMB*float64(workers-n)
	s.result.OutOfMemory = s.result.PeakMB > float64(in.MemoryMB)
	for i := range s.connections {
		s.connections[i].open = i < in.Open
		s.request(0, int32(i))
	}
}

// request sends a GET, or opens its connection first.
func (s *Simulator) request(at float64, conn int32) {
	kind := send
	if c := &s.connections[conn]; !c.open {
		kind, c.since = open, at
	}
	s.push(at, conn, kind)
}

// send is a GET's arrival at S3, which grants or refuses it, and answers after its latency.
func (s *Simulator) send(i int32, at float64) {
	c := &s.connections[i]
	c.since = at
	c.attempt++
	series, n := s.draw.First, &s.first
	if c.attempt > 1 {
		series, n = s.draw.Again, &s.again
	}
	latency := series[*n%len(series)]
	*n++
	kind := refusal
	if s.gets.fill(at); s.gets.tokens >= 1 {
		s.gets.tokens--
		kind = s.grant
	}
	if latency += s.in.Late; latency >= silence {
		latency, kind = silence, silent
	}
	s.push(at+latency, i, kind)
}

// answered ends a read and begins the next one at once.
func (s *Simulator) answered(core *core, x step) {
	need := s.in.After + s.in.crowd(s.begun-s.result.Reads)
	next := s.begun < s.in.Reads
	if next {
		need += s.in.Before
	}
	end := s.compute(core, x.at, need)
	if end >= longest {
		return
	}
	s.result.Reads++
	s.result.DurationMS = max(s.result.DurationMS, end)
	if next {
		s.begun++
		s.connections[x.conn].attempt = 0
		s.send(x.conn, end)
		if cmp.Or(s.in.Workers, s.in.Reads) > event.MaxConcurrency {
			s.result.ConnectionsMS = max(0, end-s.processor.sum-s.refused.sum)
		}
	}
}

// retry schedules a GET again after the handler's delay, and returns when.
func (s *Simulator) retry(conn int32, at float64) float64 {
	s.result.Retries++
	most := min(maxDelay, math.Ldexp(firstDelay, max(s.connections[conn].attempt, 1)-1))
	at += most * float64(s.jitter.Uint64()>>11) / (1 << 53)
	s.request(at, conn)
	return at
}

// next returns the core for work that is ready then, and when it can start: the idle core that was busy last, as a
// thread stays on its core, otherwise the first core to become free.
func (s *Simulator) next(ready float64) (*core, float64) {
	best := &s.cores[0]
	for i := 1; i < len(s.cores); i++ {
		c, idle := &s.cores[i], best.free <= ready
		if idle && c.free > best.free && c.free <= ready || !idle && c.free < best.free {
			best = c
		}
	}
	return best, max(ready, best.free)
}

// compute spends CPU time on a core for work that is ready then, and returns when the work is done.
func (s *Simulator) compute(core *core, ready, need float64) float64 {
	t, quota := max(ready, core.free), s.in.VCPUs*period
	p := int(t / period)
	if ready > core.free && *s.account(p) < quota-tiny && s.in.WakeUp > 0 {
		need += s.in.WakeUp
		s.result.WakeUps++
	}
	s.result.CPUMS += need
	s.processor.add(ready, t)
	for ; ; p++ {
		used, edge, speed := s.account(p), float64(p+1)*period, s.in.CoreVCPUs
		if core.at < p {
			core.at, core.busy = p, 0
		}
		if part := min(need, quota-*used, s.in.ThreadVCPUs*period-core.busy, (edge-t)*speed); part > 0 {
			*used += part
			core.busy += part
			t += part / speed
			need -= part
		}
		if need <= tiny || t >= longest {
			break
		}
		s.processor.add(t, edge)
		t = edge
	}
	if len(s.steps) == 0 {
		s.processor.add(ready, t)
	}
	core.free = t
	return t
}

// account returns how much of a period's quota is used.
func (s *Simulator) account(p int) *float64 {
	for len(s.used) <= p {
		s.used = append(s.used, 0)
	}
	return &s.used[p]
}
