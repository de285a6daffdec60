// Package powertuning models the input, output, prices and links of AWS Lambda Power Tuning 4.4.0. Its
// tests compare it with what the tool itself answers.
package powertuning

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

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

const visualizationURL = "https://lambda-power-tuning.show/"

// Link is the tool's chart of duration and cost against power. Its data are in the fragment, which a
// browser does not send. region sets the currency.
func Link(region string, stats []Stat) string { return link(visualizationURL, region, hash(stats)) }

// CompareLink is the chart of two functions, the most that it can show. Labels may be any text.
func CompareLink(region, labelA string, a []Stat, labelB string, b []Stat) string {
	return link(visualizationURL, region,
		strings.Join([]string{hash(a), hash(b), component(labelA), component(labelB)}, ";"))
}

func link(base, region, hash string) string {
	if strings.HasPrefix(region, "cn-") {
		base += "?currency=CNY"
	}
	return base + "#" + hash
}

// hash is sizes;times;costs by ascending size, each a little-endian array in base64. Like the tool, it
// leaves out sizes without a duration.
func hash(stats []Stat) string {
	var sizes, times, costs []byte
	for _, s := range slices.SortedStableFunc(slices.Values(stats), func(a, b Stat) int { return a.Value - b.Value }) {
		if s.AverageDuration == 0 {
			continue
		}
		sizes = binary.LittleEndian.AppendUint16(sizes, uint16(s.Value))
		times = binary.LittleEndian.AppendUint32(times, math.Float32bits(float32(s.AverageDuration)))
		costs = binary.LittleEndian.AppendUint32(costs, math.Float32bits(float32(s.AveragePrice)))
	}
	b64 := base64.StdEncoding.EncodeToString
	return b64(sizes) + ";" + b64(times) + ";" + b64(costs)
}

// unescaped undoes what url.QueryEscape escapes and JavaScript's encodeURIComponent does not.
var unescaped = strings.NewReplacer("+", "%20", "%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*")

// component is encodeURIComponent. The page would fail on invalid UTF-8, which becomes U+FFFD.
func component(s string) string {
	return unescaped.Replace(url.QueryEscape(strings.ToValidUTF8(s, "\uFFFD")))
}
