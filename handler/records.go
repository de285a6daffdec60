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

// countRecords reads JSON to its last byte and counts the elements of the
// array that it must be. Token by token is a tenth of the CPU of decoding into
// any, which allocates every value. Like Python's json.loads, by which the
// original reads, it passes over a byte order mark, and takes a surrogate that
// stands alone, escaped or not.
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
		d.Reset(bytes.NewReader(nil)) // it would keep the object's memory
		decoders.Put(d)
	}()
	// RFC 8259 leaves it open whether names are unique, and comparing them is
	// half the work. Reset without options would forget them.
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

// expected is the remedy of an object that is something else.
const expected = "\nthe function's work as it comes counts the elements of a JSON array: put your own in its place, in handler/process.go"

// validUTF8 allows surrogates, which UTF-8 has no room for: three bytes from
// ED A0 80 to ED BF BF.
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
		return n, errors.Join(err, errors.New("something follows the array"))
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
