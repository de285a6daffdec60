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

// budget bounds the memory for the bodies of objects, over all invocations of the
// process. It makes reads of large objects wait for each other.
type budget struct {
	bytes   int64 // in total; unlimited if the process has no limit
	room    *semaphore.Weighted
	waiting atomic.Int64 // number of reads that wait for room
	garbage atomic.Int64 // bytes of dropped buffers, which take room until they are collected
}

const unlimited = math.MaxInt64

// ownMemory is the memory in bytes that the process needs besides bodies: 900
// connections with their buffers, goroutines, and garbage not yet collected.
const ownMemory = 64 << 20

// newBudget returns a budget for the runtime's current memory limit.
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

// reserve waits until the read has room for n bytes in total. The read keeps the
// room until release. The error is a *tooLarge or the cause of ctx.
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
		p.phase = starved
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

// release gives the read's room back. The room of a dropped buffer is given back
// only when a read waits for room, because that takes a garbage collection.
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

// collect frees the dropped buffers and gives their room back.
func (b *budget) collect() {
	if n := b.garbage.Swap(0); n > 0 {
		runtime.GC()
		b.room.Release(n)
	}
}

// growing reads a body of unknown length and reserves room as it grows. It needs
// three times the bytes read, for the old buffer and a new one of twice the size.
// It does not wait for room, because other reads may be waiting for the room that
// it holds. If there is no room now, but the whole budget would suffice, it fails
// with an error that is retried.
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

var errNoRoom = errors.New("there is no memory for the rest of the object: other objects hold it, and S3 gave no length by which to reserve it in advance")

// tooLarge reports an object that needs more memory than the whole budget, in
// bytes.
type tooLarge struct {
	takes, room int64
	orMore      string
}

func (e *tooLarge) Error() string {
	mb := (e.takes>>20+ownMemory>>20+1)*4/3 + 1 // memoryLimit leaves a quarter of it
	remedy := fmt.Sprintf("give the function %d MB", mb)
	if mb > platform.MaxMemory {
		remedy = fmt.Sprintf("no function has enough memory for it: Lambda's maximum is %d MB", platform.MaxMemory)
	}
	return fmt.Sprintf("the object takes %d bytes of memory%s, but all objects in flight share %d\n%s", e.takes, e.orMore, e.room, remedy)
}
