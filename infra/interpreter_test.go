package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"
)

// stepFunctions runs a definition as Step Functions does, as far as AWS's
// documentation tells; what it does not know of the States Language is an
// error.
type stepFunctions struct {
	machine aslMachine
	jsonata *jsonata
	list    func(bucket, prefix string) ([]any, error) // as the item reader gives them
	get     func(bucket, key string) ([]byte, error)
	put     func(bucket, key string, content []byte) error
	invoke  func(ctx context.Context, function string, payload []byte) ([]byte, error)

	mu     sync.Mutex
	maps   map[string]*mapRun // by the execution's name
	delays []time.Duration    // before retries
}

// mapRun is a Distributed Map of one execution.
type mapRun struct {
	children  []*childRun
	tolerated float64
}

type childRun struct {
	input  any
	status string // PENDING, SUCCEEDED or FAILED
	output any
	err    error
}

func (c *childRun) items() int { return len(c.input.(map[string]any)["Items"].([]any)) }

// intolerable reports whether more than the tolerated share of the items is in
// children that failed.
func (r *mapRun) intolerable(failed int) bool {
	all := 0
	for _, c := range r.children {
		all += c.items()
	}
	return float64(failed*100) > r.tolerated*float64(all)
}

const maxState = 262_144 // bytes that a state's input, result and output may have

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

// run starts an execution, or redrives the one of that name, and waits for it.
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
		s.mu.Lock() // the delay is noted, not waited for
		s.delays = append(s.delays, delay)
		s.mu.Unlock()
	}
}

func (s *stepFunctions) distributed(ctx context.Context, state aslState, execution string, vars map[string]any) (any, error) {
	if c := state.ItemProcessor.ProcessorConfig; c.Mode != "DISTRIBUTED" || c.ExecutionType != "EXPRESS" || len(state.Label) > 40 {
		return nil, &failure{"States.Runtime", fmt.Sprintf("%+v, label %s", c, state.Label)}
	}
	values, err := s.jsonata.evaluate(map[string]any{
		"children": state.MaxConcurrency, "tolerated": state.ToleratedFailurePercentage, "batch": state.ItemBatcher.MaxItemsPerBatch,
		"from": state.ItemReader.Arguments, "to": state.ResultWriter.Arguments, "input": state.ItemBatcher.BatchInput,
	}, vars)
	if err != nil {
		return nil, err
	}
	v := values.(map[string]any)
	run := s.maps[execution]
	if run == nil { // else a redrive
		items, err := s.items(state, v["from"].(map[string]any), vars)
		if err != nil {
			return nil, err
		}
		run = &mapRun{tolerated: v["tolerated"].(float64)}
		for _, b := range batches(items, int(v["batch"].(float64)), state.ItemBatcher.MaxInputBytesPerBatch) {
			run.children = append(run.children, &childRun{map[string]any{"BatchInput": v["input"], "Items": b}, "PENDING", nil, nil})
		}
		s.maps[execution] = run
	}
	if err := s.runChildren(ctx, state.ItemProcessor.aslStates, execution, run, int(v["children"].(float64))); err != nil {
		return nil, err
	}
	return s.results(state, execution, v["to"].(map[string]any), run)
}

// runChildren runs those that have not succeeded yet, until more have failed
// than is tolerated.
func (s *stepFunctions) runChildren(ctx context.Context, of aslStates, execution string, run *mapRun, atOnce int) error {
	var todo []*childRun
	for _, c := range run.children {
		if c.status != "SUCCEEDED" {
			c.status, c.err = "PENDING", nil
			todo = append(todo, c)
		}
	}
	if atOnce == 0 {
		atOnce = 10_000
	}
	var g errgroup.Group
	g.SetLimit(atOnce)
	failed := 0
	for _, c := range todo {
		g.Go(func() error {
			s.mu.Lock()
			over := run.intolerable(failed)
			s.mu.Unlock()
			if over {
				return nil
			}
			c.status = "SUCCEEDED"
			if c.err = fits(c.input); c.err == nil {
				c.output, c.err = s.states(ctx, of, execution, c.input)
			}
			if c.err != nil {
				c.status = "FAILED"
				s.mu.Lock()
				failed += c.items()
				s.mu.Unlock()
			}
			var known *failure
			if c.err != nil && !errors.As(c.err, &known) {
				return c.err // the interpreter's own
			}
			return nil
		})
	}
	return g.Wait()
}

// results writes what became of the children, and tells whether the map has
// failed.
func (s *stepFunctions) results(state aslState, execution string, to map[string]any, run *mapRun) (any, error) {
	if w := state.ResultWriter; w.Resource != "arn:aws:states:::s3:putObject" || w.WriterConfig.Transformation != "FLATTEN" || w.WriterConfig.OutputType != "JSONL" {
		return nil, fmt.Errorf("a result writer %+v", w)
	}
	bucket, folder := to["Bucket"].(string), to["Prefix"].(string)+"/5c3e"
	files, manifest := map[string]*bytes.Buffer{}, map[string]any{}
	for _, c := range run.children {
		if files[c.status] == nil {
			files[c.status] = &bytes.Buffer{}
			manifest[c.status] = []any{map[string]any{"Key": folder + "/" + c.status + "_0.jsonl"}}
		}
		list, ok := c.output.([]any)
		if c.status != "SUCCEEDED" { // these are not flattened
			in, err := json.Marshal(c.input)
			if err != nil {
				return nil, err
			}
			list, ok = []any{map[string]any{"Input": string(in), "Status": c.status, "Error": fmt.Sprint(c.err)}}, true
		}
		if !ok {
			list = []any{c.output}
		}
		for _, element := range list {
			if err := json.NewEncoder(files[c.status]).Encode(element); err != nil {
				return nil, err
			}
		}
	}
	for status, content := range files {
		if err := s.put(bucket, folder+"/"+status+"_0.jsonl", content.Bytes()); err != nil {
			return nil, err
		}
	}
	b, err := json.Marshal(map[string]any{"DestinationBucket": bucket, "ResultFiles": manifest})
	if err != nil {
		return nil, err
	}
	if err := s.put(bucket, folder+"/manifest.json", b); err != nil {
		return nil, err
	}
	failed := 0
	for _, c := range run.children {
		if c.status == "FAILED" {
			failed += c.items()
		}
	}
	if run.intolerable(failed) {
		return nil, &failure{"States.ExceedToleratedFailureThreshold", fmt.Sprintf("%d items failed", failed)}
	}
	name := strings.TrimSuffix(folder, "/5c3e")
	return map[string]any{"MapRunArn": name, "ResultWriterDetails": map[string]any{"Bucket": bucket, "Key": folder + "/manifest.json"}}, nil
}
