package lambda

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// The headers of the Runtime API, as aws-lambda-go's runtime_api_client reads
// them.
const (
	headerRequestID   = "Lambda-Runtime-Aws-Request-Id"
	headerDeadline    = "Lambda-Runtime-Deadline-Ms"
	headerFunctionARN = "Lambda-Runtime-Invoked-Function-Arn"
	headerTraceID     = "Lambda-Runtime-Trace-Id"
	headerErrorType   = "Lambda-Runtime-Function-Error-Type"

	apiPrefix = "/2018-06-01/runtime/"
)

// runtimeAPI serves the Lambda Runtime API to one process at a time.
// Source: AWS Lambda Developer Guide, "Using the Lambda runtime API".
type runtimeAPI struct {
	http   *http.Server
	addr   string
	served errgroup.Group

	idle    func()              // called when a process asks for the next event
	polled  chan *poll          // then sent
	initErr chan *FunctionError // what a process posted to init/error

	current atomic.Pointer[event] // handed over and not answered
}

// poll is a process's request for the next event. It is answered by sending
// the event. Its context ends when the process no longer waits.
type poll struct {
	context.Context
	at     time.Time
	events chan *event
}

// event is one invocation on its way to the process and back.
type event struct {
	id       string
	payload  []byte
	deadline time.Time
	arn      string
	trace    string
	handed   chan time.Time // when it was handed over
	answers  chan answer    // the first answer; the sender does not wait
}

// answer is what a process made of an event.
type answer struct {
	at      time.Time
	payload []byte
	err     *FunctionError
}

func startRuntimeAPI(idle func(), logs *log.Logger) (*runtimeAPI, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the local Lambda Runtime API: %w", err)
	}
	api := &runtimeAPI{
		addr:    ln.Addr().String(),
		idle:    idle,
		polled:  make(chan *poll),
		initErr: make(chan *FunctionError, 1),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+apiPrefix+"invocation/next", api.next)
	mux.HandleFunc("POST "+apiPrefix+"invocation/{id}/response", api.response)
	mux.HandleFunc("POST "+apiPrefix+"invocation/{id}/error", api.error)
	mux.HandleFunc("POST "+apiPrefix+"init/error", api.initError)
	api.http = &http.Server{Handler: mux, ErrorLog: logs, ReadHeaderTimeout: time.Minute}
	api.served.Go(func() error { return api.http.Serve(ln) })
	return api, nil
}

func (api *runtimeAPI) close() error {
	err := api.http.Close()
	if served := api.served.Wait(); !errors.Is(served, http.ErrServerClosed) {
		return errors.Join(err, fmt.Errorf("serving the local Lambda Runtime API: %w", served))
	}
	return err
}

func (api *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	if api.current.Load() != nil {
		reply(w, http.StatusForbidden, &FunctionError{"InvalidStateTransition", "the last invocation has not been answered"})
		return
	}
	p := &poll{r.Context(), time.Now(), make(chan *event)}
	api.idle()
	select {
	case api.polled <- p:
	case <-p.Done():
		return
	}
	select {
	case e := <-p.events:
		api.current.Store(e)
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set(headerRequestID, e.id)
		h.Set(headerDeadline, strconv.FormatInt(e.deadline.UnixMilli(), 10))
		h.Set(headerFunctionARN, e.arn)
		h.Set(headerTraceID, e.trace)
		e.handed <- time.Now()
		_, _ = w.Write(e.payload) // a process that has gone is noticed by its end
	case <-p.Done():
	}
}

// forget drops what a process that has ended left unanswered and unread.
func (api *runtimeAPI) forget() {
	api.current.Store(nil)
	select {
	case <-api.initErr:
	default:
	}
}

// take returns the event that the request answers, once.
func (api *runtimeAPI) take(w http.ResponseWriter, r *http.Request) *event {
	e := api.current.Load()
	if e == nil || e.id != r.PathValue("id") || !api.current.CompareAndSwap(e, nil) {
		reply(w, http.StatusBadRequest, &FunctionError{"InvalidRequestID", "there is no such invocation, or it has been answered"})
		return nil
	}
	return e
}

func (api *runtimeAPI) response(w http.ResponseWriter, r *http.Request) {
	e := api.take(w, r)
	if e == nil {
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxResponse+1))
	a, status := answer{at: time.Now()}, http.StatusAccepted
	switch {
	case err != nil:
		status = http.StatusBadRequest
		a.err = &FunctionError{"Runtime.TruncatedResponse", fmt.Sprintf("the response broke off: %v", err)}
	case len(body) > maxResponse:
		status = http.StatusRequestEntityTooLarge
		a.err = &FunctionError{"Function.ResponseSizeTooLarge",
			fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponse)}
	default:
		a.payload = body
	}
	e.answers <- a
	reply(w, status, a.err)
}

func (api *runtimeAPI) error(w http.ResponseWriter, r *http.Request) {
	if e := api.take(w, r); e != nil {
		e.answers <- answer{at: time.Now(), err: readError(r)}
		reply(w, http.StatusAccepted, nil)
	}
}

func (api *runtimeAPI) initError(w http.ResponseWriter, r *http.Request) {
	select {
	case api.initErr <- readError(r):
		reply(w, http.StatusAccepted, nil)
	default:
		reply(w, http.StatusForbidden, &FunctionError{"InvalidStateTransition", "an INIT error has been reported already"})
	}
}

// readError reads {"errorMessage": .., "errorType": ..}. Any other body is the
// message as it is.
func readError(r *http.Request) *FunctionError {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxResponse))
	var e FunctionError
	if err != nil || json.Unmarshal(body, &e) != nil || e.Message == "" {
		e.Message = string(body)
	}
	e.Type = cmp.Or(e.Type, r.Header.Get(headerErrorType))
	return &e
}

// reply tells a process what is wrong with its request, nil for nothing.
func reply(w http.ResponseWriter, status int, wrong *FunctionError) {
	body := []byte(`{"status":"OK"}`)
	if wrong != nil {
		body, _ = json.Marshal(wrong)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
