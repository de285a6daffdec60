// Package strictjson decodes JSON written by hand and explains what is wrong with
// it.
package strictjson

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lambda-parallel-io/handler/prose"
)

// Unmarshal decodes a JSON object into the struct that to points to. It matches
// names exactly, and refuses unknown names, repeated names and null. rules check
// single fields and may be nil. options are added to, and may override,
// [json.RejectUnknownMembers]. Whatever the input, an error is one line of at most
// about 500 characters that names the field, its value and the allowed values.
func Unmarshal(raw []byte, to any, rules *json.Unmarshalers, options ...json.Options) error {
	raw = bytes.TrimPrefix(raw, []byte("\ufeff")) // a byte order mark, which editors write
	if jsontext.Value(raw).Kind() != '{' {
		return fmt.Errorf("it must be a JSON object, got %s", cmp.Or(Shorten(raw), "nothing"))
	}
	err := json.Unmarshal(raw, to, append([]json.Options{json.RejectUnknownMembers(true), json.WithUnmarshalers(json.JoinUnmarshalers(rules, kinds))}, options...)...)
	refused, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case err == nil:
		return nil
	case ok && refused.Err == json.ErrUnknownName:
		return fmt.Errorf("unknown field %q: the fields are %s", Shorten([]byte(path(refused.JSONPointer))), strings.Join(fieldNames(refused.GoType), ", "))
	case ok:
		return fmt.Errorf("%s %w", path(refused.JSONPointer), refused.Err)
	default: // the library's error may quote a name of any length
		return errors.New("it is not valid JSON: " + prose.OneLine(err.Error(), 200))
	}
}

// Rule returns a rule that reads every value of type T; if T is a slice, it does
// not apply to lists. read gets the field's name, or "" for an element of a list.
// It returns what the value must be, and whether the value is valid.
func Rule[T any](read func(name string, v jsontext.Value, to *T) (want string, ok bool)) *json.Unmarshalers {
	list := reflect.TypeFor[T]().Kind() == reflect.Slice
	return json.UnmarshalFromFunc(func(d *jsontext.Decoder, to *T) error {
		if list && d.PeekKind() == '[' {
			return errors.ErrUnsupported // leaves it to the library
		}
		v, err := d.ReadValue()
		if err != nil {
			return err
		}
		name := ""
		if in, _ := d.StackIndex(d.StackDepth()); in == '{' {
			name = d.StackPointer().LastToken()
		}
		if want, ok := read(name, v, to); !ok {
			return fmt.Errorf("must be %s, got %s", want, Shorten(v))
		}
		return nil
	})
}

// kinds refuses a value, such as null, whose JSON kind does not match its field.
// A field of raw JSON accepts any value.
var kinds = json.UnmarshalFromFunc(func(d *jsontext.Decoder, to any) error {
	t := reflect.TypeOf(to).Elem()
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	want, begins := "a number", "0"
	switch t.Kind() {
	case reflect.Struct:
		want, begins = "a JSON object", "{"
	case reflect.String:
		want, begins = "a string", `"`
	case reflect.Bool:
		want, begins = "true or false", "tf"
	case reflect.Slice:
		switch want, begins = "a list", "["; t.Elem().Kind() {
		case reflect.String:
			want = "a list of strings"
		case reflect.Uint8:
			return errors.ErrUnsupported
		}
	}
	if kind := d.PeekKind(); kind == jsontext.KindInvalid || strings.ContainsRune(begins, rune(kind)) {
		return errors.ErrUnsupported // leaves it to the library
	}
	v, err := d.ReadValue()
	if err != nil {
		return err
	}
	return fmt.Errorf("must be %s, got %s", want, Shorten(v))
})

// fieldNames returns the JSON names of a struct's fields, in their order.
func fieldNames(t reflect.Type) (names []string) {
	for name := range members(t) {
		names = append(names, name)
	}
	return names
}

// Given returns the JSON names of the fields that are not zero, in the struct that
// to points to.
func Given(to any) (names []string) {
	v := reflect.ValueOf(to).Elem()
	for name, f := range members(v.Type()) {
		if !v.FieldByIndex(f.Index).IsZero() {
			names = append(names, name)
		}
	}
	return names
}

// members yields the JSON name of each field of a struct, and the field.
func members(t reflect.Type) iter.Seq2[string, reflect.StructField] {
	return func(yield func(string, reflect.StructField) bool) {
		for _, f := range reflect.VisibleFields(t) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "" && name != "-" && !yield(name, f) {
				return
			}
		}
	}
}

// path returns a pointer in JavaScript's notation: stats[0].value for
// /stats/0/value.
func path(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		if _, err := strconv.Atoi(token); err == nil {
			token = "[" + token + "]"
		} else if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(token)
	}
	return b.String()
}

// Shorten returns a value as one line of at most 60 characters, for an error.
func Shorten(v []byte) string { return prose.OneLine(string(v), 60) }
