package powertuning

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"lambda-parallel-io/handler/strictjson"
)

// The limits of an input, and what the tool takes for a field that is absent.
const (
	MinNum              = 5 // below it the state machine fails
	MaxDiscardTopBottom = 0.4

	DefaultStrategy         = Cost
	DefaultBalancedWeight   = 0.5
	DefaultDiscardTopBottom = 0.2 // 0 with onlyColdStarts
)

// Input is what an execution of the state machine takes. It marshals to
// exactly that; a field with its zero value is left out, and the tool's
// default holds. The fields and their meaning are those of the tool's
// README-INPUT-OUTPUT; onlyColdStarts and allowedExceptions are in its code
// alone.
type Input struct {
	LambdaARN   string          `json:"lambdaARN,omitempty"`   // without version or alias
	PowerValues []int           `json:"powerValues,omitempty"` // MB; absent: those of the deployment
	Num         int             `json:"num,omitempty"`         // invocations a power value, at least MinNum
	Payload     json.RawMessage `json:"payload,omitempty"`     // see [Input.Event]
	PayloadS3   string          `json:"payloadS3,omitempty"`   // s3://bucket/key, in place of Payload

	Strategy         string   `json:"strategy,omitempty"`           // Cost, Speed or Balanced
	BalancedWeight   *float64 `json:"balancedWeight,omitempty"`     // 0 as Speed to 1 as Cost
	DiscardTopBottom *float64 `json:"discardTopBottom,omitempty"`   // share of the runs trimmed from each end, 0 to MaxDiscardTopBottom
	SleepBetweenMS   int      `json:"sleepBetweenRunsMs,omitempty"` // ms after each invocation

	ParallelInvocation   bool `json:"parallelInvocation,omitempty"`   // all invocations of a power value at once
	OnlyColdStarts       bool `json:"onlyColdStarts,omitempty"`       // a version of its own for each invocation
	IncludeOutputResults bool `json:"includeOutputResults,omitempty"` // stats in the output
	DisablePayloadLogs   bool `json:"disablePayloadLogs,omitempty"`   // no payloads in the tool's logs and errors
	DryRun               bool `json:"dryRun,omitempty"`               // one invocation, no statistics

	AllowedExceptions []string `json:"allowedExceptions,omitempty"` // types of a function's errors that do not end the execution

	PreProcessorARN   string `json:"preProcessorARN,omitempty"`   // a function called before each invocation
	PostProcessorARN  string `json:"postProcessorARN,omitempty"`  // a function called after each invocation
	AutoOptimize      bool   `json:"autoOptimize,omitempty"`      // set the function to the chosen power
	AutoOptimizeAlias string `json:"autoOptimizeAlias,omitempty"` // and publish it under this alias
}

// ParseInput reads the input of an execution, a JSON object. It takes what
// the tool takes: whole numbers also as strings, powerValues also as "ALL"
// (128 to 3,008 in steps of 64), a balancedWeight or discardTopBottom beyond
// its limits, and before it all a file's byte order mark. It is stricter where the tool would fail later or go on without
// a word: an unknown field, a wrong type, a power value that Lambda does not
// have or that stands twice. An error names the field, its value and what is
// allowed.
//
// lambdaARN and num, which the tool requires, may be absent: a run on one
// machine needs no ARN, and a caller has its own defaults.
func ParseInput(raw []byte) (in Input, err error) {
	err = strictjson.Unmarshal(bytes.TrimPrefix(raw, []byte("\ufeff")), &in, fields)
	for i, mb := range in.PowerValues {
		if err == nil && slices.Contains(in.PowerValues[:i], mb) {
			err = fmt.Errorf("powerValues: %d stands twice", mb)
		}
	}
	if err != nil {
		return Input{}, fmt.Errorf("power tuning input: %w", err)
	}
	return in, nil
}

const functionARNForm = "arn:aws:lambda:REGION:ACCOUNT:function:NAME, without version or alias"

var functionARN = regexp.MustCompile(`^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+$`)

// CheckFunctionARN returns an error unless arn is that of a Lambda function
// without version or alias, the only form that the tool takes.
func CheckFunctionARN(arn string) error {
	if !functionARN.MatchString(arn) {
		return fmt.Errorf("%q is not the ARN of a function: it must be of the form %s", strictjson.Shorten([]byte(arn)), functionARNForm)
	}
	return nil
}

// Event is what every invocation receives as its event: the tool sends null
// for a payload that is absent, null, false, 0 or "", and the JSON within for
// one that is a string of JSON. It has no meaning for a weighted payload.
func (in Input) Event() json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, in.Payload) != nil || !truthy(b.Bytes()) {
		return json.RawMessage("null")
	}
	var within string
	if json.Unmarshal(b.Bytes(), &within) == nil && json.Valid([]byte(within)) {
		return json.RawMessage(within)
	}
	return b.Bytes()
}

// Alters says in a sentence in what the event differs from the payload, by
// more than white space: another value in its place, or a whole number that
// JavaScript can not hold and rounds, as it does most above 2^53. It is empty
// where nothing does, and of a payload with several such numbers it names the
// first. Within a string nothing is rounded.
func (in Input) Alters() string {
	var given bytes.Buffer
	if json.Compact(&given, in.Payload) != nil {
		return "" // there is none
	}
	if sent := in.Event(); !bytes.Equal(sent, given.Bytes()) {
		return fmt.Sprintf("Power Tuning sends %s in place of the payload %s", strictjson.Shorten(sent), strictjson.Shorten(given.Bytes()))
	}
	dec := jsontext.NewDecoder(&given, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for token, err := dec.ReadToken(); err == nil; token, err = dec.ReadToken() {
		number := token.String()
		if token.Kind() != '0' || strings.ContainsAny(number, ".eE") {
			continue
		}
		f, _ := token.Float() // of a payload with a number beyond float64 the event is null
		if sent := strconv.FormatFloat(f, 'f', -1, 64); sent != number {
			return fmt.Sprintf("Power Tuning rounds %s in the payload to %s: write it as a string",
				strictjson.Shorten([]byte(number)), sent)
		}
	}
	return ""
}

// truthy is JavaScript's idea of a JSON value that counts as given.
func truthy(v []byte) bool {
	var x any
	return json.Unmarshal(v, &x) == nil && x != nil && x != false && x != 0.0 && x != ""
}
