// Package powertuning models the input, output, prices and links of AWS Lambda Power Tuning 4.4.0. Its tests compare
// it with what the tool itself answers.
package powertuning

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lambda-parallel-io/handler/platform"
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

// Input is the input of an execution of the state machine. Fields with their zero value are not marshaled, so the
// tool's defaults hold. The tool's README-INPUT-OUTPUT describes them, except for onlyColdStarts and
// allowedExceptions, which only its code has.
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

// ParseInput reads the input of an execution, a JSON object, as the tool does: whole numbers may be strings,
// powerValues may be "ALL" (128 to 3,008 MB in steps of 64), balancedWeight and discardTopBottom may exceed their
// limits. It also refuses what makes the tool fail later, or go on silently: an unknown field, a wrong type, a power
// value that Lambda does not have, or a repeated one. lambdaARN and num, which the tool requires, may be absent.
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

// Goal returns the rule by which the tool chooses a power value, and the share of the runs that it trims from each
// end: the input's, with the tool's defaults and limits.
func (in Input) Goal() (strategy string, balancedWeight, discardTopBottom float64) {
	if in.OnlyColdStarts {
		in.DiscardTopBottom = new(float64)
	}
	share := func(given *float64, absent, most float64) float64 { return min(max(*cmp.Or(given, &absent), 0), most) }
	return cmp.Or(in.Strategy, DefaultStrategy), share(in.BalancedWeight, DefaultBalancedWeight, 1),
		share(in.DiscardTopBottom, DefaultDiscardTopBottom, MaxDiscardTopBottom)
}

// Event is what the tool sends to the function: null for a payload that is absent, null, false, 0 or "", and the
// parsed JSON for a payload that is a string of JSON. It does not apply to weighted payloads.
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

// Alters describes, in a sentence, how the event differs from the payload other than in white space: another value,
// or the first whole number that JavaScript rounds, as it does most above 2^53. It is empty if they are equal.
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
		f, _ := strconv.ParseFloat(number, 64) // a payload with a number beyond float64 becomes null above
		sent := strconv.FormatFloat(f, 'f', -1, 64)
		if token.Kind() == '0' && !strings.ContainsAny(number, ".eE") && sent != number {
			return fmt.Sprintf("Power Tuning rounds %s in the payload to %s: write it as a string",
				strictjson.Shorten([]byte(number)), sent)
		}
	}
	return ""
}

// Output is the output of an execution of the state machine.
type Output struct {
	Power        int     `json:"power"`    // MB
	Cost         float64 `json:"cost"`     // dollars for one invocation at Power
	Duration     float64 `json:"duration"` // ms, the trimmed mean at Power
	StateMachine struct {
		ExecutionCost float64 `json:"executionCost"` // dollars of the tuning itself
		LambdaCost    float64 `json:"lambdaCost"`    // likewise
		Visualization string  `json:"visualization"` // the link to its chart
	} `json:"stateMachine"`
	Stats []Stat `json:"stats,omitempty"` // with includeOutputResults
}

// Stat is the summary of one power value.
type Stat struct {
	Value           int     `json:"value"`           // MB
	AveragePrice    float64 `json:"averagePrice"`    // dollars
	AverageDuration float64 `json:"averageDuration"` // ms
}

// ParseOutput reads the output of an execution, which is untrusted: it requires power, the power values and a link
// that a browser may open, and checks the type and range of every known field. It ignores unknown fields. Power
// values may be strings.
func ParseOutput(raw []byte) (out Output, err error) {
	err = strictjson.Unmarshal(raw, &out, fields, jsonv2.RejectUnknownMembers(false))
	nameless := func(s Stat) bool { return s.Value == 0 }
	if err == nil && (out.Power == 0 || out.StateMachine.Visualization == "" || slices.ContainsFunc(out.Stats, nameless)) {
		err = errors.New("power, stateMachine.visualization or the value of a stat is missing")
	}
	if err != nil {
		return Output{}, fmt.Errorf("power tuning output: %w", err)
	}
	return out, nil
}

// fields are the rules for the fields of Input and Output. A payload may be anything.
var fields = jsonv2.JoinUnmarshalers(
	strictjson.Rule(readAll), strictjson.Rule(readString), strictjson.Rule(readShare),
	strictjson.Rule(readNumber), strictjson.Rule(readWhole),
)

func readAll(_ string, v jsontext.Value, sizes *[]int) (want string, ok bool) {
	for mb := platform.MinMemory; mb <= 3008; mb += 64 {
		*sizes = append(*sizes, mb)
	}
	return `a list of MB or "ALL"`, string(v) == `"ALL"`
}

// stringFields are the fields that do not allow every string. A link has no characters that could harm the view that
// shows it; the tool's have none.
var stringFields = map[string]struct {
	want string
	form *regexp.Regexp
}{
	"lambdaARN":     {"of the form " + functionARNForm, functionARN},
	"payloadS3":     {"of the form s3://BUCKET/KEY", regexp.MustCompile(`^s3://[^/]+/.+$`)},
	"strategy":      {"cost, speed or balanced", regexp.MustCompile(`^(|cost|speed|balanced)$`)}, // "" is the tool's default
	"visualization": {"an https or http link", regexp.MustCompile(`(?i)^https?://[0-9a-z][!#-&(-;=?-\[\]-_a-~]*$`)},
}

func readString(name string, v jsontext.Value, s *string) (want string, ok bool) {
	if v.Kind() != '"' || json.Unmarshal(v, s) != nil {
		return "a string", false
	}
	f, limited := stringFields[name]
	return f.want, !limited || f.form.MatchString(*s)
}

// readShare reads a share, which may exceed its limits: the tool uses the limit then.
func readShare(name string, v jsontext.Value, share **float64) (want string, ok bool) {
	*share = new(float64)
	most := map[string]float64{"balancedWeight": 1, "discardTopBottom": MaxDiscardTopBottom}[name]
	return fmt.Sprintf("a number from 0 to %g", most), json.Unmarshal(v, *share) == nil && v.Kind() == '0'
}

// readNumber reads dollars or ms.
func readNumber(_ string, v jsontext.Value, number *float64) (want string, ok bool) {
	return "a number of at least 0", json.Unmarshal(v, number) == nil && v.Kind() == '0' && *number >= 0
}

// readWhole reads a whole number: a count, ms, or a power value. Like the tool, it also accepts strings.
func readWhole(name string, v jsontext.Value, number *int) (want string, ok bool) {
	least, most := platform.MinMemory, platform.MaxMemory
	want = fmt.Sprintf("a whole number from %d to %d", least, most)
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
