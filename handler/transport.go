package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// transport is an HTTP/1.1 client that writes a request and reads its response in
// the caller's goroutine. net/http leaves both to two goroutines of the connection,
// which accounts for a third of the cost of a read. Requests that have a body, use a
// proxy or are redirected go through net/http. transport opens no more connections
// than there are concurrent requests.
type transport struct {
	general  *awshttp.BuildableClient // net/http's
	settings *http.Transport          // of general: dialer, certificates, proxy
	stall    time.Duration

	mu       sync.Mutex
	idle     []*conn // the most recently used one last
	sweeping bool    // whether a timer is set for sweep
}

func newTransport(general *awshttp.BuildableClient, stall time.Duration) *transport {
	own := general.GetTransport() // a copy
	general = general.WithTransportOptions(func(t *http.Transport) {
		t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := own.DialContext(ctx, network, addr)
			if err == nil {
				tallyOf(ctx).connections.Add(1)
			}
			return c, err
		}
	})
	return &transport{general: general, settings: own, stall: stall}
}

// Do sends the request and returns its response. If a reused connection turns out
// to be closed, Do sends the request once more, on a new connection. When the
// request's context has ended, the error is its cause.
func (t *transport) Do(r *http.Request) (*http.Response, error) {
	proxy, err := t.settings.Proxy(r)
	if err != nil || proxy != nil || r.Body != nil && r.Body != http.NoBody {
		return t.leave(r)
	}
	ctx := r.Context()
	resp, err := t.send(r)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err == nil && (resp.StatusCode == http.StatusTemporaryRedirect || resp.StatusCode == http.StatusPermanentRedirect) {
		_, _ = io.CopyN(io.Discard, resp.Body, maxRedirect) // to its end, which keeps the connection
		_ = resp.Body.Close()
		return t.leave(r) // repeats the request and follows the redirect
	}
	return resp, err
}

// maxRedirect is the most bytes of a redirect's body that are read for the sake of its
// connection. S3 sends less than 1 KB.
const maxRedirect = 64 << 10

// leave sends the request by net/http. It sets the read's phase as exchange does.
func (t *transport) leave(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	p := progressOf(ctx)
	p.phase = connecting
	resp, err := t.general.Do(r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { p.phase = connecting }, // again for each redirect
		GotConn: func(httptrace.GotConnInfo) { p.phase = waiting },
	})))
	if err == nil {
		p.phase = reading
		tallyOf(ctx).answered.Store(true)
	}
	return resp, err
}

func (t *transport) send(r *http.Request) (*http.Response, error) {
	if c := t.take(r); c != nil {
		resp, err := c.exchange(r)
		if !errors.Is(err, errUnanswered) || r.Context().Err() != nil {
			return resp, err
		}
	}
	progressOf(r.Context()).phase = connecting
	c, err := t.dial(r)
	if err != nil {
		return nil, err
	}
	return c.exchange(r)
}

// take returns an idle connection to the host of r, or nil.
func (t *transport) take(r *http.Request) *conn {
	for {
		t.mu.Lock()
		n := len(t.idle) - 1
		if n < 0 {
			t.mu.Unlock()
			return nil
		}
		c := t.idle[n]
		t.idle = t.idle[:n]
		t.mu.Unlock()
		if c.scheme == r.URL.Scheme && c.host == r.URL.Host && time.Since(c.idleSince) < t.stall && c.silent() {
			return c
		}
		_ = c.wire.Close()
	}
}

// keep adds c to the idle connections.
func (t *transport) keep(c *conn) {
	c.idleSince = time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.idle = append(t.idle, c)
	if !t.sweeping {
		t.sweeping = true
		time.AfterFunc(t.stall, t.sweep)
	}
}

// sweep closes the connections that have been idle for stall or longer. While
// others remain, it schedules its next run.
func (t *transport) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := 0
	for ; old < len(t.idle) && time.Since(t.idle[old].idleSince) >= t.stall; old++ {
		_ = t.idle[old].wire.Close()
	}
	t.idle = slices.Delete(t.idle, 0, old)
	if t.sweeping = len(t.idle) > 0; t.sweeping {
		time.AfterFunc(t.stall-time.Since(t.idle[0].idleSince), t.sweep)
	}
}

func (t *transport) dial(r *http.Request) (*conn, error) {
	port := r.URL.Port()
	if port == "" {
		port = r.URL.Scheme // "http" and "https" are also names of ports
	}
	opened, err := t.settings.DialContext(r.Context(), "tcp", net.JoinHostPort(r.URL.Hostname(), port))
	if err != nil {
		return nil, err
	}
	raw, err := opened.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	c := &conn{t: t, scheme: r.URL.Scheme, host: r.URL.Host, wire: &wire{Conn: opened, raw: raw, stall: t.stall}}
	c.in = io.LimitedReader{R: c.wire, N: math.MaxInt64}
	c.out = c.wire
	if c.scheme == "https" {
		config := t.settings.TLSClientConfig.Clone()
		config.ServerName = r.URL.Hostname()
		secure := tls.Client(c.wire, config)
		ctx, cancel := context.WithTimeout(r.Context(), t.settings.TLSHandshakeTimeout)
		defer cancel()
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = c.wire.Close()
			if (ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded)) && r.Context().Err() == nil { // no answer: this was no connection
				err = &net.OpError{Op: "dial", Net: "tcp", Addr: opened.RemoteAddr(), Err: fmt.Errorf("TLS handshake: %w", err)}
			}
			return nil, err
		}
		c.in.R, c.out = secure, secure
	}
	c.buffered = bufio.NewReader(&c.in)
	tallyOf(r.Context()).connections.Add(1)
	return c, nil
}
