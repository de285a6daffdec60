package powertuning

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// object splits a JSON object into its members. Unlike encoding/json it takes
// names by their exact letters, and refuses a name that stands twice.
func object(raw []byte) (map[string]jsontext.Value, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, errors.New("it is empty: it must be a JSON object")
	}
	if kind := jsontext.Value(raw).Kind(); kind != '{' {
		return nil, fmt.Errorf("it must be a JSON object, got %s", shorten(string(raw)))
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, errors.New("it is not valid JSON: " + clip(err.Error(), 200)) // it may quote a name of any length
	}
	return members, nil
}

func text(name string, v jsontext.Value) (s string, err error) {
	if v.Kind() != '"' {
		return "", fmt.Errorf("%s must be a string, got %s", name, shorten(string(v)))
	}
	return s, json.Unmarshal(v, &s)
}

func boolean(name string, v jsontext.Value) (b bool, err error) {
	if k := v.Kind(); k != 't' && k != 'f' {
		return false, fmt.Errorf("%s must be true or false, got %s", name, shorten(string(v)))
	}
	return v.Kind() == 't', nil
}

func number(name string, v jsontext.Value) (float64, error) {
	f, err := strconv.ParseFloat(string(v), 64)
	if v.Kind() != '0' || err != nil { // an error is a number beyond float64
		return 0, fmt.Errorf("%s must be a number, got %s", name, shorten(string(v)))
	}
	return f, nil
}

// noLimit stands for the largest of whole numbers, where only size limits it.
const noLimit = math.MaxInt32

// whole reads a whole number that may stand in a string: the tool takes both,
// and its own power values are strings.
func whole(name string, v jsontext.Value, least, most int) (int, error) {
	f, err := strconv.ParseFloat(string(v), 64)
	if v.Kind() == '"' {
		var n int
		n, err = strconv.Atoi(string(v[1 : len(v)-1]))
		f = float64(n)
	}
	if err == nil && f == math.Trunc(f) && f >= float64(least) && f <= float64(most) {
		return int(f), nil
	}
	limits := fmt.Sprintf("from %d to %d", least, most)
	if most == noLimit {
		limits = fmt.Sprintf("of at least %d", least)
	}
	return 0, fmt.Errorf("%s must be a whole number %s, got %s", name, limits, shorten(string(v)))
}

// shorten keeps an error readable, and harmless to a terminal, whatever the
// input was.
func shorten(s string) string { return clip(s, 60) }

func clip(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, strings.TrimSpace(s))
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
