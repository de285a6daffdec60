// Package sfntest is a fake of Step Functions, and of the Lambda call that describes a function: an
// http.Handler that speaks their protocols, which a client finds by AWS_ENDPOINT_URL. Its Power Tuning
// state machine answers for an invented function, replays a recording of the real one, or fails, as its
// script says: see [Server.Follow]. It never waits: an execution ends after a number of polls.
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

// Server is one account with one state machine, of any ARN. It is made by [New].
type Server struct {
	Edit     func(recording string) string      // changes a recording before it is replayed; may be nil
	Averages func(in powertuning.Input) float64 // ms that Power Tuning answers for an input of one size; may be nil

	mu         sync.Mutex
	requests   []string
	executions []*Execution
	overlaps   int

	// The script.
	ends     map[string]string // by the payload's strategy
	looks    int               // polls of an execution that find it running
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

// Follow replaces the script, also for executions that already run. Without words everything succeeds. A
// word is one of
//
//	STRATEGY=END            how the execution of that payload ends: succeeds, runs (it does not end), or
//	                        the name of a recording, as it did; with RECORDING@ID aborted after that event
//	OPERATION=FAULT:N@M     N requests (1) of the operation fail, after the first M (0): the connection is
//	                        closed without an answer (cut), in the middle of it (half), or when the operation
//	                        is done (lost), no answer comes (stall), or it is an error of the code FAULT
//	looks=N                 polls of an execution that find it running (1)
//	busy=ARN                someone else's execution runs for that function
//	function=JSON           its configuration, {"MemorySize":2304,"Timeout":600,"Architectures":["arm64"]}
func (s *Server) Follow(words string) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends, s.looks, s.faults = map[string]string{}, 1, nil
	s.function = `{"MemorySize":2304,"Timeout":600,"Architectures":["arm64"]}`
	for _, word := range strings.Fields(words) {
		key, value, _ := strings.Cut(word, "=")
		switch m := faulty.FindStringSubmatch(word); {
		case key == "looks":
			s.looks, err = strconv.Atoi(value)
		case key == "function":
			s.function = value
		case key == "busy":
			arn := fmt.Sprintf("arn:aws:states:us-east-1:123456789012:execution:powerTuningStateMachine:someone-else-%d", len(s.executions)+1)
			in := fmt.Sprintf(`{"lambdaARN": %q, "num": 5}`, value)
			s.executions = append(s.executions, &Execution{ARN: arn, Input: in, Status: "RUNNING", StartDate: dayOne})
		case m != nil:
			f := &fault{operation: m[1], kind: m[2]}
			f.times, _ = strconv.Atoi(cmp.Or(m[3], "1")) // digits
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

// next returns the fault of the operation's next request, or "".
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

// Requests returns the operations that were requested, such as StartExecution, in order.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Executions returns the executions that clients have started, in order.
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

// Overlaps returns how many executions were started while another one ran for the same function.
func (s *Server) Overlaps() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.overlaps
}

// ServeHTTP answers one operation.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AWSStepFunctions.")
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
		if status = http.StatusBadRequest; f.Code == "InternalServerError" || f.Code == "ServiceUnavailable" {
			status = http.StatusServiceUnavailable
		}
	}
	b, _ := json.Marshal(answer) // cannot fail: strings, numbers, and JSON
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	if fault == "half" {
		b = b[:len(b)/2] // net/http closes a connection on which less than Content-Length was written
	}
	_, _ = w.Write(b)
}

// failure is an error answer.
type failure struct {
	Code    string `json:"__type"`
	Message string `json:"message"`
}
