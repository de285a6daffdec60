package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"lambda-parallel-io/handler/platform"
)

// budget is the memory that the bodies of objects may take, of all invocations
// of the process together. Reads of large objects wait for each other by it.
type budget struct {
	bytes   int64 // in all; unlimited where the process has no limit
	room    *semaphore.Weighted
	waiting atomic.Int64 // reads that wait for room
	garbage atomic.Int64 // bytes of dropped buffers, which count until they are collected
}

const unlimited = math.MaxInt64

// ownMemory is what the process takes beside bodies: 900 connections with their
// buffers, goroutines, and what the collector is late.
const ownMemory = 64 << 20

// newBudget takes the limit that the runtime has now.
func newBudget() *budget {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return &budget{bytes: unlimited, room: semaphore.NewWeighted(unlimited)}
	}
	limit -= int64(len(ballast))
	b := &budget{bytes: max(limit-ownMemory, limit/4, 1<<20)} // GOMEMLIMIT may be less than the ballast
	b.room = semaphore.NewWeighted(b.bytes)
	return b
}

// reserve waits until the read has room for n bytes, whatever it had before.
// The room is the read's until release.
func (b *budget) reserve(ctx context.Context, p *progress, n int64) error {
	if n <= p.reserved {
		return nil
	}
	if n > b.bytes {
		return &tooLarge{n, b.bytes, ""}
	}
	b.release(p)
	if !b.room.TryAcquire(n) {
		before := p.phase
		p.phase = crowded
		b.waiting.Add(1)
		defer b.waiting.Add(-1)
		b.collect()
		if err := b.room.Acquire(ctx, n); err != nil {
			return context.Cause(ctx)
		}
		p.phase = before
	}
	p.reserved = n
	return nil
}

// release gives the room back. That of a dropped buffer it gives back when a
// read waits for it, since only then it is worth a collection.
func (b *budget) release(p *progress) {
	n, dropped := p.reserved, p.dropped
	p.reserved, p.dropped = 0, false
	if !dropped {
		b.room.Release(n)
		return
	}
	b.garbage.Add(n)
	if b.waiting.Load() > 0 {
		b.collect()
	}
}

func (b *budget) collect() {
	if n := b.garbage.Swap(0); n > 0 {
		runtime.GC()
		b.room.Release(n)
	}
}

// growing reads a body of unknown length, which has three times its bytes in
// memory when its buffer grows: the old one and the new one, of twice the size.
// It does not wait for room, since others may wait for what it has: where there
// is none now, but would be if it were alone, it fails for another attempt.
type growing struct {
	io.Reader
	budget *budget
	p      *progress
	read   int64
}

func (g *growing) Read(b []byte) (int, error) {
	n, err := g.Reader.Read(b)
	g.read += int64(n)
	more := 3*g.read - g.p.reserved
	if more <= 0 {
		return n, err
	}
	if !g.budget.room.TryAcquire(more) {
		if g.budget.collect(); !g.budget.room.TryAcquire(more) {
			if 3*g.read > g.budget.bytes {
				return n, &tooLarge{3 * g.read, g.budget.bytes, " or more"}
			}
			return n, errNoRoom
		}
	}
	g.p.reserved += more
	return n, err
}

var errNoRoom = errors.New("there is no memory for the rest of it, whose length S3 does not say: other objects have it")

// tooLarge is an object that the memory has no room for.
type tooLarge struct {
	takes, room int64
	orMore      string
}

func (e *tooLarge) Error() string {
	mb := (e.takes>>20+ownMemory>>20+1)*4/3 + 1 // memoryLimit leaves a fourth
	remedy := fmt.Sprintf("give the function %d MB", mb)
	if mb > platform.MaxMemory {
		remedy = fmt.Sprintf("no function has the memory for it: Lambda's most is %d MB", platform.MaxMemory)
	}
	return fmt.Sprintf("the object takes %d bytes of memory%s, and all objects in flight have %d\n%s", e.takes, e.orMore, e.room, remedy)
}
