package event

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/handler/strictjson"
	"lambda-parallel-io/strategies"
)

// Decode decodes a payload and sets its defaults. The payload is a JSON object
// that names the objects in exactly one way; everything else is optional. workers
// is the concurrency of a payload that sets none, as returned by [Workers]. An
// error names the field, its value and the allowed values.
func Decode(raw []byte, workers int) (Payload, error) {
	var r request
	err := strictjson.Unmarshal(raw, &r, rules)
	if err == nil {
		err = r.complete(workers)
	}
	if err != nil {
		return Payload{}, fmt.Errorf("payload: %w", err)
	}
	return r.Payload, nil
}

// request is a payload as sent, before Items become Keys.
type request struct {
	Payload
	BatchInput *batchInput `json:"BatchInput"`
	Items      []Item      `json:"Items"`
}

// batchInput holds the fields that a Distributed Map adds to each batch.
type batchInput struct {
	Strategy    string `json:"strategy"`
	Concurrency int    `json:"concurrency"`
	OnFailure   string `json:"onFailure"`
	StartAfter  string `json:"startAfter"`
}

// Item is an element of Items. Step Functions' item readers produce
// {"Etag", "Key", "LastModified", "Size", "StorageClass"}; only Key is required.
type Item struct {
	Key          string `json:"Key"`
	Size         Bytes  `json:"Size"`
	StorageClass Class  `json:"StorageClass"`
}

// Bytes is a size in bytes, or -1 if unknown. Class is a storage class. In a
// payload both may be text, a number or null.
type (
	Bytes int64
	Class string
)

// UnmarshalJSONFrom decodes an item and ignores unknown fields. It returns an error
// without a Key.
func (i *Item) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	type fields Item
	i.Size = -1
	err := json.UnmarshalDecode(d, (*fields)(i), json.RejectUnknownMembers(false))
	if err == nil && i.Key == "" {
		err = errors.New("must have a Key")
	}
	return err
}

// rules check the fields. JSON has only one kind of number: 30, 30.0 and 3e1 are
// equal, and some clients send the latter two.
var rules = json.JoinUnmarshalers(
	strictjson.Rule(func(name string, v jsontext.Value, s *string) (want string, ok bool) {
		switch name {
		case "strategy":
			return oneOf(v, s, strategies.Names())
		case "onFailure":
			return oneOf(v, s, []string{Fail, Report})
		}
		least := 1
		if name == "prefix" || name == "suffix" {
			least = 0
		}
		if !unquote(v, s) {
			return "a string", false
		}
		return fmt.Sprintf("%d to %d bytes long: it has %d", least, platform.MaxKeyBytes, len(*s)), len(*s) >= least && len(*s) <= platform.MaxKeyBytes
	}),
	strictjson.Rule(func(name string, v jsontext.Value, n *int) (want string, ok bool) {
		most := map[string]int{"concurrency": MaxConcurrency, "repeat": MaxRepeat, "maxObjects": MaxObjects}[name]
		f, err := strconv.ParseFloat(string(v), 64)
		*n = int(f)
		return fmt.Sprintf("a whole number from 1 to %d", most), v.Kind() == '0' && err == nil && f == math.Trunc(f) && f >= 1 && f <= float64(most)
	}),
	// Step Functions may pass on a size as text, empty or null.
	strictjson.Rule(func(_ string, v jsontext.Value, s *Bytes) (string, bool) {
		if f, err := strconv.ParseFloat(strings.Trim(string(v), `"`), 64); err == nil && f >= 0 && f < math.MaxInt64 {
			*s = Bytes(f)
		}
		return "", true
	}),
	strictjson.Rule(func(_ string, v jsontext.Value, c *Class) (string, bool) {
		_ = unquote(v, (*string)(c))
		return "", true
	}),
)

func oneOf(v jsontext.Value, s *string, allowed []string) (want string, ok bool) {
	return "one of " + strings.Join(allowed, ", "), unquote(v, s) && slices.Contains(allowed, *s)
}

func unquote(v jsontext.Value, s *string) bool {
	b, err := jsontext.AppendUnquote(make([]byte, 0, platform.MaxKeyBytes), v) // on the stack
	*s = string(b)
	return v.Kind() == '"' && err == nil
}
