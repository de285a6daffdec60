package lambda

import (
	"bufio"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"sync/atomic"
	"time"

	"lambda-parallel-io/handler/platform"

	"github.com/google/uuid"
)

// runtimeAPI serves the Lambda Runtime API to one process, and the Lambda Extensions API to extensions inside it.
// Sources: AWS Lambda Developer Guide, "Using the Lambda runtime API" and "Using the Lambda Extensions API to create
// extensions".
type runtimeAPI struct {
	http     *http.Server
	variable string            // its address, KEY=VALUE: only the process and those that it starts have it
	about    map[string]string // the function, for extensions

	polled  chan struct{} // receives when a process asks for the next event
	events  chan *event   // hands it over
	answers chan answer   // has room for one, so that the process does not wait
	current atomic.Value  // the identifier of the event that was handed over and is not yet answered, or ""

	extension string      // the identifier of all extensions
	extended  atomic.Bool // the process has registered one
}

type event struct {
	id      string
	payload []byte
	header  map[string]string
}

// answer is the process's answer to an event, or the error of its INIT.
type answer struct {
	at      time.Time
	payload []byte
	err     *FunctionError
}

func startRuntimeAPI(function string, logs *log.Logger) (*runtimeAPI, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the local Lambda Runtime API: %w", err)
	}
	mux := http.NewServeMux()
	api := &runtimeAPI{
		http:     &http.Server{Handler: mux, ErrorLog: cmp.Or(logs, log.Default()), ReadHeaderTimeout: time.Minute},
		about:    map[string]string{"functionName": function, "functionVersion": "$LATEST", "handler": "bootstrap"},
		variable: "AWS_LAMBDA_RUNTIME_API=" + ln.Addr().String(), extension: uuid.NewString(),
		polled: make(chan struct{}), events: make(chan *event), answers: make(chan answer, 1),
	}
	api.current.Store("")
	const runtime, extension = "/2018-06-01/runtime/", "/2020-01-01/extension/"
	mux.HandleFunc("GET "+runtime+"invocation/next", api.next)
	mux.HandleFunc("POST "+runtime+"invocation/{id}/response", api.response)
	mux.HandleFunc("POST "+runtime+"invocation/{id}/error", api.error)
	mux.HandleFunc("POST "+runtime+"init/error", api.error)
	mux.HandleFunc("POST "+extension+"register", api.register)
	mux.HandleFunc("GET "+extension+"event/next", api.noEvent)
	go func() { _ = api.http.Serve(ln) }() // until it is closed
	return api, nil
}

func (api *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	if api.current.Load() != "" {
		reply(w, http.StatusForbidden, &FunctionError{"InvalidStateTransition", "the last invocation has not been answered"})
		return
	}
	select {
	case api.polled <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	select {
	case e := <-api.events:
		api.current.Store(e.id)
		for name, value := range e.header {
			w.Header().Set(name, value)
		}
		_, _ = w.Write(e.payload) // alive tells if the process has ended
	case <-r.Context().Done():
	}
}

// take reports whether the request answers the event, which it can once.
func (api *runtimeAPI) take(w http.ResponseWriter, r *http.Request) bool {
	taken := api.current.CompareAndSwap(r.PathValue("id"), "")
	if !taken {
		reply(w, http.StatusBadRequest, &FunctionError{"InvalidRequestID", "there is no such invocation, or it has been answered"})
	}
	return taken
}

func (api *runtimeAPI) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, platform.MaxResponse+1))
	var conn net.Conn
	if err != nil && strings.Contains(err.Error(), "suspiciously long trailer") {
		// net/http's server refuses trailers of more than 4 KB, such as a stack trace, and leaves them unread.
		taken, unread, _ := http.NewResponseController(w).Hijack() // HTTP/1.1 allows it
		defer taken.Close()
		rest := bufio.NewReader(io.LimitReader(unread, platform.MaxResponse))
		trailer, broken := textproto.NewReader(rest).ReadMIMEHeader()
		conn, r.Trailer, err = taken, http.Header(trailer), broken
	}
	if conn != nil { // the reply has no body
		w = &lastReply{ResponseWriter: w, conn: conn}
	}
	if err != nil || !api.take(w, r) { // a request that broke off is no answer
		return
	}
	a, status, reason := answer{at: time.Now(), payload: body}, http.StatusAccepted, any(accepted)
	if kind := r.Trailer.Get(errorType); kind != "" { // a streamed answer failed
		cause, _ := base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
		a.payload, a.err = nil, functionError(kind, cause)
	}
	if len(body) > platform.MaxResponse {
		const message = "Response payload size exceeded maximum allowed payload size (%d bytes)."
		a.payload, a.err = nil, &FunctionError{"Function.ResponseSizeTooLarge", fmt.Sprintf(message, platform.MaxResponse)}
		status, reason = http.StatusRequestEntityTooLarge, a.err
	}
	api.answers <- a
	reply(w, status, reason)
}

// lastReply writes the status of a reply to a connection that was taken over.
type lastReply struct {
	http.ResponseWriter
	conn net.Conn
}

func (l *lastReply) WriteHeader(status int) {
	_ = (&http.Response{StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Close: true}).Write(l.conn)
}

func (l *lastReply) Write(body []byte) (int, error) { return len(body), nil }

// error takes the error of an invocation, or of INIT, which has no identifier.
func (api *runtimeAPI) error(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("id") == "" || api.take(w, r) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, platform.MaxResponse)) // a part of it is better than none
		api.answers <- answer{at: time.Now(), err: functionError(r.Header.Get(errorType), body)}
		reply(w, http.StatusAccepted, accepted)
	}
}

// register registers an extension inside the process. It must want no event. A process with an extension gets a
// SIGTERM before its end: aws-lambda-go's WithEnableSIGTERM registers for that.
func (api *runtimeAPI) register(w http.ResponseWriter, r *http.Request) {
	var wanted struct{ Events []string }
	if json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&wanted) != nil {
		reply(w, http.StatusBadRequest, &FunctionError{"InvalidRequestFormat", "the body must be a JSON object with events"})
		return
	}
	if len(wanted.Events) > 0 {
		const message = "extension %s asks for %s: the local model hands no event to extensions; register for none, or measure on AWS"
		refusal := fmt.Sprintf(message, r.Header.Get("Lambda-Extension-Name"), strings.Join(wanted.Events, " and "))
		api.http.ErrorLog.Print(refusal)
		reply(w, http.StatusForbidden, &FunctionError{"Extension.InvalidEventType", refusal})
		return
	}
	api.extended.Store(true)
	w.Header().Set(identifier, api.extension)
	reply(w, http.StatusOK, api.about)
}

// noEvent lets an extension wait for an event that never comes.
func (api *runtimeAPI) noEvent(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(identifier) != api.extension { // it knows that only from its registration
		reply(w, http.StatusForbidden, &FunctionError{"Extension.UnknownExtensionIdentifier", "no extension has registered as this " + identifier})
		return
	}
	<-r.Context().Done()
}

const (
	errorType  = "Lambda-Runtime-Function-Error-Type" // a header, or a trailer of a streamed answer
	identifier = "Lambda-Extension-Identifier"
)

// FunctionError is an invocation's failure in Lambda's own words.
type FunctionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (e *FunctionError) Error() string { return strings.TrimPrefix(e.Type+": "+e.Message, ": ") }

// functionError uses the body itself as the message if it is no error in JSON.
func functionError(kind string, body []byte) *FunctionError {
	var e FunctionError
	if json.Unmarshal(body, &e) != nil || e.Message == "" {
		e.Message = string(body)
	}
	e.Type = cmp.Or(e.Type, kind)
	return &e
}

var accepted = map[string]string{"status": "OK"}

func reply(w http.ResponseWriter, status int, body any) {
	raw, _ := json.Marshal(body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(raw)
}
