package powertuning

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lambda-parallel-io/tune/prose"
)

// decode reads a JSON object into an Input or an Output. Unlike encoding/json
// it takes names by their exact letters, and refuses null and a name that
// stands twice. It returns which fields were there. An error names the field,
// its value and what is allowed.
func decode(raw []byte, to any, options ...json.Options) (map[jsontext.Pointer]bool, error) {
	if jsontext.Value(raw).Kind() != '{' {
		return nil, fmt.Errorf("it must be a JSON object, got %s", cmp.Or(shorten(raw), "nothing"))
	}
	read := map[jsontext.Pointer]bool{}
	check := json.UnmarshalFromFunc(func(dec *jsontext.Decoder, field any) error {
		read[dec.StackPointer()] = true
		return readField(dec, field)
	})
	err := json.Unmarshal(raw, to, append(options, json.WithUnmarshalers(check))...)
	if refused, ok := errors.AsType[refusal](err); ok {
		return nil, refused
	}
	if e, ok := errors.AsType[*json.SemanticError](err); ok && e.Err == json.ErrUnknownName {
		name := shorten([]byte(e.JSONPointer.LastToken()))
		return nil, fmt.Errorf("unknown field %q: the fields are %s", name, strings.Join(fieldNames, ", "))
	}
	if err != nil { // it may quote a name of any length
		return nil, errors.New("it is not valid JSON: " + prose.OneLine(err.Error(), 200))
	}
	return read, nil
}

// refusal is the error of a value that is not what its field allows.
type refusal string

func (r refusal) Error() string { return string(r) }

// readField reads a field of the structs, or leaves it to the library
// (errors.ErrUnsupported) where any value of its kind is allowed.
func readField(dec *jsontext.Decoder, field any) error {
	var want, kinds string
	switch field := field.(type) {
	case **float64:
		*field = new(float64)
		return readField(dec, *field)
	case *StateMachine, *Stat:
		want, kinds = "a JSON object", "{"
	case *[]Stat:
		want, kinds = "a list", "["
	case *[]string:
		want, kinds = "a list of strings", "["
	case *[]int:
		want, kinds = `a list of MB or "ALL"`, "["
	case *bool:
		want, kinds = "true or false", "tf"
	case *string, *float64, *int:
	default: // the whole, and the payload
		return errors.ErrUnsupported
	}
	if strings.ContainsRune(kinds, rune(dec.PeekKind())) {
		return errors.ErrUnsupported
	}
	v, err := dec.ReadValue()
	if err != nil {
		return err
	}
	at, ok := dec.StackPointer(), false
	switch field := field.(type) {
	case *string:
		want, ok = readString(at.LastToken(), v, field)
	case *float64:
		want, ok = readNumber(at.LastToken(), v, field)
	case *int:
		want, ok = readWhole(at.LastToken(), v, field)
	case *[]int:
		ok = string(v) == `"ALL"`
		for mb := MinPower; ok && mb <= 3008; mb += 64 {
			*field = append(*field, mb)
		}
	}
	if !ok {
		return refusal(fmt.Sprintf("%s must be %s, got %s", path(at), want, shorten(v)))
	}
	return nil
}

// The fields of which not every string is allowed.
var stringFields = map[string]struct {
	want    string
	allowed func(string) bool
}{
	"lambdaARN":     {"of the form " + functionARNForm, functionARN.MatchString},
	"payloadS3":     {"of the form s3://BUCKET/KEY", regexp.MustCompile(`^s3://[^/]+/.+$`).MatchString},
	"strategy":      {goals, func(s string) bool { return s == "" || isGoal(s) }}, // the tool takes "" for its default
	"visualization": {"an https or http link", isLink},
}

func readString(name string, v jsontext.Value, s *string) (want string, ok bool) {
	if v.Kind() != '"' || json.Unmarshal(v, s) != nil {
		return "a string", false
	}
	if f, ok := stringFields[name]; ok {
		return f.want, f.allowed(*s)
	}
	return "", true
}

// isLink says whether a browser may be sent there. No link of the tool's has
// the characters that may harm the view that shows it.
func isLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'<>`\\", r) })
}

// readNumber reads a share, which may be beyond its limits since the tool
// takes the limit for it, or else dollars or ms.
func readNumber(name string, v jsontext.Value, number *float64) (want string, ok bool) {
	f, err := strconv.ParseFloat(string(v), 64) // an error is no number, or one beyond float64
	*number = f
	if most, share := map[string]float64{"balancedWeight": 1, "discardTopBottom": MaxDiscardTopBottom}[name]; share {
		return fmt.Sprintf("a number from 0 to %g", most), err == nil
	}
	return "a number of at least 0", err == nil && f >= 0
}

// readWhole reads a whole number: a count, ms, or else a power value. It may
// stand in a string: the tool takes both, and its own power values are
// strings.
func readWhole(name string, v jsontext.Value, number *int) (want string, ok bool) {
	least, most, want := MinPower, MaxPower, fmt.Sprintf("a whole number from %d to %d", MinPower, MaxPower)
	if l, ok := map[string]int{"num": MinNum, "sleepBetweenRunsMs": 0}[name]; ok {
		least, most, want = l, math.MaxInt32, fmt.Sprintf("a whole number of at least %d", l)
	}
	if v.Kind() == '"' {
		v = v[1 : len(v)-1]
	}
	f, err := strconv.ParseFloat(string(v), 64) // which takes more than JSON's numbers
	*number = int(f)
	return want, err == nil && v.IsValid() && f == math.Trunc(f) && f >= float64(least) && f <= float64(most)
}

var index = regexp.MustCompile(`/([0-9]+)`)

// path writes stats[0].value for /stats/0/value.
func path(p jsontext.Pointer) string {
	return strings.ReplaceAll(index.ReplaceAllString(string(p[1:]), "[$1]"), "/", ".")
}

// shorten keeps an error readable, and harmless to a terminal, whatever the
// input was.
func shorten(s []byte) string { return prose.OneLine(string(s), 60) }
