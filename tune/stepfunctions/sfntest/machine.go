package sfntest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Execution is one of the state machine's.
type Execution struct {
	ARN    string
	Name   string
	Input  string
	Status string // RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED
	Output string // of one that SUCCEEDED

	looks   int // that found it running
	foreign bool
	started time.Time
	stopped time.Time
	err     failure // why it FAILED, TIMED_OUT or was ABORTED
	history []entry
}

// The time of a first execution's start. It is fixed, as is all that follows.
var dayOne = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// foreign is the nth running execution of someone else, for that function.
func foreign(n int, function string) *Execution {
	name := fmt.Sprintf("someone-else-%d", n)
	in, err := json.Marshal(map[string]any{"lambdaARN": function, "num": 5})
	if err != nil {
		panic(err)
	}
	return &Execution{
		ARN:  "arn:aws:states:us-east-1:123456789012:execution:powerTuningStateMachine:" + name,
		Name: name, Input: string(in), Status: "RUNNING", foreign: true, started: dayOne,
	}
}

// operate does an operation and returns its answer.
func (s *Server) operate(operation string, body []byte) any {
	var in struct {
		StateMachineArn, Name, Input string // StartExecution
		ExecutionArn                 string // DescribeExecution, GetExecutionHistory
		StatusFilter                 string // ListExecutions
		NextToken                    string // ListExecutions, GetExecutionHistory
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return failure{"SerializationException", err.Error()}
	}
	switch operation {
	case "StartExecution":
		return s.start(in.StateMachineArn, in.Name, in.Input)
	case "ListExecutions":
		return s.list(in.StatusFilter, in.NextToken)
	case "DescribeExecution", "GetExecutionHistory":
		i := slices.IndexFunc(s.executions, func(e *Execution) bool { return e.ARN == in.ExecutionArn })
		if i < 0 {
			return failure{"ExecutionDoesNotExist", "Execution Does Not Exist: '" + in.ExecutionArn + "'"}
		}
		if operation == "GetExecutionHistory" {
			return page(s.executions[i].history, in.NextToken)
		}
		return s.describe(s.executions[i])
	}
	return failure{"UnknownOperationException", ""}
}

var badName = regexp.MustCompile(`[^0-9A-Za-z_-]`)

func (s *Server) start(stateMachine, name, input string) any {
	if name == "" || len(name) > 80 || badName.MatchString(name) {
		return failure{"InvalidName", "Invalid Name: '" + name + "'"}
	}
	if !json.Valid([]byte(input)) {
		return failure{"InvalidExecutionInput", "Invalid State Machine Execution Input"}
	}
	arn := strings.Replace(stateMachine, ":stateMachine:", ":execution:", 1) + ":" + name
	for _, e := range s.executions {
		switch {
		case e.ARN == arn && (e.Status != "RUNNING" || e.Input != input):
			return failure{"ExecutionAlreadyExists", "Execution Already Exists: '" + arn + "'"}
		case e.ARN == arn:
			return map[string]any{"executionArn": arn, "startDate": unix(e.started)}
		case e.Status == "RUNNING" && function(e.Input) == function(input):
			s.overlaps++
		}
	}
	e := &Execution{ARN: arn, Name: name, Input: input, Status: "RUNNING", started: dayOne.Add(time.Duration(len(s.executions)) * time.Hour)}
	s.executions = append(s.executions, e)
	return map[string]any{"executionArn": arn, "startDate": unix(e.started)}
}

// list returns one execution a page, so that a client has to turn it.
func (s *Server) list(status, token string) any {
	var arns []string
	items := []map[string]any{}
	for _, e := range s.executions {
		if status == "" || status == e.Status {
			arns = append(arns, e.ARN)
			items = append(items, map[string]any{
				"executionArn": e.ARN, "name": e.Name, "status": e.Status, "startDate": unix(e.started), "stateMachineArn": machineOf(e.ARN),
			})
		}
	}
	at := max(0, slices.Index(arns, token))
	answer := map[string]any{"executions": items[min(at, len(items)):min(at+1, len(items))]}
	if at+1 < len(arns) {
		answer["nextToken"] = arns[at+1]
	}
	return answer
}

// describe is a look at an execution, which may be the last that finds it
// running.
func (s *Server) describe(e *Execution) any {
	end := s.script.end(strategy(e.Input))
	if e.Status == "RUNNING" && !e.foreign && end != running {
		if e.looks >= s.script.looks {
			e.finish(end)
		}
		e.looks++
	}
	answer := map[string]any{
		"executionArn": e.ARN, "name": e.Name, "stateMachineArn": machineOf(e.ARN),
		"status": e.Status, "startDate": unix(e.started), "input": e.Input,
	}
	if e.Status != "RUNNING" {
		answer["stopDate"] = unix(e.stopped)
	}
	if e.Status == "SUCCEEDED" {
		answer["output"] = e.Output
	}
	if e.err.code != "" {
		answer["error"], answer["cause"] = e.err.code, e.err.message
	}
	return answer
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func machineOf(execution string) string {
	machine := strings.Replace(execution, ":execution:", ":stateMachine:", 1)
	return machine[:strings.LastIndex(machine, ":")]
}

func function(input string) string {
	var in struct{ LambdaARN string }
	_ = json.Unmarshal([]byte(input), &in)
	return in.LambdaARN
}

func strategy(input string) string {
	var in struct{ Payload struct{ Strategy string } }
	_ = json.Unmarshal([]byte(input), &in)
	return in.Payload.Strategy
}
