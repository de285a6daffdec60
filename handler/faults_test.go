package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"time"
)

// The faults that S3 or the network can cause.

// refuse answers with an error in S3's format.
func refuse(status int, code, message string, header ...string) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message><RequestId>R1</RequestId></Error>", code, message)
	}
}

var (
	slowDown      = refuse(503, "SlowDown", "Please reduce your request rate.")
	internalError = refuse(500, "InternalError", "We encountered an internal error. Please try again.")
)

// resetBefore resets the TCP connection instead of answering.
func resetBefore(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder) { reset(w) }

// resetWithin resets it in the middle of the body.
func resetWithin(w http.ResponseWriter, _ *http.Request, whole *httptest.ResponseRecorder) {
	sendHalf(w, whole)
	reset(w)
}

// cut ends the body early and closes the connection normally.
func cut(w http.ResponseWriter, _ *http.Request, whole *httptest.ResponseRecorder) {
	sendHalf(w, whole)
	panic(http.ErrAbortHandler)
}

// longer sends more bytes than its Content-Length says.
func longer(w http.ResponseWriter, _ *http.Request, whole *httptest.ResponseRecorder) {
	conn := hijack(w)
	defer conn.Close()
	whole.Header().Set("Content-Length", strconv.Itoa(whole.Body.Len()-1000))
	fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n")
	_ = whole.Header().Write(conn)
	fmt.Fprintf(conn, "\r\n%s", whole.Body)
}

// corrupt flips a bit of the body.
func corrupt(w http.ResponseWriter, _ *http.Request, whole *httptest.ResponseRecorder) {
	body := whole.Body.Bytes()
	if whole.Code == http.StatusOK { // an error response has no checksum, and a flipped bit would change its code
		body[len(body)/2] ^= 1
	}
	serve(w, whole, body)
}

// wrongChecksum sends the whole body with the checksum of another body.
func wrongChecksum(w http.ResponseWriter, _ *http.Request, whole *httptest.ResponseRecorder) {
	whole.Header().Set("X-Amz-Checksum-Crc32", "AAAAAA==")
	serve(w, whole, whole.Body.Bytes())
}

// stallBefore never answers; stallWithin never finishes its answer.
func stallBefore(_ http.ResponseWriter, r *http.Request, _ *httptest.ResponseRecorder) {
	<-r.Context().Done()
}

func stallWithin(w http.ResponseWriter, r *http.Request, whole *httptest.ResponseRecorder) {
	sendHalf(w, whole)
	<-r.Context().Done()
}

// slowBody sends the body in ten parts with pauses.
func slowBody(w http.ResponseWriter, _ *http.Request, whole *httptest.ResponseRecorder) {
	body := whole.Body.Bytes()
	serve(w, whole, nil)
	for part := range 10 {
		_, _ = w.Write(body[part*len(body)/10 : (part+1)*len(body)/10])
		_ = http.NewResponseController(w).Flush()
		time.Sleep(20 * time.Millisecond)
	}
}

// late answers after d, unless the client has gone by then.
// first answers one request so, and all later ones otherwise.
func first(f, then fault) fault {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request, whole *httptest.ResponseRecorder) {
		if n.Add(1) > 1 {
			then(w, r, whole)
			return
		}
		f(w, r, whole)
	}
}

func late(d time.Duration) fault {
	return func(w http.ResponseWriter, r *http.Request, whole *httptest.ResponseRecorder) {
		select {
		case <-time.After(d):
			serve(w, whole, whole.Body.Bytes())
		case <-r.Context().Done():
		}
	}
}

// sendHalf sends all headers and half of the body.
func sendHalf(w http.ResponseWriter, whole *httptest.ResponseRecorder) {
	whole.Header().Set("Content-Length", strconv.Itoa(whole.Body.Len()))
	serve(w, whole, whole.Body.Bytes()[:whole.Body.Len()/2])
	_ = http.NewResponseController(w).Flush()
}

func hijack(w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	return conn
}

func reset(w http.ResponseWriter) {
	conn := hijack(w)
	tcp := conn.(*tls.Conn).NetConn().(*net.TCPConn)
	_ = tcp.SetLinger(0) // close by RST
	_ = tcp.Close()
}
