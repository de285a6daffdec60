// Package event is what the function is asked and what it answers: the
// payload with its defaults and limits, its decoder, and the answer. It is
// pure, so that the tuner and the deployment use the very code that the
// function does.
package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"lambda-parallel-io/strategies"
)

// The defaults and limits of a payload.
const (
	DefaultStrategy    = "pool"
	DefaultConcurrency = 30 // where the environment has no MAX_WORKERS
	DefaultRepeat      = 10_000

	MaxConcurrency = 900 // connections: Lambda grants 1,024 file descriptors
	MaxRepeat      = 1_000_000
	MaxKeyBytes    = 1_024 // S3's limit for an object key, in UTF-8
)

// Payload is what one invocation is asked to do: to read the object of that
// key Repeat times by the strategy of that name.
type Payload struct {
	Strategy    string `json:"strategy"`
	Concurrency int    `json:"concurrency,omitzero"` // of the strategies that it bounds; left out, the function's MAX_WORKERS holds
	Repeat      int    `json:"repeat"`
	ObjectKey   string `json:"objectKey"`
}

// Decode reads a payload, a JSON object in which only objectKey is required.
// workers is the concurrency of a payload that names none, as [Workers]
// returns it. An error names the field, its value and what is allowed.
func Decode(raw []byte, workers int) (Payload, error) {
	p := Payload{Strategy: DefaultStrategy, Concurrency: workers, Repeat: DefaultRepeat}
	fields, err := object(raw)
	if err != nil {
		return Payload{}, fmt.Errorf("payload: %w", err)
	}
	for _, f := range fields {
		if err := p.set(f.name, f.value); err != nil {
			return Payload{}, fmt.Errorf("payload: %w", err)
		}
	}
	if p.ObjectKey == "" {
		return Payload{}, errors.New(`payload: objectKey is missing: it must be the key of the object to read, as in {"objectKey": "sample.json"}`)
	}
	return p, nil
}

func (p *Payload) set(name string, value jsontext.Value) (err error) {
	switch name {
	case "strategy":
		if p.Strategy, err = text(name, value); err == nil {
			_, err = strategies.ByName(p.Strategy)
		}
		if err != nil {
			err = fmt.Errorf("strategy %s must be one of %s", shorten(string(value)), strings.Join(strategies.Names(), ", "))
		}
	case "concurrency":
		p.Concurrency, err = whole(name, value, MaxConcurrency)
	case "repeat":
		p.Repeat, err = whole(name, value, MaxRepeat)
	case "objectKey":
		p.ObjectKey, err = text(name, value)
		if n := len(p.ObjectKey); err == nil && (n == 0 || n > MaxKeyBytes) {
			err = fmt.Errorf("objectKey must be 1 to %d bytes long, got %d", MaxKeyBytes, n)
		}
	default:
		err = fmt.Errorf("unknown field %s: the fields are strategy, concurrency, repeat, objectKey", quote(name))
	}
	return err
}

type field struct {
	name  string
	value jsontext.Value
}

// object splits a JSON object into its fields. Unlike encoding/json it takes
// names by their exact letters, and refuses a name that stands twice.
func object(raw []byte) ([]field, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, errors.New("it is empty: it must be a JSON object")
	}
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	if kind := dec.PeekKind(); kind != '{' {
		if v, err := dec.ReadValue(); err == nil {
			return nil, fmt.Errorf("it must be a JSON object, got %s", shorten(string(v)))
		}
		return nil, fmt.Errorf("it must be a JSON object, got %s, which is not JSON", quote(string(raw)))
	}
	var fields []field
	_, err := dec.ReadToken()
	for err == nil && dec.PeekKind() != '}' {
		var name jsontext.Token
		if name, err = dec.ReadToken(); err != nil {
			break
		}
		f := field{name: name.String()}
		if f.value, err = dec.ReadValue(); err == nil {
			f.value = f.value.Clone()
			fields = append(fields, f)
		}
	}
	if err == nil {
		_, err = dec.ReadToken()
	}
	if err == nil {
		if _, err = dec.ReadToken(); err == io.EOF {
			return fields, nil
		}
		err = errors.New("something follows the object")
	}
	// The decoder's error repeats the input's own words, of any length.
	return nil, fmt.Errorf("it is not valid JSON: %s", printable(err.Error(), 200))
}

func text(name string, v jsontext.Value) (string, error) {
	var s string
	if v.Kind() != '"' {
		return "", fmt.Errorf("%s must be a string, got %s", name, shorten(string(v)))
	}
	err := json.Unmarshal(v, &s)
	return s, err
}

// whole reads a whole number from 1 to most. JSON has one kind of number: 30,
// 30.0 and 3e1 are the same, and some clients send the latter.
func whole(name string, v jsontext.Value, most int) (int, error) {
	f, err := strconv.ParseFloat(string(v), 64)
	if v.Kind() != '0' || err != nil || f != math.Trunc(f) || f < 1 || f > float64(most) {
		return 0, fmt.Errorf("%s must be a whole number from 1 to %d, got %s", name, most, shorten(string(v)))
	}
	return int(f), nil
}

// Workers reads the environment's MAX_WORKERS: the concurrency of a payload
// that names none. An empty value means DefaultConcurrency.
func Workers(value string) (int, error) {
	if value == "" {
		return DefaultConcurrency, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > MaxConcurrency {
		return 0, fmt.Errorf("MAX_WORKERS must be a whole number from 1 to %d, got %s", MaxConcurrency, quote(value))
	}
	return n, nil
}

func quote(s string) string { return strconv.Quote(shorten(s)) }

func shorten(s string) string { return printable(s, 60) }

// printable keeps an error on one readable line, and a log small, whatever
// the input was: at most so many runes, and no control characters.
func printable(s string, most int) string {
	r := []rune(strings.ToValidUTF8(s, "\uFFFD"))
	if len(r) > most {
		r = append(r[:most], '…')
	}
	for i := range r {
		if !unicode.IsPrint(r[i]) {
			r[i] = ' '
		}
	}
	return string(r)
}
