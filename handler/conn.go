package main

import (
	"bufio"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"syscall"
	"time"
)

// conn is a connection. One request at a time has it.
type conn struct {
	net.Conn // TLS over wire, or wire itself
	wire     *wire
	origin   origin
	r        *bufio.Reader
	kept     time.Time   // since when it was idle last; zero if it never was
	release  func() bool // ends its request's hold on it; false where the request was cancelled
}

// silent tells whether nothing came while the connection was idle. What came
// unasked would be taken for the next answer: perhaps another object, with a
// checksum that is right. It looks through TLS, whose own buffer may hold it
// and whose session tickets are no answer.
func (c *conn) silent() bool {
	c.wire.look = true
	_, err := c.Conn.Read(make([]byte, 1))
	c.wire.look = false
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// The headers of an answer may have maxHeader bytes: S3's have less than 10 KB.
const (
	maxHeader = 1 << 20
	unlimited = math.MaxInt
)

var errHeader = errors.New("the answer's header is longer than 1 MB")

// wire is a TCP connection. A read of it fails after a silence of stall.
type wire struct {
	net.Conn
	stall time.Duration
	left  int  // bytes that may still be read
	look  bool // a read does not wait, but fails as if by its deadline
}

func (w *wire) Read(p []byte) (n int, err error) {
	if err := w.SetReadDeadline(time.Now().Add(w.stall)); err != nil {
		return 0, err
	}
	if w.look {
		return w.available(p)
	}
	n, err = w.Conn.Read(p)
	if w.left -= n; w.left < 0 {
		return 0, errHeader
	}
	return n, err
}

// available reads what has come already.
func (w *wire) available(p []byte) (n int, err error) {
	raw, err := w.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	if err := raw.Read(func(fd uintptr) bool {
		n, failed = syscall.Read(int(fd), p) // Go's sockets do not block
		return true
	}); err != nil {
		return 0, err
	}
	switch {
	case failed == syscall.EAGAIN:
		return 0, os.ErrDeadlineExceeded
	case failed != nil:
		return 0, failed
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
