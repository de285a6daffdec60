package powertuning

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/url"
	"slices"
	"strings"
)

const visualizationURL = "https://lambda-power-tuning.show/"

// Link is the tool's visualization: a page that draws duration and cost
// against power. Its data are in the fragment, which a browser does not send.
// Region says the currency.
func Link(region string, stats []Stat) string { return link(visualizationURL, region, hash(stats)) }

// CompareLink is the page with two functions in one chart, the most that it
// can show. The labels may hold anything.
func CompareLink(region, labelA string, a []Stat, labelB string, b []Stat) string {
	return link(visualizationURL, region, strings.Join([]string{hash(a), hash(b), component(labelA), component(labelB)}, ";"))
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
