package powertuning

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"lambda-parallel-io/handler/strictjson"
)

// Limits of an input, defaults of its absent fields, and the values of its strategy.
const (
	MinNum              = 5 // below it the state machine fails
	MaxDiscardTopBottom = 0.4

	DefaultStrategy         = Cost
	DefaultBalancedWeight   = 0.5
	DefaultDiscardTopBottom = 0.2 // 0 with onlyColdStarts

	Cost     = "cost"     // the lowest average price
	Speed    = "speed"    // the lowest average duration
	Balanced = "balanced" // the lowest weighted mean of both, each as a share of its maximum
)

// Input is the input of an execution of the state machine. Fields with their zero value are not
// marshaled, so the tool's defaults hold. The tool's README-INPUT-OUTPUT describes them, except for
// onlyColdStarts and allowedExceptions, which only its code has.
type Input struct {
	LambdaARN   string          `json:"lambdaARN,omitempty"`   // without version or alias
	PowerValues []int           `json:"powerValues,omitempty"` // MB; absent: the deployment's
	Num         int             `json:"num,omitempty"`         // invocations per power value, at least MinNum
	Payload     json.RawMessage `json:"payload,omitempty"`     // see [Input.Event]
	PayloadS3   string          `json:"payloadS3,omitempty"`   // s3://bucket/key, in place of Payload

	Strategy         string   `json:"strategy,omitempty"`           // Cost, Speed or Balanced
	BalancedWeight   *float64 `json:"balancedWeight,omitempty"`     // 0 (like Speed) to 1 (like Cost)
	DiscardTopBottom *float64 `json:"discardTopBottom,omitempty"`   // share of the runs trimmed from each end, 0 to MaxDiscardTopBottom
	SleepBetweenMS   int      `json:"sleepBetweenRunsMs,omitempty"` // ms after each invocation

	ParallelInvocation   bool `json:"parallelInvocation,omitempty"`   // all invocations of a power value at once
	OnlyColdStarts       bool `json:"onlyColdStarts,omitempty"`       // a version of its own for each invocation
	IncludeOutputResults bool `json:"includeOutputResults,omitempty"` // stats in the output
	DisablePayloadLogs   bool `json:"disablePayloadLogs,omitempty"`   // no payloads in the tool's logs and errors
	DryRun               bool `json:"dryRun,omitempty"`               // one invocation, no statistics

	AllowedExceptions []string `json:"allowedExceptions,omitempty"` // error types of the function that do not end the execution

	PreProcessorARN   string `json:"preProcessorARN,omitempty"`   // function called before each invocation
	PostProcessorARN  string `json:"postProcessorARN,omitempty"`  // function called after each invocation
	AutoOptimize      bool   `json:"autoOptimize,omitempty"`      // set the function to the chosen power
	AutoOptimizeAlias string `json:"autoOptimizeAlias,omitempty"` // and publish it under this alias
}

// ParseInput reads the input of an execution, a JSON object, as the tool does: whole numbers may be
// strings, powerValues may be "ALL" (128 to 3,008 MB in steps of 64), balancedWeight and discardTopBottom
// may exceed their limits. It also refuses what makes the tool fail later, or go on silently: an unknown
// field, a wrong type, a power value that Lambda does not have, or one that is repeated.
//
// lambdaARN and num, which the tool requires, may be absent: the caller sets them.
func ParseInput(raw []byte) (in Input, err error) {
	err = strictjson.Unmarshal(raw, &in, fields)
	for i, mb := range in.PowerValues {
		if err == nil && slices.Contains(in.PowerValues[:i], mb) {
			err = fmt.Errorf("powerValues: %d is repeated", mb)
		}
	}
	if err != nil {
		return Input{}, fmt.Errorf("power tuning input: %w", err)
	}
	return in, nil
}

const functionARNForm = "arn:aws:lambda:REGION:ACCOUNT:function:NAME, without version or alias"

var functionARN = regexp.MustCompile(`^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+$`)

// CheckFunctionARN returns an error unless arn is the ARN of a Lambda function without version or alias.
func CheckFunctionARN(arn string) error {
	if !functionARN.MatchString(arn) {
		return fmt.Errorf("%q is not the ARN of a function: it must be of the form %s", strictjson.Shorten([]byte(arn)), functionARNForm)
	}
	return nil
}

// Goal is the rule by which Power Tuning chooses a power value, and the share of runs that it trims.
type Goal struct {
	Strategy         string  // Cost, Speed or Balanced
	BalancedWeight   float64 // for Balanced: 0 (like Speed) to 1 (like Cost)
	DiscardTopBottom float64 // trimmed from each end: 0 to MaxDiscardTopBottom
}

// Goal applies the tool's defaults and limits; onlyColdStarts turns trimming off.
func (in Input) Goal() Goal {
	share := func(given *float64, absent, most float64) float64 { return min(max(*cmp.Or(given, &absent), 0), most) }
	g := Goal{cmp.Or(in.Strategy, DefaultStrategy), share(in.BalancedWeight, DefaultBalancedWeight, 1),
		share(in.DiscardTopBottom, DefaultDiscardTopBottom, MaxDiscardTopBottom)}
	if in.OnlyColdStarts {
		g.DiscardTopBottom = 0
	}
	return g
}

// Event is what the tool sends to the function: null for a payload that is absent, null, false, 0 or "",
// and the parsed JSON for a payload that is a string of JSON. It does not apply to weighted payloads.
func (in Input) Event() json.RawMessage {
	var b bytes.Buffer
	var x any
	if json.Unmarshal(in.Payload, &x) != nil || x == nil || x == false || x == 0.0 || x == "" || json.Compact(&b, in.Payload) != nil {
		return json.RawMessage("null")
	}
	if within, ok := x.(string); ok && json.Valid([]byte(within)) {
		return json.RawMessage(within)
	}
	return b.Bytes()
}

// Alters describes, in a sentence, how the event differs from the payload other than in white space:
// another value, or the first whole number that JavaScript rounds, as it does most above 2^53. It is empty
// if they are equal.
func (in Input) Alters() string {
	var given bytes.Buffer
	if json.Compact(&given, in.Payload) != nil {
		return "" // there is no payload
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
		f, _ := token.Float() // a payload with a number beyond float64 becomes null above
		if sent := strconv.FormatFloat(f, 'f', -1, 64); sent != number {
			return fmt.Sprintf("Power Tuning rounds %s in the payload to %s: write it as a string",
				strictjson.Shorten([]byte(number)), sent)
		}
	}
	return ""
}
