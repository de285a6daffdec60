package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// conn is a connection of a transport. One request at a time has it.
type conn struct {
	t            *transport
	scheme, host string
	wire         *wire
	in           io.LimitedReader // TLS over wire, or wire itself
	buffered     *bufio.Reader    // over in
	out          io.Writer
	one          [1]byte     // for silent
	kept         time.Time   // since when it was idle last; zero if it never was
	release      func() bool // ends the request's hold on it; false where the request was cancelled
}

// maxHeader bounds the header of an answer; S3's have less than 10 KB.
const maxHeader = 1 << 20

// errUnanswered is a kept connection that ended before the first byte of an
// answer: the server may have closed it before the request came.
var errUnanswered = errors.New("the connection was closed before an answer")

var writers = sync.Pool{New: func() any { return bufio.NewWriter(nil) }}

// exchange sends r and reads the answer's header. The connection goes back to
// its transport at the end of the body.
func (c *conn) exchange(r *http.Request) (resp *http.Response, err error) {
	// By closing, since a deadline would be overwritten by the next read's.
	c.release = context.AfterFunc(r.Context(), func() { _ = c.wire.Close() })
	defer func() {
		if err != nil {
			c.release()
			_ = c.wire.Close()
		}
	}()
	p := progressOf(r.Context())
	p.phase = waiting
	c.in.N = maxHeader
	w := writers.Get().(*bufio.Writer)
	defer writers.Put(w)
	w.Reset(c.out)
	if err = errors.Join(r.Write(w), w.Flush()); err == nil {
		_, err = c.buffered.Peek(1)
	}
	if err != nil {
		if !c.kept.IsZero() && !errors.Is(err, os.ErrDeadlineExceeded) {
			err = errors.Join(errUnanswered, err)
		}
		return nil, err
	}
	p.phase = reading
	tallyOf(r.Context()).answered.Store(true)
	for resp == nil || resp.StatusCode < 200 { // 1xx announce an answer
		if resp, err = http.ReadResponse(c.buffered, r); err != nil {
			return nil, err
		}
	}
	c.in.N = math.MaxInt64
	resp.Body = &answer{resp.Body, c, !resp.Close}
	return resp, nil
}

// answer is a body that gives its connection back.
type answer struct {
	io.ReadCloser
	c    *conn // nil after the end
	keep bool
}

func (a *answer) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if err != nil {
		a.end(a.keep && err == io.EOF)
	}
	return n, err
}

// Close before the end of the body closes the connection.
func (a *answer) Close() error {
	a.end(false)
	return nil
}

func (a *answer) end(keep bool) {
	c := a.c
	if a.c = nil; c == nil {
		return
	}
	if c.release() && keep && c.buffered.Buffered() == 0 {
		c.t.keep(c)
	} else {
		_ = c.wire.Close()
	}
}

// silent tells whether nothing came while the connection was idle. What came
// unasked would be taken for the next answer: perhaps another object, with a
// checksum that is right. It looks through TLS, whose own buffer may hold it
// and whose session tickets are no answer.
func (c *conn) silent() bool {
	c.wire.look = true
	_, err := c.in.R.Read(c.one[:])
	c.wire.look = false
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// wire is a TCP connection. A read of it fails after a silence of stall.
type wire struct {
	net.Conn
	raw   syscall.RawConn
	stall time.Duration
	look  bool // a read takes what has come already, and fails as if by its deadline where nothing has
}

func (w *wire) Read(p []byte) (n int, err error) {
	if err := w.SetReadDeadline(time.Now().Add(w.stall)); err != nil {
		return 0, err
	}
	if !w.look {
		return w.Conn.Read(p)
	}
	// Go's sockets do not block. Of a closed one nothing is read.
	_ = w.raw.Read(func(fd uintptr) bool { n, err = syscall.Read(int(fd), p); return true })
	switch {
	case err == syscall.EAGAIN:
		err = os.ErrDeadlineExceeded
	case err == nil && n == 0:
		err = io.EOF
	}
	return max(n, 0), err
}
