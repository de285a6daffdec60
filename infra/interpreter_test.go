package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
)

// stepFunctions runs a definition as Step Functions does according to AWS's
// documentation. Parts of the States Language that it does not know are errors.
type stepFunctions struct {
	machine aslMachine
	jsonata *jsonata
	list    func(bucket, prefix string) ([]any, error) // as the item reader returns them
	get     func(bucket, key string) ([]byte, error)
	put     func(bucket, key string, content []byte) error
	invoke  func(ctx context.Context, function string, payload []byte) ([]byte, error)

	mu     sync.Mutex
	maps   map[string]*mapRun // by the name of the execution
	delays []time.Duration    // before retries
}

const maxState = 262_144 // most bytes of a state's input, result or output

func newStepFunctions(t *testing.T, definition string) *stepFunctions {
	t.Helper()
	s := &stepFunctions{jsonata: startJSONata(t), maps: map[string]*mapRun{}}
	if err := jsonv2.Unmarshal([]byte(definition), &s.machine, jsonv2.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("the definition: %v", err)
	}
	if s.machine.QueryLanguage != "JSONata" {
		t.Fatalf("the query language is %q, want JSONata", s.machine.QueryLanguage)
	}
	return s
}

// run starts an execution, or redrives the existing one of that name, and waits for it.
func (s *stepFunctions) run(ctx context.Context, name, input string) (output any, err error) {
	var in any
	if err := json.Unmarshal([]byte(input), &in); err != nil {
		return nil, err
	}
	return s.states(ctx, s.machine.aslStates, name, in)
}

func (s *stepFunctions) states(ctx context.Context, of aslStates, execution string, input any) (any, error) {
	for name := of.StartAt; ; {
		state, ok := of.States[name]
		if !ok {
			return nil, &failure{"States.Runtime", "no state " + name}
		}
		vars := map[string]any{"input": input, "context": map[string]any{"Execution": map[string]any{"Name": execution}}}
		var err error
		next, result := state.Next, any(nil)
		switch state.Type {
		case "Pass":
		case "Fail":
			return nil, &failure{state.Error, state.Cause}
		case "Choice":
			if next, err = s.choose(state, vars); err != nil {
				return nil, err
			}
			name = next
			continue
		case "Task":
			result, err = s.task(ctx, state, vars)
		case "Map":
			result, err = s.distributed(ctx, state, execution, vars)
		default:
			err = fmt.Errorf("a state of type %s", state.Type)
		}
		if err != nil {
			return nil, err
		}
		if result != nil {
			vars["result"] = result
			input = result
		}
		if state.Output != nil {
			if input, err = s.jsonata.evaluate(state.Output, vars); err != nil {
				return nil, err
			}
		}
		if err := fits(input); err != nil {
			return nil, err
		}
		if state.End {
			return input, nil
		}
		name = next
	}
}

func fits(v any) error {
	b, err := json.Marshal(v)
	if err == nil && len(b) > maxState {
		err = &failure{"States.DataLimitExceeded", fmt.Sprintf("%d bytes", len(b))}
	}
	return err
}

func (s *stepFunctions) choose(state aslState, vars map[string]any) (next string, err error) {
	for _, c := range state.Choices {
		switch holds, err := s.jsonata.evaluate(c.Condition, vars); {
		case err != nil:
			return "", err
		case holds == true:
			return c.Next, nil
		case holds != false:
			return "", &failure{"States.QueryEvaluationError", c.Condition + " is neither true nor false"}
		}
	}
	return state.Default, nil
}

func (s *stepFunctions) task(ctx context.Context, state aslState, vars map[string]any) (result any, err error) {
	arguments, err := s.jsonata.evaluate(state.Arguments, vars)
	if err != nil {
		return nil, err
	}
	a, _ := arguments.(map[string]any)
	function, _ := a["FunctionName"].(string)
	payload, err := json.Marshal(a["Payload"])
	if state.Resource != "arn:aws:states:::lambda:invoke" || len(a) != 2 || function == "" || err != nil {
		return nil, fmt.Errorf("a task of %s with %v", state.Resource, arguments)
	}
	for attempt := 0; ; attempt++ {
		answer, err := s.invoke(ctx, function, payload)
		if err == nil {
			var body any
			if err := json.Unmarshal(answer, &body); err != nil {
				return nil, err
			}
			result := map[string]any{"Payload": body, "StatusCode": 200}
			return result, fits(result)
		}
		var f *failure
		if !errors.As(err, &f) {
			return nil, err
		}
		delay, again := time.Duration(0), false
		for _, r := range state.Retry {
			if again = slices.Contains(r.ErrorEquals, f.name) && attempt < r.MaxAttempts; !again {
				continue
			}
			seconds := r.IntervalSeconds
			for range attempt {
				seconds = min(seconds*r.BackoffRate, r.MaxDelaySeconds)
			}
			if r.JitterStrategy == "FULL" {
				seconds *= rand.Float64()
			}
			delay = time.Duration(seconds * float64(time.Second))
			break
		}
		if !again {
			return nil, err
		}
		s.mu.Lock() // record the delay without waiting
		s.delays = append(s.delays, delay)
		s.mu.Unlock()
	}
}
