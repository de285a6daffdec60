// Package powertuning models the input, output, prices and links of AWS Lambda Power Tuning 4.4.0. Its
// tests compare it with what the tool itself answers.
package powertuning

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/handler/strictjson"
)

// Output is the output of an execution of the state machine.
type Output struct {
	Power        int          `json:"power"`    // MB
	Cost         float64      `json:"cost"`     // dollars for one invocation at Power
	Duration     float64      `json:"duration"` // ms, the trimmed mean at Power
	StateMachine StateMachine `json:"stateMachine"`
	Stats        []Stat       `json:"stats,omitempty"` // with includeOutputResults
}

// StateMachine is the cost of the tuning itself, in dollars, and the link to its chart.
type StateMachine struct {
	ExecutionCost float64 `json:"executionCost"`
	LambdaCost    float64 `json:"lambdaCost"`
	Visualization string  `json:"visualization"`
}

// Stat is the summary of one power value.
type Stat struct {
	Value           int     `json:"value"`           // MB
	AveragePrice    float64 `json:"averagePrice"`    // dollars
	AverageDuration float64 `json:"averageDuration"` // ms
}

// ParseOutput reads the output of an execution, which is untrusted: it requires power, the power values
// and a link that a browser may open, and checks the type and range of every known field. It ignores
// unknown fields. Power values may be strings.
func ParseOutput(raw []byte) (out Output, err error) {
	err = strictjson.Unmarshal(raw, &out, fields, json.RejectUnknownMembers(false))
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
var fields = json.JoinUnmarshalers(
	strictjson.Rule(readAll), strictjson.Rule(readString), strictjson.Rule(readShare),
	strictjson.Rule(readNumber), strictjson.Rule(readWhole),
)

func readAll(_ string, v jsontext.Value, sizes *[]int) (want string, ok bool) {
	for mb := platform.MinMemory; mb <= 3008; mb += 64 {
		*sizes = append(*sizes, mb)
	}
	return `a list of MB or "ALL"`, string(v) == `"ALL"`
}

// stringFields are the fields that do not allow every string.
var stringFields = map[string]struct {
	want    string
	allowed func(string) bool
}{
	"lambdaARN":     {"of the form " + functionARNForm, functionARN.MatchString},
	"payloadS3":     {"of the form s3://BUCKET/KEY", regexp.MustCompile(`^s3://[^/]+/.+$`).MatchString},
	"strategy":      {"cost, speed or balanced", func(s string) bool { return slices.Contains([]string{"", Cost, Speed, Balanced}, s) }}, // "" is the tool's default
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

// isLink reports whether a browser may open s. It refuses characters that could harm the view that shows
// the link; the tool's links have none.
func isLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'<>`\\", r) })
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
	least, most, want := platform.MinMemory, platform.MaxMemory, fmt.Sprintf("a whole number from %d to %d", platform.MinMemory, platform.MaxMemory)
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
