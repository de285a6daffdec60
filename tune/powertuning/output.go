// Package powertuning speaks of AWS Lambda Power Tuning 4.4.0: its input, its
// output, and how it gets from durations to the one and from there to its
// page's links. It is pure, and checked against what the tool itself answers.
//
// Where a figure has to be comparable with the real tool's, it is computed
// with the tool's own prices, which are rounded: arm64 2.0 % above AWS's list,
// x86_64 0.8 %.
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

// Output is what an execution of the state machine returns.
type Output struct {
	Power        int          `json:"power"`    // MB
	Cost         float64      `json:"cost"`     // dollars, of one invocation at Power
	Duration     float64      `json:"duration"` // ms, the trimmed mean at Power
	StateMachine StateMachine `json:"stateMachine"`
	Stats        []Stat       `json:"stats,omitempty"` // with includeOutputResults
}

// StateMachine is what the tuning itself cost, in dollars, and its chart.
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

// ParseOutput reads what an execution returned. The output of an execution is
// untrusted: each field that is there must be of its type and range, the power
// values and the link must be there, and the link must be one that a browser
// may be sent to. Fields that it does not know are left alone. Power values may
// stand in strings.
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

// Link is the tool's visualization: a page that draws duration and cost
// against power. Its data are in the fragment, which a browser does not send.
// Region says the currency.
func Link(region string, stats []Stat) string { return link(visualizationURL, region, hash(stats)) }

// CompareLink is the page with two functions in one chart, the most that it
// can show. The labels may hold anything.
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

// hash is sizes;times;costs by ascending size, each the base64 of an array of
// the page's (little-endian, as on the tool's Lambda). As in the tool a size
// without a duration is left out.
func hash(stats []Stat) string {
	stats = slices.SortedStableFunc(slices.Values(stats), func(a, b Stat) int { return a.Value - b.Value })
	var sizes, times, costs []byte
	for _, s := range stats {
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

// unescaped are the characters that JavaScript's encodeURIComponent leaves as
// they are and url.QueryEscape does not, and the space.
var unescaped = strings.NewReplacer("+", "%20", "%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*")

// component is encodeURIComponent, which the page undoes. Invalid UTF-8, on
// which the page would fail, becomes U+FFFD.
func component(s string) string {
	return unescaped.Replace(url.QueryEscape(strings.ToValidUTF8(s, "\uFFFD")))
}
