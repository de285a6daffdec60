package powertuning

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrEmptyOutput is what [ParseOutput] returns for {}: the state machine
// answers so, as SUCCEEDED, when publishing a version or invoking the function
// failed. The cause is in the execution's history.
var ErrEmptyOutput = errors.New("power tuning output: it is {}: the tuning failed, and its cause is in the execution's history")

// ParseOutput reads what an execution returned. The output of an execution is
// untrusted: each field must be there (stats excepted), be of its type and
// range, and the link must be one that a browser may be sent to. Fields that
// it does not know are left alone. Power values may stand in strings.
func ParseOutput(raw []byte) (Output, error) {
	members, err := object(raw)
	if err == nil && len(members) == 0 {
		return Output{}, ErrEmptyOutput
	}
	var out Output
	if err == nil {
		out, err = parseOutput(members)
	}
	if err != nil {
		return Output{}, fmt.Errorf("power tuning output: %w", err)
	}
	return out, nil
}

func parseOutput(members map[string]jsontext.Value) (out Output, err error) {
	r := reader{members: members}
	out.Power = r.power("power")
	out.Cost = r.amount("cost")
	out.Duration = r.amount("duration")
	machine := r.sub("stateMachine") // with r's error, if it has one
	out.StateMachine.ExecutionCost = machine.amount("executionCost")
	out.StateMachine.LambdaCost = machine.amount("lambdaCost")
	out.StateMachine.Visualization = machine.link("visualization")
	if machine.err != nil || members["stats"] == nil {
		return out, machine.err
	}
	var list []jsontext.Value
	if v := members["stats"]; v.Kind() != '[' || json.Unmarshal(v, &list) != nil {
		return out, fmt.Errorf("stats must be a list, got %s", shorten(string(v)))
	}
	for i, v := range list {
		s := read(fmt.Sprintf("stats[%d]", i), v)
		out.Stats = append(out.Stats, Stat{
			Value:           s.power("value"),
			AveragePrice:    s.amount("averagePrice"),
			AverageDuration: s.amount("averageDuration"),
		})
		if s.err != nil {
			return out, s.err
		}
	}
	return out, nil
}

// reader takes members out of an object, and keeps the first error.
type reader struct {
	within  string // "stateMachine."
	members map[string]jsontext.Value
	err     error
}

func (r *reader) get(name string) jsontext.Value {
	v, ok := r.members[name]
	if !ok && r.err == nil {
		r.err = fmt.Errorf("%s%s is missing", r.within, name)
	}
	if r.err != nil {
		return nil
	}
	return v
}

func (r *reader) power(name string) (mb int) {
	if v := r.get(name); r.err == nil {
		mb, r.err = whole(r.within+name, v, MinPower, MaxPower)
	}
	return mb
}

// amount reads dollars or ms.
func (r *reader) amount(name string) (f float64) {
	if v := r.get(name); r.err == nil {
		if f, r.err = number(r.within+name, v); r.err == nil && f < 0 {
			r.err = fmt.Errorf("%s%s must not be negative, got %s", r.within, name, shorten(string(v)))
		}
	}
	return f
}

func (r *reader) link(name string) (s string) {
	v := r.get(name)
	if r.err != nil {
		return ""
	}
	if s, r.err = text(r.within+name, v); r.err != nil {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.ContainsFunc(s, unsafe) {
		r.err = fmt.Errorf("%s%s must be an https or http link, got %s", r.within, name, shorten(string(v)))
		return ""
	}
	return s
}

// unsafe says which characters are in no link of the tool's, and may harm the
// view that shows it.
func unsafe(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'<>`\\", r) }

func (r *reader) sub(name string) reader {
	v := r.get(name)
	if r.err != nil {
		return reader{err: r.err}
	}
	return read(r.within+name, v)
}

func read(name string, v jsontext.Value) reader {
	members, err := object(v)
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return reader{within: name + ".", members: members, err: err}
}
