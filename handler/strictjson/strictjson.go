// Package strictjson decodes JSON that somebody has written by hand, and says
// what is wrong with it.
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

// Unmarshal decodes a JSON object into the struct that to points to. It takes
// names by their exact letters, and refuses a name that is unknown or stands
// twice, and null. Rules decide on single fields; nil is none. Its options are
// [json.RejectUnknownMembers] unless others say otherwise. An error is one line
// of at most some 500 characters that names the field, its value and what is
// allowed, whatever the input was.
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
		return fmt.Errorf("unknown field %q: the fields are %s", Shorten([]byte(path(refused.JSONPointer))), strings.Join(Names(refused.GoType), ", "))
	case ok:
		return fmt.Errorf("%s %w", path(refused.JSONPointer), refused.Err)
	default: // it may quote a name of any length
		return errors.New("it is not valid JSON: " + prose.OneLine(err.Error(), 200))
	}
}

// Rule decides on every value of a T, but for the lists of a slice. It gets
// the field's name, "" for an element of a list, and returns what the value must
// be and whether it is that.
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

// kinds refuses what is not of its field's kind, null first of all. JSON that a
// field keeps as it is may be anything.
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

// Names are those of a struct's fields in JSON, in their order.
func Names(t reflect.Type) (names []string) {
	for name := range members(t) {
		names = append(names, name)
	}
	return names
}

// Given are the names of those fields of a struct that to points to which are
// not zero.
func Given(to any) (names []string) {
	v := reflect.ValueOf(to).Elem()
	for name, f := range members(v.Type()) {
		if !v.FieldByIndex(f.Index).IsZero() {
			names = append(names, name)
		}
	}
	return names
}

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

// path writes stats[0].value for /stats/0/value.
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

// Shorten makes a value fit for an error: at most 60 characters on one line.
func Shorten(v []byte) string { return prose.OneLine(string(v), 60) }
