// Package powertuning speaks of AWS Lambda Power Tuning 4.4.0: its input, its
// output, and how it gets from durations to the one and from there to its
// page's links. It is pure, and checked against what the tool itself answers.
//
// Where a figure has to be comparable with the real tool's, it is computed
// with the tool's own prices, which are rounded: arm64 2.0 % above AWS's list,
// x86_64 0.8 %.
package powertuning

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Output is what an execution of the state machine returns.
type Output struct {
	Power        int          `json:"power"`    // MB
	Cost         float64      `json:"cost"`     // dollars, of one invocation at Power
	Duration     float64      `json:"duration"` // ms, the trimmed mean at Power
	StateMachine StateMachine `json:"stateMachine"`
	Stats        []Stat       `json:"stats,omitempty"` // with includeOutputResults
}

// StateMachine is what the tuning itself cost, in dollars, and its chart.
type StateMachine struct {
	ExecutionCost float64 `json:"executionCost"`
	LambdaCost    float64 `json:"lambdaCost"`
	Visualization string  `json:"visualization"`
}

// Stat is the summary of one power value.
type Stat struct {
	Value           int     `json:"value"`           // MB
	AveragePrice    float64 `json:"averagePrice"`    // dollars
	AverageDuration float64 `json:"averageDuration"` // ms
}

// ErrEmptyOutput is what [ParseOutput] returns for {}: the state machine
// answers so, as SUCCEEDED, when publishing a version or invoking the function
// failed. The cause is in the execution's history.
var ErrEmptyOutput = errors.New("power tuning output: it is {}: the tuning failed, and its cause is in the execution's history")

// ParseOutput reads what an execution returned. The output of an execution is
// untrusted: each field must be there (stats excepted), be of its type and
// range, and the link must be one that a browser may be sent to. Fields that
// it does not know are left alone. Power values may stand in strings.
func ParseOutput(raw []byte) (out Output, err error) {
	if v := jsontext.Value(bytes.Clone(raw)); v.Compact() == nil && string(v) == "{}" {
		return Output{}, ErrEmptyOutput
	}
	read, err := decode(raw, &out)
	if err == nil {
		err = out.checkComplete(read)
	}
	if err != nil {
		return Output{}, fmt.Errorf("power tuning output: %w", err)
	}
	return out, nil
}

// checkComplete names the first field but stats that is written of an output
// and was not read.
func (out Output) checkComplete(read map[jsontext.Pointer]bool) error {
	check := json.MarshalToFunc(func(enc *jsontext.Encoder, field any) error {
		if _, stats := field.(*[]Stat); !stats && !read[enc.StackPointer()] {
			return refusal(path(enc.StackPointer()) + " is missing")
		}
		return errors.ErrUnsupported
	})
	_, err := json.Marshal(out, json.WithMarshalers(check))
	if missing, ok := errors.AsType[refusal](err); ok {
		return missing
	}
	return err
}
