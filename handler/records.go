package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

var decoders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

// countRecords returns the number of elements of a JSON array. It reads the JSON
// to its last byte, and returns an error if it is anything else. Reading by token
// takes a tenth of the CPU of decoding into any, which allocates every value.
// Like Python's json.loads, which the original uses, it skips a byte order mark
// and accepts a lone surrogate, escaped or not.
func countRecords(json []byte) (int64, error) {
	json = bytes.TrimPrefix(json, []byte("\ufeff"))
	if len(bytes.TrimSpace(json)) == 0 {
		return 0, fmt.Errorf("it is empty%s", expected)
	}
	if !validUTF8(json) {
		return 0, fmt.Errorf("it is not JSON in UTF-8%s", expected)
	}
	d := decoders.Get().(*jsontext.Decoder)
	defer func() {
		d.Reset(bytes.NewReader(nil)) // otherwise it would keep the object's memory alive
		decoders.Put(d)
	}()
	// RFC 8259 does not require names to be unique, and comparing them is half the
	// work. Reset drops the options, so every call must pass them.
	d.Reset(bytes.NewBuffer(json), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if kind := d.PeekKind(); kind != '[' {
		if err := d.SkipValue(); err != nil {
			return 0, fmt.Errorf("it is not valid JSON: %w%s", err, expected)
		}
		return 0, fmt.Errorf("it is not a JSON array, but %s%s", kindName(kind), expected)
	}
	records, err := countElements(d)
	if err != nil {
		return 0, fmt.Errorf("it is not valid JSON: %w%s", err, expected)
	}
	return records, nil
}

// expected is the remedy for an object that is not a JSON array.
const expected = "\nunless changed, the function counts the elements of a JSON array: put your own work into handler/process.go"

// validUTF8 reports whether b is UTF-8. It also accepts surrogates, which UTF-8
// excludes: three bytes from ED A0 80 to ED BF BF.
func validUTF8(b []byte) bool {
	if utf8.Valid(b) {
		return true
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			if len(b) < 3 || b[0] != 0xED || b[1]&0xE0 != 0xA0 || b[2]&0xC0 != 0x80 {
				return false
			}
			n = 3
		}
		b = b[n:]
	}
	return true
}

func countElements(d *jsontext.Decoder) (n int64, err error) {
	if _, err = d.ReadToken(); err != nil {
		return 0, err
	}
	for ; d.PeekKind() != ']'; n++ {
		if _, err = d.ReadValue(); err != nil {
			return n, err
		}
	}
	if _, err = d.ReadToken(); err != nil {
		return n, err
	}
	if _, err = d.ReadToken(); err != io.EOF {
		return n, errors.Join(err, errors.New("there is more data after the array"))
	}
	return n, nil
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '"':
		return "a string"
	case '0':
		return "a number"
	default:
		return k.String() // null, true or false
	}
}
