package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// validator returns the path of asl-validator as installed by npm. It skips the test
// if there is none. JSONata, which asl-validator uses to parse expressions, is
// installed next to it.
func validator(t *testing.T) (path string) {
	t.Helper()
	path, err := exec.LookPath("asl-validator")
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no asl-validator on PATH: in CI the state machine must be read and run: npm install asl-validator@4.0.0 (%v)", err)
		}
		t.Skip("no asl-validator on PATH: the state machine is not run")
	}
	return path
}

// jsonata is the original implementation of JSONata, in a Node.js process.
type jsonata struct {
	mu      sync.Mutex
	in      io.Writer
	answers *bufio.Reader
}

// evaluator is a script that reads lines, each with a value and a list of states. It
// answers each line with that value evaluated for each state.
const evaluator = `
const jsonata = require(require.resolve('jsonata', {paths: [process.argv[1]]})), known = new Map()
async function evaluate(value, states) {
	if (typeof value === 'string' && value.startsWith('{%')) {
		if (!value.endsWith('%}')) throw new Error(value + ' has no end')
		const expression = value.slice(2, -2)
		if (!known.has(expression)) known.set(expression, jsonata(expression))
		const result = await known.get(expression).evaluate(undefined, {states})
		if (result === undefined) throw new Error(expression + ' has no value')
		return result
	}
	if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
	const copy = {}
	for (const name in value) copy[name] = await evaluate(value[name], states)
	return copy
}
require('readline').createInterface({input: process.stdin}).on('line', async line => {
	let answer
	try {
		const {value, states} = JSON.parse(line), values = []
		for (const s of states) values.push(await evaluate(value, s))
		answer = {values}
	} catch (e) {
		answer = {error: String(e.message)}
	}
	console.log(JSON.stringify(answer))
})`

func startJSONata(t *testing.T) *jsonata {
	t.Helper()
	cmd := exec.Command("node", "-e", evaluator, filepath.Dir(validator(t)))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Errorf("node: %v", err)
		}
	})
	return &jsonata{in: in, answers: bufio.NewReader(out)}
}

// evaluate replaces the expressions in the JSON value v by their values. An
// expression without a value is an error, as in Step Functions.
func (j *jsonata) evaluate(v any, states map[string]any) (any, error) {
	values, err := j.each(v, []map[string]any{states})
	if err != nil {
		return nil, err
	}
	return values[0], nil
}

// each evaluates v for each of the states, in order.
func (j *jsonata) each(v any, states []map[string]any) ([]any, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := json.NewEncoder(j.in).Encode(map[string]any{"value": v, "states": states}); err != nil {
		return nil, err
	}
	line, err := j.answers.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	var answer struct {
		Values []any
		Error  string
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return nil, err
	}
	if answer.Error != "" {
		return nil, &failure{"States.QueryEvaluationError", answer.Error}
	}
	return answer.Values, nil
}

// failure is an error with the name that Step Functions gives it.
type failure struct{ name, cause string }

func (f *failure) Error() string { return f.name + ": " + f.cause }

// The definition as Step Functions reads it. The names of the States Language are
// typed a second time here, so that a misspelling in the program is an unknown name.
type aslStates struct {
	StartAt string
	States  map[string]aslState
}

type aslMachine struct {
	Comment       string
	QueryLanguage string
	aslStates
}

type aslState struct {
	Type     string
	Next     string
	End      bool
	Default  string
	Error    string
	Cause    string
	Resource string
	Label    string

	Output    any
	Arguments any

	Choices []struct {
		Condition string
		Next      string
	}
	Retry []struct {
		ErrorEquals     []string
		IntervalSeconds float64
		BackoffRate     float64
		MaxDelaySeconds float64
		MaxAttempts     int
		JitterStrategy  string
	}
	ItemReader struct {
		Resource     string
		Arguments    map[string]any
		ReaderConfig struct{ InputType string }
	}
	ItemSelector any
	ItemBatcher  struct {
		MaxItemsPerBatch      any
		MaxInputBytesPerBatch int
		BatchInput            any
	}
	MaxConcurrency             any
	ToleratedFailurePercentage any
	ItemProcessor              struct {
		ProcessorConfig struct{ Mode, ExecutionType string }
		aslStates
	}
	ResultWriter struct {
		Resource     string
		Arguments    map[string]any
		WriterConfig struct{ Transformation, OutputType string }
	}
}
