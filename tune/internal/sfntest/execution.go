package sfntest

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/powertuning"
)

// Execution is an execution of the state machine, as a client sees it.
type Execution struct {
	ARN       string `json:"executionArn"`
	Name      string `json:"name"` // empty for someone else's
	Input     string `json:"input"`
	Status    string `json:"status"` // RUNNING, SUCCEEDED, FAILED, ABORTED
	Output    string `json:"output,omitempty"`
	StartDate moment `json:"startDate"`
	StopDate  moment `json:"stopDate,omitzero"`

	looks   int // polls that found it running
	history []map[string]any
}

// moment is a time: RFC 3339 in a recording, seconds since 1970 in the protocol.
type moment struct{ time.Time }

func (m moment) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(m.UnixMilli())/1000, 'f', 3, 64), nil
}

// dayOne is when every execution starts that is not replayed from a recording.
var dayOne = moment{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}

// operate performs an operation and returns its answer.
func (s *Server) operate(operation string, body []byte) any {
	var in struct {
		StateMachineArn, Name, Input string // StartExecution
		ExecutionArn                 string // DescribeExecution, GetExecutionHistory
		StatusFilter                 string // ListExecutions
		NextToken                    string // ListExecutions, GetExecutionHistory
	}
	_ = json.Unmarshal(body, &in) // the SDK sends valid JSON
	i := slices.IndexFunc(s.executions, func(e *Execution) bool { return e.ARN == in.ExecutionArn })
	switch {
	case operation == "GetFunctionConfiguration":
		return json.RawMessage(s.function)
	case operation == "StartExecution":
		return s.start(in.StateMachineArn, in.Name, in.Input)
	case operation == "ListExecutions":
		var running []Execution
		for _, e := range s.executions {
			if e.Status == in.StatusFilter {
				running = append(running, *e)
			}
		}
		return page("executions", running, in.NextToken, 1) // one a page, so that clients must page
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

func (s *Server) start(stateMachine, name, input string) any {
	arn := strings.Replace(stateMachine, ":stateMachine:", ":execution:", 1) + ":" + name
	for _, e := range s.executions {
		switch {
		case e.ARN == arn && (e.Status != "RUNNING" || e.Input != input):
			return failure{"ExecutionAlreadyExists", "Execution Already Exists: '" + arn + "'"}
		case e.ARN == arn:
			return *e
		case e.Status == "RUNNING" && parsed(e.Input).LambdaARN == parsed(input).LambdaARN:
			s.overlaps++
		}
	}
	e := &Execution{ARN: arn, Name: name, Input: input, Status: "RUNNING", StartDate: dayOne}
	s.executions = append(s.executions, e)
	return *e
}

// describe polls an execution, and ends it once it has been polled often enough.
func (s *Server) describe(e *Execution) any {
	var payload struct{ Strategy string }
	_ = json.Unmarshal(parsed(e.Input).Payload, &payload)
	if end := s.ends[payload.Strategy]; e.Status == "RUNNING" && e.Name != "" && end != "runs" {
		if e.looks++; e.looks > s.looks {
			s.finish(e, end)
		}
	}
	return *e
}

func parsed(input string) powertuning.Input {
	in, _ := powertuning.ParseInput([]byte(input)) // an unreadable input is for no function
	return in
}

//go:embed recordings/*.json
var recordings embed.FS

// recorded returns the recording that RECORDING or RECORDING@ID names.
func recorded(end string) (string, error) {
	b, err := recordings.ReadFile("recordings/" + strings.Split(end, "@")[0] + ".json")
	return string(b), err
}

// finish ends an execution as the script says.
func (s *Server) finish(e *Execution, end string) {
	if end == "" || end == "succeeds" {
		e.Status, e.Output, e.StopDate = "SUCCEEDED", s.tuned(parsed(e.Input)), moment{dayOne.Add(92 * time.Second)}
		return
	}
	text, _ := recorded(end)
	if s.Edit != nil {
		text = s.Edit(text)
	}
	var recording struct {
		Describe Execution
		Events   []map[string]any
	}
	if err := json.Unmarshal([]byte(text), &recording); err != nil {
		panic(err) // Edit broke it
	}
	recording.Describe.ARN, recording.Describe.Name, recording.Describe.Input = e.ARN, e.Name, e.Input
	*e = recording.Describe
	for _, event := range recording.Events {
		at, _ := time.Parse(time.RFC3339, event["timestamp"].(string))
		event["timestamp"] = moment{at}
		e.history = append(e.history, event)
		if strings.HasSuffix(end, fmt.Sprint("@", event["id"])) {
			e.Status, e.Output = "ABORTED", ""
			e.history = append(e.history, map[string]any{"id": 1000, "timestamp": event["timestamp"], "type": "ExecutionAborted"}) // without a cause, as by `aws stepfunctions stop-execution`
			return
		}
	}
}

// tuned is Power Tuning's answer for a function that waits 18.8 ms for each read and needs 0.3 ms of CPU,
// unless Averages is set.
func (s *Server) tuned(in powertuning.Input) string {
	var p struct {
		Strategy            string
		Repeat, Concurrency float64
	}
	_ = json.Unmarshal(in.Payload, &p) // of another function: zeros, which make one read
	atOnce := map[string]float64{"sequential": 1, "unbounded": p.Repeat}[p.Strategy]
	var out powertuning.Output
	for _, power := range in.PowerValues {
		d := max(18.8, 18.8*p.Repeat/max(1, cmp.Or(atOnce, p.Concurrency)), 0.3*p.Repeat*1769/float64(power))
		if s.Averages != nil {
			one := in
			one.PowerValues = []int{power}
			d = s.Averages(one)
		}
		price := powertuning.Price(powertuning.BaseCost("us-east-1", platform.ARM64), power, d)
		out.Stats = append(out.Stats, powertuning.Stat{Value: power, AverageDuration: math.Round(d*100) / 100, AveragePrice: price})
	}
	best := slices.MinFunc(out.Stats, func(a, b powertuning.Stat) int { return cmp.Compare(a.AveragePrice, b.AveragePrice) })
	out.Power, out.Cost, out.Duration = best.Value, best.AveragePrice, best.AverageDuration
	out.StateMachine.Visualization = powertuning.Link("us-east-1", out.Stats)
	b, _ := json.Marshal(out) // cannot fail: strings and finite numbers
	return string(b)
}
