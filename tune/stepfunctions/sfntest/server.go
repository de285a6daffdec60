// Package sfntest is a Step Functions for tests: an http.Handler that speaks
// its JSON protocol, behind which a Power Tuning state machine answers as the
// real one does, and fails as it is told to (see [Parse]). Nothing in it waits
// for a clock: an execution ends after it has been looked at so many times.
//
// A client finds it by AWS_ENDPOINT_URL_SFN.
package sfntest

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

const protocol = "application/x-amz-json-1.0"

// Server is one account's Step Functions, with one state machine of any ARN.
// It is made by [New].
type Server struct {
	mu         sync.Mutex
	script     Script
	requests   []Request
	executions []*Execution
	overlaps   int
}

// Request is a request that a Server was sent, a faulty answer or not.
type Request struct {
	Operation string // StartExecution
	Region    string // that it was signed for
	Body      string
}

// New makes a Server that follows the script.
func New(script Script) *Server {
	s := &Server{script: script}
	for i, function := range script.busy {
		s.executions = append(s.executions, foreign(i+1, function))
	}
	return s
}

// Requests returns what was asked so far, in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Executions returns those that were started through the Server, in order.
func (s *Server) Executions() []Execution {
	s.mu.Lock()
	defer s.mu.Unlock()
	var started []Execution
	for _, e := range s.executions {
		if !e.foreign {
			started = append(started, *e)
		}
	}
	return started
}

// Overlaps returns how many executions were started while another one ran for
// the same function. It must be 0.
func (s *Server) Overlaps() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.overlaps
}

// Follow replaces the script: of the executions that run, too.
func (s *Server) Follow(script Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// ServeHTTP answers one operation.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	operation, _ := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AWSStepFunctions.")

	s.mu.Lock()
	s.requests = append(s.requests, Request{operation, signedRegion(r), string(body)})
	fault := s.script.next(operation)
	var answer any
	if fault == "" || fault == lost || fault == half {
		answer = s.operate(operation, body)
	} else {
		answer = failure{fault, "the script says so"}
	}
	s.mu.Unlock()

	switch fault {
	case cut, lost:
		panic(http.ErrAbortHandler)
	case stall:
		<-r.Context().Done()
		return
	}
	reply(w, answer, fault == half)
}

func reply(w http.ResponseWriter, answer any, cutInTheMiddle bool) {
	status := http.StatusOK
	if f, ok := answer.(failure); ok {
		status = f.status()
		answer = map[string]string{"__type": f.code, "message": f.message}
	}
	b, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", protocol)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	if cutInTheMiddle {
		b = b[:len(b)/2]
	}
	_, _ = w.Write(b) // a client that has gone away does not matter
	if cutInTheMiddle {
		panic(http.ErrAbortHandler)
	}
}

// failure is an error answer.
type failure struct{ code, message string }

func (f failure) status() int {
	switch f.code {
	case "InternalServerError", "InternalFailure":
		return http.StatusInternalServerError
	case "ServiceUnavailable":
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// signedRegion reads the region from a signature's credential scope:
// Credential=KEY/DATE/REGION/states/aws4_request.
func signedRegion(r *http.Request) string {
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if parts := strings.Split(scope, "/"); len(parts) > 3 && parts[3] == "states" {
		return parts[2]
	}
	return ""
}
