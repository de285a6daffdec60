package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// transport is an HTTP/1.1 client that writes a request and reads its answer in
// the goroutine that asks. net/http hands both to two goroutines of the
// connection, which costs a third of a read. What has a body, goes through a
// proxy or is redirected is left to net/http. It opens no more connections than
// there are requests at once.
type transport struct {
	general  *awshttp.BuildableClient
	settings *http.Transport // of general: dialer, certificates, proxy
	stall    time.Duration

	mu   sync.Mutex
	idle map[origin][]*conn // the one that was used last stands last
}

type origin struct{ scheme, host string }

func newTransport(general *awshttp.BuildableClient, stall time.Duration) *transport {
	general = general.WithTransportOptions(func(t *http.Transport) {
		dial := t.DialContext
		t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dial(ctx, network, addr)
			if err == nil {
				tallyOf(ctx).connections.Add(1)
			}
			return c, err
		}
	})
	return &transport{general: general, settings: general.GetTransport(), stall: stall, idle: map[origin][]*conn{}}
}

// errUnanswered is a kept connection that ended before the first byte of an
// answer: the server may have closed it before the request came.
var errUnanswered = errors.New("the connection was closed before an answer")

// Do sends the request. It is sent once more, and on a new connection, where a
// kept one turns out to be closed.
func (t *transport) Do(r *http.Request) (*http.Response, error) {
	proxy, err := t.settings.Proxy(r)
	if err != nil || proxy != nil || r.Body != nil && r.Body != http.NoBody {
		return t.general.Do(r)
	}
	resp, err := t.send(r)
	switch {
	case r.Context().Err() != nil && err != nil:
		return nil, context.Cause(r.Context())
	case err == nil && (resp.StatusCode == http.StatusTemporaryRedirect || resp.StatusCode == http.StatusPermanentRedirect):
		_ = resp.Body.Close()
		return t.general.Do(r) // it asks once more, and follows
	}
	return resp, err
}

func (t *transport) send(r *http.Request) (*http.Response, error) {
	o := origin{r.URL.Scheme, r.URL.Host}
	if c := t.take(o); c != nil {
		resp, err := t.exchange(c, r)
		if !errors.Is(err, errUnanswered) || r.Context().Err() != nil {
			return resp, err
		}
	}
	progressOf(r.Context()).phase = connecting
	c, err := t.dial(r.Context(), o, r.URL.Hostname(), r.URL.Port())
	if err != nil {
		return nil, err
	}
	return t.exchange(c, r)
}

// take returns an idle connection, or nil.
func (t *transport) take(o origin) *conn {
	for {
		t.mu.Lock()
		idle := t.idle[o]
		if len(idle) == 0 {
			t.mu.Unlock()
			return nil
		}
		c := idle[len(idle)-1]
		t.idle[o] = idle[:len(idle)-1]
		t.mu.Unlock()
		if time.Since(c.kept) < t.stall && c.silent() {
			return c
		}
		_ = c.wire.Close()
	}
}

// keep has c for a later request, and closes those that were idle for too long.
func (t *transport) keep(c *conn) {
	c.kept = time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	idle := t.idle[c.origin]
	old := 0
	for ; old < len(idle) && c.kept.Sub(idle[old].kept) >= t.stall; old++ {
		_ = idle[old].wire.Close()
	}
	t.idle[c.origin] = append(slices.Delete(idle, 0, old), c)
}

func (t *transport) dial(ctx context.Context, o origin, host, port string) (*conn, error) {
	if port == "" {
		port = o.scheme // "http" and "https" are names of ports
	}
	opened, err := t.settings.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: opened, stall: t.stall, left: unlimited}
	c := &conn{Conn: w, wire: w, origin: o}
	if o.scheme == "https" {
		config := t.settings.TLSClientConfig.Clone()
		config.ServerName = host
		secure := tls.Client(w, config)
		ctx, cancel := context.WithTimeout(ctx, t.settings.TLSHandshakeTimeout)
		defer cancel()
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = w.Close()
			return nil, err
		}
		c.Conn = secure
	}
	c.r = bufio.NewReader(c.Conn)
	return c, nil
}

var writers = sync.Pool{New: func() any { return bufio.NewWriter(nil) }}

// exchange sends r on c and reads the answer's header. The connection is free
// again at the end of the body.
func (t *transport) exchange(c *conn, r *http.Request) (resp *http.Response, err error) {
	// A deadline would be overwritten by the next read's.
	c.release = context.AfterFunc(r.Context(), func() { _ = c.wire.Close() })
	defer func() {
		if err != nil {
			c.release()
			_ = c.wire.Close()
		}
	}()
	p := progressOf(r.Context())
	p.phase = waiting
	c.wire.left = maxHeader
	w := writers.Get().(*bufio.Writer)
	defer writers.Put(w)
	w.Reset(c.Conn)
	if err = errors.Join(r.Write(w), w.Flush()); err == nil {
		_, err = c.r.Peek(1)
	}
	if err != nil {
		if !c.kept.IsZero() && !errors.Is(err, os.ErrDeadlineExceeded) {
			err = errors.Join(errUnanswered, err)
		}
		return nil, err
	}
	p.phase = reading
	for resp == nil || resp.StatusCode < 200 { // 1xx announce an answer
		if resp, err = http.ReadResponse(c.r, r); err != nil {
			return nil, err
		}
	}
	c.wire.left = unlimited
	resp.Body = &answer{resp.Body, t, c, !resp.Close}
	return resp, nil
}

// answer is a body that gives its connection back.
type answer struct {
	io.ReadCloser
	t    *transport
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
	if c.release() && keep && c.r.Buffered() == 0 {
		a.t.keep(c)
	} else {
		_ = c.wire.Close()
	}
}
