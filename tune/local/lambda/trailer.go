package lambda

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"

	"lambda-parallel-io/handler/platform"
)

// readAnswer reads an answer of at most one byte more than Lambda allows, and its
// trailers. The reply goes to the writer that it returns. net/http's server refuses
// trailers of more than 4 KB, such as an error with its stack trace, and leaves them
// unread: then readAnswer takes the connection over and reads them itself.
func readAnswer(w http.ResponseWriter, r *http.Request) ([]byte, http.Header, http.ResponseWriter, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, platform.MaxResponse+1))
	if err == nil || !strings.Contains(err.Error(), "suspiciously long trailer") {
		return body, r.Trailer, w, err
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, w, err
	}
	rest := bufio.NewReader(io.LimitReader(buffered, platform.MaxResponse))
	trailer, err := textproto.NewReader(rest).ReadMIMEHeader()
	if err != nil {
		return nil, nil, w, errors.Join(err, conn.Close())
	}
	return body, http.Header(trailer), &lastReply{conn: conn, header: http.Header{}}, nil
}

// lastReply writes one reply to a connection and closes it.
type lastReply struct {
	conn   net.Conn
	header http.Header
	status int
}

func (l *lastReply) Header() http.Header    { return l.header }
func (l *lastReply) WriteHeader(status int) { l.status = status }

func (l *lastReply) Write(body []byte) (int, error) {
	reply := http.Response{
		StatusCode: l.status, ProtoMajor: 1, ProtoMinor: 1, Header: l.header, Close: true,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	return len(body), errors.Join(reply.Write(l.conn), l.conn.Close())
}
