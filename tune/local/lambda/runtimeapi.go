package lambda

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"lambda-parallel-io/handler/platform"
)

// runtimeAPI serves the Lambda Runtime API to one process at a time.
// Source: AWS Lambda Developer Guide, "Using the Lambda runtime API".
type runtimeAPI struct {
	http *http.Server
	addr string

	polled  chan struct{} // receives when a process asks for the next event
	events  chan *event   // hands it over
	answers chan answer   // has room for one, so that the process does not wait

	current    atomic.Pointer[event] // handed over, not yet answered
	registered sync.Map              // the identifiers of the process's extensions
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
	api := &runtimeAPI{addr: ln.Addr().String(), polled: make(chan struct{}), events: make(chan *event), answers: make(chan answer, 1)}
	const apiPrefix = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+apiPrefix+"invocation/next", api.next)
	mux.HandleFunc("POST "+apiPrefix+"invocation/{id}/response", api.response)
	mux.HandleFunc("POST "+apiPrefix+"invocation/{id}/error", api.error)
	mux.HandleFunc("POST "+apiPrefix+"init/error", api.error)
	api.extensions(mux, function)
	api.http = &http.Server{Handler: mux, ErrorLog: cmp.Or(logs, log.Default()), ReadHeaderTimeout: time.Minute}
	go func() { _ = api.http.Serve(ln) }() // until it is closed
	return api, nil
}

func (api *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	if api.current.Load() != nil {
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
		api.current.Store(e)
		for name, value := range e.header {
			w.Header().Set(name, value)
		}
		_, _ = w.Write(e.payload) // alive tells if the process has ended
	case <-r.Context().Done():
	}
}

// forget drops the unanswered event, the unread answer and the extensions of a
// process that has ended.
func (api *runtimeAPI) forget() {
	api.current.Store(nil)
	api.registered.Clear()
	select {
	case <-api.answers:
	default:
	}
}

// take reports whether the request answers the event, which it can once.
func (api *runtimeAPI) take(w http.ResponseWriter, r *http.Request) bool {
	e := api.current.Load()
	if e == nil || e.id != r.PathValue("id") || !api.current.CompareAndSwap(e, nil) {
		reply(w, http.StatusBadRequest, &FunctionError{"InvalidRequestID", "there is no such invocation, or it has been answered"})
		return false
	}
	return true
}

func (api *runtimeAPI) response(w http.ResponseWriter, r *http.Request) {
	body, trailer, w, err := readAnswer(w, r)
	if err != nil || !api.take(w, r) { // a request that broke off is no answer
		return
	}
	a, status, reason := answer{at: time.Now(), payload: body}, http.StatusAccepted, any(accepted)
	if kind := trailer.Get(errorType); kind != "" { // a streamed answer failed
		cause, _ := base64.StdEncoding.DecodeString(trailer.Get("Lambda-Runtime-Function-Error-Body"))
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

// error takes the error of an invocation, or of INIT, which has no identifier.
func (api *runtimeAPI) error(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("id") == "" || api.take(w, r) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, platform.MaxResponse)) // a part of it is better than none
		api.answers <- answer{at: time.Now(), err: functionError(r.Header.Get(errorType), body)}
		reply(w, http.StatusAccepted, accepted)
	}
}

// errorType is a header, or a trailer of a streamed answer.
const errorType = "Lambda-Runtime-Function-Error-Type"

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
