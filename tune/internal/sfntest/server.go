// Package sfntest is a Step Functions for tests, and as much of Lambda as tells
// what a function is: an http.Handler that speaks their protocols. Behind it a
// Power Tuning state machine answers for a made-up function, or as the real one
// did in one of the recordings, or fails as it is told to (see [Server.Follow]). Nothing
// in it waits for a clock: an execution ends after it has been looked at so
// many times.
//
// A client finds it by AWS_ENDPOINT_URL.
package sfntest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"lambda-parallel-io/tune/powertuning"
)

// Server is one account's Step Functions, with one state machine of any ARN.
// It is made by [New].
type Server struct {
	Edit func(recording string) string // makes of a recording what was not recorded; may be nil

	// Averages returns, in ms, what Power Tuning answers to an input of one size; may be nil.
	Averages func(in powertuning.Input) float64

	mu         sync.Mutex
	requests   []string
	executions []*Execution
	overlaps   int

	// The script.
	ends     map[string]string // by the payload's strategy
	looks    int               // looks at an execution that find it running
	faults   []*fault
	function string // its configuration, as JSON
}

type fault struct {
	operation, kind string
	after, times    int
}

// New makes a Server that follows a script: see [Server.Follow].
func New(words string) (*Server, error) {
	s := new(Server)
	return s, s.Follow(words)
}

// Follow makes a script that of the Server, and of the executions that run. A
// script has words of the form
//
//	STRATEGY=END            how the execution of that payload ends: succeeds, runs (it does not end), or
//	                        the name of a recording, as it did; with RECORDING@ID aborted after that event
//	OPERATION=FAULT:N@M     N requests (1) of the operation fail, after the first M (0): the connection is
//	                        closed without an answer (cut), in the middle of it (half), or when the operation
//	                        is done (lost), no answer comes (stall), or it is an error of the code FAULT
//	looks=N                 how many looks at an execution find it running (1)
//	busy=ARN                someone else's execution runs for that function
//	function=JSON           its configuration, {"MemorySize":2304,"Timeout":600,"Architectures":["arm64"]}
//
// Without any everything succeeds.
func (s *Server) Follow(words string) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends, s.looks, s.faults = map[string]string{}, 1, nil
	s.function = `{"MemorySize":2304,"Timeout":600,"Architectures":["arm64"]}`
	for _, word := range strings.Fields(words) {
		key, value, _ := strings.Cut(word, "=")
		switch {
		case key == "looks":
			s.looks, err = strconv.Atoi(value)
		case key == "function":
			s.function = value
		case key == "busy":
			s.executions = append(s.executions, someoneElses(len(s.executions)+1, value))
		case faulty.MatchString(word):
			m := faulty.FindStringSubmatch(word)
			f := &fault{operation: m[1], kind: m[2]}
			f.times, _ = strconv.Atoi(cmp.Or(m[3], "1")) // digits alone
			f.after, _ = strconv.Atoi(m[4])
			s.faults = append(s.faults, f)
		default:
			s.ends[key] = value
			if value != "succeeds" && value != "runs" {
				_, err = recorded(value)
			}
		}
		if err != nil {
			return fmt.Errorf("script: %s: %w", word, err)
		}
	}
	return nil
}

var faulty = regexp.MustCompile(`^([A-Z]\w+)=(\w+)(?::(\d+))?(?:@(\d+))?$`)

// next returns the fault of the next request of the operation; empty for none.
func (s *Server) next(operation string) string {
	for _, f := range s.faults {
		switch {
		case f.operation != operation:
		case f.after > 0:
			f.after--
		case f.times > 0:
			f.times--
			return f.kind
		}
	}
	return ""
}

// Requests returns the operations that were asked for so far, in order, with a
// faulty answer or without: StartExecution.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Executions returns those that were started through the Server, in order.
func (s *Server) Executions() (started []Execution) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.executions {
		if e.Name != "" {
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

// ServeHTTP answers one operation.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a client that has gone away gets no answer
	operation, _ := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AWSStepFunctions.")
	if strings.HasSuffix(r.URL.Path, "/configuration") {
		operation = "GetFunctionConfiguration"
	}

	s.mu.Lock()
	s.requests = append(s.requests, operation)
	fault := s.next(operation)
	var answer any = failure{fault, "the script says so"}
	if fault == "" || fault == "lost" || fault == "half" {
		answer = s.operate(operation, body)
	}
	s.mu.Unlock()

	switch fault {
	case "cut", "lost":
		panic(http.ErrAbortHandler)
	case "stall":
		<-r.Context().Done()
		return
	}
	status := http.StatusOK
	if f, ok := answer.(failure); ok {
		if status = http.StatusBadRequest; f.code == "InternalServerError" || f.code == "ServiceUnavailable" {
			status = http.StatusServiceUnavailable
		}
		answer = map[string]string{"__type": f.code, "message": f.message}
	}
	b, _ := json.Marshal(answer) // strings, numbers, and what was JSON before
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	if fault == "half" {
		_, _ = w.Write(b[:len(b)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(b) // a client that has gone away does not matter
}

// failure is an error answer.
type failure struct{ code, message string }
