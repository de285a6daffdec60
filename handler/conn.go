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

// conn is a connection of a transport, used by one request at a time.
type conn struct {
	t            *transport
	scheme, host string
	wire         *wire
	in           io.LimitedReader // reads TLS over wire, or wire itself
	buffered     *bufio.Reader    // reads in
	out          io.Writer
	one          [1]byte     // buffer of silent
	idleSince    time.Time   // when it last became idle; zero if it never was
	release      func() bool // detaches the request; false if the request was cancelled
}

// maxHeader is the most bytes of a response's header; S3 sends less than 10 KB.
const maxHeader = 1 << 20

// errUnanswered means that a reused connection ended before the first byte of a
// response: the server may have closed it before the request arrived.
var errUnanswered = errors.New("the connection was closed before a response")

var writers = sync.Pool{New: func() any { return bufio.NewWriter(nil) }}

// exchange sends r and reads the response's header. At the end of the body, the
// connection goes back to its transport.
func (c *conn) exchange(r *http.Request) (resp *http.Response, err error) {
	// Cancel by closing: the next read would overwrite a deadline.
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
		if !c.idleSince.IsZero() && !errors.Is(err, os.ErrDeadlineExceeded) {
			err = errors.Join(errUnanswered, err)
		}
		return nil, err
	}
	p.phase = reading
	tallyOf(r.Context()).answered.Store(true)
	for resp == nil || resp.StatusCode < 200 { // a 1xx precedes the final response
		if resp, err = http.ReadResponse(c.buffered, r); err != nil {
			return nil, err
		}
	}
	c.in.N = math.MaxInt64
	resp.Body = &responseBody{resp.Body, c, !resp.Close}
	return resp, nil
}

// responseBody is a response's body; at its end the connection becomes idle.
type responseBody struct {
	io.ReadCloser
	c    *conn // nil after the end
	keep bool  // whether the server keeps the connection open
}

func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end(b.keep && err == io.EOF)
	}
	return n, err
}

// Close before the end of the body closes the connection.
func (b *responseBody) Close() error {
	b.end(false)
	return nil
}

func (b *responseBody) end(keep bool) {
	c := b.c
	if b.c = nil; c == nil {
		return
	}
	if c.release() && keep && c.buffered.Buffered() == 0 {
		c.t.keep(c)
	} else {
		_ = c.wire.Close()
	}
}

// silent reports whether the server sent nothing while the connection was idle.
// The next request would take such data for its response: perhaps another object
// with a correct checksum. It reads through TLS, because TLS may have buffered
// the data, and because TLS session tickets are not a response.
func (c *conn) silent() bool {
	c.wire.peek = true
	_, err := c.in.R.Read(c.one[:])
	c.wire.peek = false
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// wire is a TCP connection. A Read fails if no data arrives for stall.
type wire struct {
	net.Conn
	raw   syscall.RawConn
	stall time.Duration
	peek  bool // Read returns only data that has arrived, and os.ErrDeadlineExceeded if there is none
}

func (w *wire) Read(p []byte) (n int, err error) {
	if err := w.SetReadDeadline(time.Now().Add(w.stall)); err != nil {
		return 0, err
	}
	if !w.peek {
		return w.Conn.Read(p)
	}
	// Go's sockets do not block. If the socket is closed, the function is not called.
	_ = w.raw.Read(func(fd uintptr) bool { n, err = syscall.Read(int(fd), p); return true })
	switch {
	case err == syscall.EAGAIN:
		err = os.ErrDeadlineExceeded
	case err == nil && n == 0:
		err = io.EOF
	}
	return max(n, 0), err
}
