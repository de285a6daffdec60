package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"lambda-parallel-io/handler/platform"

	"github.com/go-json-experiment/json/jsontext"

	"lambda-parallel-io/strategies"
)

// Decode reads a payload: a JSON object that names the objects in one way, and
// all else has a default. workers is the concurrency of a payload that names
// none, as [Workers] returns it. An error names the field, its value and what
// is allowed.
//
// It reads token by token, so that millions of keys are copied once, and
// unlike encoding/json it takes names by their exact letters, and refuses
// null and a name that stands twice.
func Decode(raw []byte, workers int) (Payload, error) {
	p := Payload{Strategy: DefaultStrategy, Concurrency: workers}
	if err := p.decode(raw); err != nil {
		var syntax *jsontext.SyntacticError
		if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) {
			// The decoder's error repeats the input's own words, of any length.
			err = fmt.Errorf("it is not valid JSON: %s", printable(err.Error(), 200))
		}
		return Payload{}, fmt.Errorf("payload: %w", err)
	}
	return p, nil
}

func (p *Payload) decode(raw []byte) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		return errors.New("it is empty: it must be a JSON object")
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(raw))
	if d.PeekKind() != '{' {
		if v, err := d.ReadValue(); err == nil {
			return fmt.Errorf("it must be a JSON object, got %s", shorten(string(v)))
		}
		return fmt.Errorf("it must be a JSON object, got %s, which is not JSON", quote(string(raw)))
	}
	var given []string
	err := members(d, func(name string) error {
		given = append(given, name)
		return p.member(d, name)
	})
	if err != nil {
		return err
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return errors.New("it is not valid JSON: something follows the object")
	}
	return p.complete(given)
}

// member reads the value of the field of that name.
func (p *Payload) member(d *jsontext.Decoder, name string) (err error) {
	switch name {
	case "strategy":
		p.Strategy, err = oneOf(d, strategies.Names())
	case "concurrency":
		p.Concurrency, err = whole(d, MaxConcurrency)
	case "onFailure":
		p.OnFailure, err = oneOf(d, []string{Fail, Report})
	case "objectKey":
		p.ObjectKey, err = text(d, 1)
	case "repeat":
		p.Repeat, err = whole(d, MaxRepeat)
	case "keys":
		return elements(d, name, func(int) error {
			key, err := text(d, 1)
			p.Keys = append(p.Keys, key)
			return err
		})
	case "prefix":
		p.Prefix = new(string)
		*p.Prefix, err = text(d, 0)
	case "suffix":
		p.Suffix, err = text(d, 0)
	case "maxObjects":
		p.MaxObjects, err = whole(d, MaxObjects)
	case "startAfter":
		p.StartAfter, err = text(d, 1)
	case "BatchInput":
		return p.batchInput(d)
	case "Items":
		p.Batch = true
		return elements(d, name, func(int) error { return p.item(d) })
	default:
		return fmt.Errorf("unknown field %s: the fields are strategy, concurrency, repeat, objectKey, "+
			"keys, prefix, suffix, maxObjects, onFailure, startAfter, BatchInput, Items", quote(name))
	}
	if err != nil {
		return fmt.Errorf("%s %w", name, err)
	}
	return nil
}

func (p *Payload) batchInput(d *jsontext.Decoder) error {
	if d.PeekKind() != '{' {
		return fmt.Errorf("BatchInput %w", instead(d, "a JSON object"))
	}
	return members(d, func(name string) error {
		if !slices.Contains(batchInput, name) {
			return fmt.Errorf("BatchInput has the unknown field %s: its fields are %s", quote(name), strings.Join(batchInput, ", "))
		}
		if err := p.member(d, name); err != nil {
			return fmt.Errorf("BatchInput: %w", err)
		}
		return nil
	})
}

// item reads one of Items, as Step Functions' ListObjectsV2 reader makes them:
// {"Etag", "Key", "LastModified", "Size", "StorageClass"}. Only Key is needed.
func (p *Payload) item(d *jsontext.Decoder) error {
	if d.PeekKind() != '{' {
		return instead(d, "an object with a Key")
	}
	var key, class string
	size := int64(-1) // not known
	err := members(d, func(name string) (err error) {
		switch kind := d.PeekKind(); {
		case name == "Key":
			key, err = text(d, 1)
		case name == "StorageClass" && kind == '"':
			var t jsontext.Token
			t, err = d.ReadToken()
			class = t.String()
		case name == "Size" && kind == '0':
			var v jsontext.Value
			v, err = d.ReadValue()
			if string(v) == "0" {
				size = 0
			}
		default:
			return d.SkipValue()
		}
		if err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if key == "" {
		return errors.New("must have a Key")
	}
	if !p.Skipped.Skip(key, size, class) {
		p.Keys = append(p.Keys, key)
	}
	return nil
}

// members calls read with each name of the object that comes next.
func members(d *jsontext.Decoder, read func(name string) error) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		if err := read(name.String()); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// elements calls read for each element of the array that comes next, which
// must not be empty.
func elements(d *jsontext.Decoder, name string, read func(i int) error) error {
	if d.PeekKind() != '[' {
		return fmt.Errorf("%s %w", name, instead(d, "an array"))
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	n := 0
	for ; d.PeekKind() != ']'; n++ {
		if err := read(n); err != nil {
			return fmt.Errorf("%s[%d] %w", name, n, err)
		}
	}
	if n == 0 {
		return fmt.Errorf("%s must name at least one object, got []", name)
	}
	_, err := d.ReadToken()
	return err
}

// text reads a string of least to platform.MaxKeyBytes bytes.
func text(d *jsontext.Decoder, least int) (string, error) {
	if d.PeekKind() != '"' {
		return "", instead(d, "a string")
	}
	t, err := d.ReadToken()
	if err != nil {
		return "", err
	}
	s := t.String()
	if n := len(s); n < least || n > platform.MaxKeyBytes {
		return "", fmt.Errorf("must be %d to %d bytes long, got %d", least, platform.MaxKeyBytes, n)
	}
	return s, nil
}

func oneOf(d *jsontext.Decoder, allowed []string) (string, error) {
	v, err := d.ReadValue()
	if err != nil {
		return "", err
	}
	for _, s := range allowed {
		if unquoted, err := jsontext.AppendUnquote(nil, v); err == nil && string(unquoted) == s {
			return s, nil
		}
	}
	return "", fmt.Errorf("%s must be one of %s", shorten(string(v)), strings.Join(allowed, ", "))
}

// whole reads a whole number from 1 to most. JSON has one kind of number: 30,
// 30.0 and 3e1 are the same, and some clients send the latter.
func whole(d *jsontext.Decoder, most int) (int, error) {
	v, err := d.ReadValue()
	if err != nil {
		return 0, err
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if v.Kind() != '0' || err != nil || f != math.Trunc(f) || f < 1 || f > float64(most) {
		return 0, fmt.Errorf("must be a whole number from 1 to %d, got %s", most, shorten(string(v)))
	}
	return int(f), nil
}

// instead reads the value that stands where another kind must.
func instead(d *jsontext.Decoder, kind string) error {
	v, err := d.ReadValue()
	if err != nil {
		return err
	}
	return fmt.Errorf("must be %s, got %s", kind, shorten(string(v)))
}

func quote(s string) string { return strconv.Quote(shorten(s)) }

func shorten(s string) string { return printable(s, 60) }

// printable keeps an error on one readable line, and a log small, whatever
// the input was: at most so many runes, and no control characters.
func printable(s string, most int) string {
	s = s[:min(len(s), 4*(most+1))] // a rune has 4 bytes at most
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
