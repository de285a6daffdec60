// Package sfntest is a fake of Step Functions, and of the Lambda call that describes a function: an http.Handler that
// speaks their protocols, which a client finds by AWS_ENDPOINT_URL. Its Power Tuning state machine answers for an
// invented function, replays a recording of the real one, or fails, as its script says: see [Server.Follow]. It never
// waits: an execution ends after a number of polls.
package sfntest

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/powertuning"
)

// Server is one account with one state machine, of any ARN. It is made by [New].
type Server struct {
	Edit     func(recording string) string      // changes a recording before it is replayed
	Averages func(in powertuning.Input) float64 // ms that Power Tuning answers for an input of one size; may be nil

	mu         sync.Mutex
	requests   []string
	executions []*Execution
	overlaps   int

	// The script.
	ends     map[string]string   // by the payload's strategy
	looks    int                 // polls of an execution that find it running
	faults   map[string][]string // by operation, those of its next requests; "" is none
	function string              // its configuration, as JSON
}

// Execution is an execution of the state machine, as a client sees it. Times are seconds since 1970.
type Execution struct {
	ARN       string  `json:"executionArn"`
	Name      string  `json:"name"` // empty for someone else's
	Input     string  `json:"input"`
	Status    string  `json:"status"` // RUNNING, SUCCEEDED, FAILED, ABORTED
	Output    string  `json:"output,omitempty"`
	StartDate float64 `json:"startDate"`
	StopDate  float64 `json:"stopDate,omitzero"`

	in      powertuning.Input
	call    event.Payload // of in
	looks   int           // polls that found it running
	history []map[string]any
}

// New makes a Server that follows a script: see [Server.Follow].
func New(words string) (*Server, error) {
	s := &Server{Edit: func(recording string) string { return recording }}
	return s, s.Follow(words)
}

// Follow replaces the script, also for executions that already run. Without words all succeeds. A word is one of
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
	s.ends, s.looks, s.faults = map[string]string{}, 1, map[string][]string{}
	s.function = `{"MemorySize":2304,"Timeout":600,"Architectures":["arm64"]}`
	for _, word := range strings.Fields(words) {
		key, value, _ := strings.Cut(word, "=")
		switch m := faulty.FindStringSubmatch(word); {
		case key == "looks":
			s.looks, err = strconv.Atoi(value)
		case key == "function":
			s.function = value
		case key == "busy":
			arn := fmt.Sprintf("arn:aws:states:us-east-1:123456789012:execution:tuner:someone-else-%d", len(s.executions)+1)
			s.executions = append(s.executions, running(arn, "", fmt.Sprintf(`{"lambdaARN": %q, "num": 5}`, value)))
		case m != nil:
			times, _ := strconv.Atoi(cmp.Or(m[3], "1")) // digits
			after, _ := strconv.Atoi(m[4])
			s.faults[key] = append(make([]string, after), slices.Repeat(m[2:3], times)...)
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

//go:embed recordings/*.json
var recordings embed.FS

// recorded returns the recording that RECORDING or RECORDING@ID names.
func recorded(end string) (string, error) {
	b, err := recordings.ReadFile("recordings/" + strings.Split(end, "@")[0] + ".json")
	return string(b), err
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

// failure is an error answer.
type failure struct {
	Code    string `json:"__type"`
	Message string `json:"message"`
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
	fault := ""
	if next := s.faults[operation]; len(next) > 0 {
		fault, s.faults[operation] = next[0], next[1:]
	}
	var answer any = failure{fault, "the script says so"}
	if fault == "" || fault == "lost" || fault == "half" {
		answer = s.operate(operation, body)
	}
	b, _ := json.Marshal(answer) // cannot fail: strings, numbers, and JSON
	s.mu.Unlock()
	switch fault {
	case "cut", "lost":
		panic(http.ErrAbortHandler)
	case "stall":
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	if f, failed := answer.(failure); failed && (f.Code == "InternalServerError" || f.Code == "ServiceUnavailable") {
		w.WriteHeader(http.StatusServiceUnavailable)
	} else if failed {
		w.WriteHeader(http.StatusBadRequest)
	}
	if fault == "half" {
		b = b[:len(b)/2] // net/http closes a connection on which less than Content-Length was written
	}
	_, _ = w.Write(b)
}

// operate performs an operation and returns its answer.
func (s *Server) operate(operation string, body []byte) any {
	var in struct{ StateMachineArn, Name, Input, ExecutionArn, StatusFilter, NextToken string } // of all operations
	_ = json.Unmarshal(body, &in)                                                               // the SDK sends valid JSON
	i := slices.IndexFunc(s.executions, func(e *Execution) bool { return e.ARN == in.ExecutionArn })
	switch {
	case operation == "GetFunctionConfiguration":
		return json.RawMessage(s.function)
	case operation == "StartExecution":
		return s.start(in.StateMachineArn, in.Name, in.Input)
	case operation == "ListExecutions":
		found := slices.DeleteFunc(slices.Clone(s.executions), func(e *Execution) bool { return e.Status != in.StatusFilter })
		return page("executions", found, in.NextToken, 1) // one a page, so that clients must page
	case i < 0:
		return failure{"ExecutionDoesNotExist", "Execution Does Not Exist: '" + in.ExecutionArn + "'"}
	case operation == "DescribeExecution":
		return s.describe(s.executions[i])
	}
	return page("events", s.executions[i].history, in.NextToken, 20)
}

// page returns at most so many items, from the token on.
func page[T any](name string, items []T, token string, most int) any {
	at, _ := strconv.Atoi(token)
	if items = items[min(at, len(items)):]; len(items) <= most {
		return map[string]any{name: items}
	}
	return map[string]any{name: items[:most], "nextToken": strconv.Itoa(at + most)}
}

func running(arn, name, input string) *Execution {
	e := &Execution{ARN: arn, Name: name, Input: input, Status: "RUNNING", StartDate: 1_767_323_045}
	e.in, _ = powertuning.ParseInput([]byte(input)) // an unreadable input is for no function
	_ = json.Unmarshal(e.in.Payload, &e.call)       // of another function: zeros, which make one read
	return e
}

func (s *Server) start(stateMachine, name, input string) any {
	started := running(strings.Replace(stateMachine, ":stateMachine:", ":execution:", 1)+":"+name, name, input)
	for _, e := range s.executions {
		switch {
		case e.ARN == started.ARN && (e.Status != "RUNNING" || e.Input != input):
			return failure{"ExecutionAlreadyExists", "Execution Already Exists: '" + e.ARN + "'"}
		case e.ARN == started.ARN:
			return e
		case e.Status == "RUNNING" && e.in.LambdaARN == started.in.LambdaARN:
			s.overlaps++
		}
	}
	s.executions = append(s.executions, started)
	return started
}

// describe polls an execution, which ends as the script says once it has been polled often enough.
func (s *Server) describe(e *Execution) any {
	end := cmp.Or(s.ends[e.call.Strategy], "succeeds")
	if e.Status != "RUNNING" || e.Name == "" || end == "runs" {
		return e
	}
	if e.looks++; e.looks <= s.looks {
		return e
	}
	if end == "succeeds" {
		e.Status, e.Output, e.StopDate = "SUCCEEDED", s.tuned(e), e.StartDate+92
		return e
	}
	var recording struct {
		Describe Execution
		Events   []map[string]any
	}
	text, _ := recorded(end)
	if err := json.Unmarshal([]byte(s.Edit(text)), &recording); err != nil {
		panic(err) // Edit broke it
	}
	d, events := recording.Describe, recording.Events
	e.Status, e.Output, e.StartDate, e.StopDate, e.history = d.Status, d.Output, d.StartDate, d.StopDate, events
	for i, event := range events {
		if strings.HasSuffix(end, fmt.Sprint("@", event["id"])) { // without a cause, as by `aws stepfunctions stop-execution`
			aborted := map[string]any{"id": 1000, "timestamp": event["timestamp"], "type": "ExecutionAborted"}
			e.Status, e.Output, e.history = "ABORTED", "", append(events[:i+1], aborted)
			break
		}
	}
	return e
}

// tuned is Power Tuning's answer: of Averages, or for reads that each wait 18.8 ms and need 0.3 ms of CPU.
func (s *Server) tuned(e *Execution) string {
	in, reads := e.in, float64(e.call.Repeat)
	atOnce := map[string]float64{"sequential": 1, "unbounded": reads}[e.call.Strategy]
	out := powertuning.Output{Power: in.PowerValues[0]} // some size: no client asks for the best
	for _, power := range e.in.PowerValues {
		ms := max(18.8, 18.8*reads/max(1, cmp.Or(atOnce, float64(e.call.Concurrency))), 0.3*reads*1769/float64(power))
		if in.PowerValues = []int{power}; s.Averages != nil {
			ms = s.Averages(in)
		}
		price := powertuning.Price(powertuning.BaseCost("us-east-1", platform.ARM64), power, ms)
		out.Stats = append(out.Stats, powertuning.Stat{Value: power, AverageDuration: math.Round(ms*100) / 100, AveragePrice: price})
	}
	out.StateMachine.Visualization = powertuning.Link("us-east-1", out.Stats)
	b, _ := json.Marshal(out) // cannot fail: strings and finite numbers
	return string(b)
}
