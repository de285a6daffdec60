package powertuning

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Event is what every invocation receives as its event: the tool sends null
// for a payload that is absent, null, false, 0 or "", and the JSON within for
// one that is a string of JSON. It has no meaning for a weighted payload.
func (in Input) Event() json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, in.Payload) != nil || !truthy(b.Bytes()) {
		return json.RawMessage("null")
	}
	event := b.Bytes()
	var s string
	if json.Unmarshal(event, &s) == nil && json.Valid([]byte(s)) {
		event = []byte(s)
	}
	return event
}

// weighting is an element of a payload that is a list of weighted ones.
type weighting struct {
	Payload jsontext.Value `json:"payload"`
	Weight  jsontext.Value `json:"weight"`
}

// weighted returns the weighted payloads, and whether there are any. As in
// the tool any other array is an event as it is.
func (in Input) weighted() ([]weighting, bool) {
	var list []weighting
	// Names by their exact letters, which encoding/json does not insist on.
	if jsonv2.Unmarshal(in.Payload, &list) != nil || len(list) == 0 {
		return nil, false
	}
	for _, w := range list {
		if !truthy(w.Payload) || !truthy(w.Weight) {
			return nil, false
		}
	}
	return list, true
}

// checkWeights says whether the tool will get from the weights to num
// invocations, of which each payload needs one at least.
func (in Input) checkWeights() error {
	list, ok := in.weighted()
	if !ok {
		return nil
	}
	weights, total := make([]float64, len(list)), 0.0
	for i, w := range list {
		if json.Unmarshal(w.Weight, &weights[i]) != nil || weights[i] < 0 {
			return fmt.Errorf("payload: weight must be a number above 0, got %s", shorten(string(w.Weight)))
		}
		total += weights[i]
	}
	if in.Num == 0 {
		return nil // the caller knows num, or the tool will refuse it
	}
	if in.Num < len(list) {
		return fmt.Errorf("payload has %d weighted payloads and num is %d: num must be at least as many", len(list), in.Num)
	}
	for i, w := range weights {
		if math.Floor(w*float64(in.Num)/total) < 1 {
			return fmt.Errorf("payload: weight %s of %g in all gives less than one of num = %d invocations: raise num or the weight",
				shorten(string(list[i].Weight)), total, in.Num)
		}
	}
	return nil
}

// truthy is JavaScript's idea of a JSON value that counts as given.
func truthy(v []byte) bool {
	var x any
	if json.Unmarshal(v, &x) != nil {
		return false
	}
	return x != nil && x != false && x != 0.0 && x != ""
}
