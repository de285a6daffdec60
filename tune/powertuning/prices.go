package powertuning

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/url"
	"slices"
	"strings"

	"lambda-parallel-io/handler/platform"
)

// baseCosts are the tool's prices of 1 ms at 128 MB, in dollars (yuan in China), from template.yml of 4.4.0. They are
// rounded: arm64 is 2.0 % above AWS's list price, x86_64 0.8 %.
var baseCosts = map[string]map[string]float64{
	platform.X8664: {
		"ap-east-1": 2.9e-9, "af-south-1": 2.8e-9, "me-south-1": 2.6e-9, "eu-south-1": 2.4e-9,
		"ap-northeast-3": 2.7e-9, "cn-north-1": 1.42e-8, "cn-northwest-1": 1.42e-8, "default": 2.1e-9,
	},
	platform.ARM64: {"default": 1.7e-9},
}

// transitionCosts are the tool's prices of one state transition, from the same file.
var transitionCosts = map[string]float64{
	"us-gov-west-1": 3e-5, "us-gov-east-1": 3e-5, "us-west-1": 2.79e-5, "sa-east-1": 3.75e-5,
	"eu-south-1": 2.625e-5, "eu-west-3": 2.97e-5, "af-south-1": 2.975e-5, "me-south-1": 2.75e-5,
	"ap-east-1": 2.75e-5, "ap-south-1": 2.85e-5, "ap-northeast-2": 2.71e-5,
	"cn-north-1": 1.891e-4, "cn-northwest-1": 1.891e-4, "default": 2.5e-5,
}

// BaseCost is the tool's price of 1 ms at 128 MB, in dollars; NaN for an unknown architecture.
func BaseCost(region, arch string) float64 {
	return cmp.Or(baseCosts[arch][region], baseCosts[arch]["default"], math.NaN())
}

// Price is the tool's price of ms at value MB, in dollars. It rounds up to whole ms.
func Price(baseCost float64, value int, ms float64) float64 {
	return math.Ceil(ms) * baseCost * (float64(value) / platform.MinMemory)
}

// BilledFromPrice is the mean billed duration behind an average price of the tool, which rounds it up to whole ms.
func BilledFromPrice(region, arch string, value int, averagePrice float64) float64 {
	return math.Round(averagePrice / Price(BaseCost(region, arch), value, 1))
}

// ExecutionCost is the tool's executionCost, in dollars, rounded to 5 places: its own count of the state transitions
// that an execution takes at most. region is the state machine's.
func ExecutionCost(region string, in Input) float64 {
	transitions := 6 + 3*len(in.PowerValues)
	if in.OnlyColdStarts { // a version for each invocation
		transitions = 6 + len(in.PowerValues)*(1+2*in.Num)
	}
	dollars := cmp.Or(transitionCosts[region], transitionCosts["default"]) * float64(transitions)
	return math.Round(1e5*dollars) / 1e5
}

// TrimmedMean is the mean of values without the lowest and the highest of them: discardTopBottom times their number,
// rounded down, from each end. It is 0 for no values.
func TrimmedMean(values []float64, discardTopBottom float64) float64 {
	trim := int(float64(len(values)) * discardTopBottom)
	kept := slices.Sorted(slices.Values(values))[trim : len(values)-trim]
	sum := 0.0
	for _, v := range kept {
		sum += v
	}
	return sum / float64(max(1, len(kept)))
}

const visualizationURL = "https://lambda-power-tuning.show/"

// Link is the tool's chart of duration and cost against power. Its data are in the fragment, which a browser does not
// send. region sets the currency.
func Link(region string, stats []Stat) string { return link(visualizationURL, region, hash(stats)) }

// CompareLink is the chart of two functions, the most that it can show. Labels may be any text.
func CompareLink(region, labelA string, a []Stat, labelB string, b []Stat) string {
	return link(visualizationURL, region, hash(a), hash(b), component(labelA), component(labelB))
}

func link(base, region string, parts ...string) string {
	if strings.HasPrefix(region, "cn-") {
		base += "?currency=CNY"
	}
	return base + "#" + strings.Join(parts, ";")
}

// hash is sizes;times;costs by ascending size, each a little-endian array in base64. Like the tool, it leaves out
// sizes without a duration.
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
