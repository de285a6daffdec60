package s3

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Latency is how long the model of S3 takes to answer a small GET.
type Latency struct {
	name   string
	median time.Duration
	sigma  float64 // of the logarithm
	floor  time.Duration
}

// The profiles of a small GET inside a region. They are lognormal, as latency
// with a long tail is:
//
//   - apg: fitted so that the 2,500 sequential reads of
//     aws-samples/aws-lambda-parallel-download, 47 s as published (December 2024,
//     2,304 MB), take as long in the model: of the 18.8 ms a GET some 3 are the
//     original's own, at this machine's speed;
//   - public: fitted to published percentiles, p50 27, p90 60, p99 114 ms
//     (December 2025);
//   - express: S3 Express One Zone's single-digit milliseconds; its median is
//     this project's choice.
var profiles = []Latency{
	{name: "apg", median: 13 * time.Millisecond, sigma: 0.62},
	{name: "public", median: 27 * time.Millisecond, sigma: 0.62, floor: 10 * time.Millisecond},
	{name: "express", median: 2500 * time.Microsecond, sigma: 0.62},
	{name: "none"},
}

// maxFixed keeps a fixed latency below what any client would wait for.
const maxFixed = time.Minute

// Lognormal returns latencies that ParseLatency reads by their name.
func Lognormal(median time.Duration, sigma float64) Latency {
	median = median.Round(time.Microsecond)
	sigma = math.Round(100*sigma) / 100
	return Latency{name: fmt.Sprintf("%s~%g", median, sigma), median: median, sigma: sigma}
}

// MaxSigma makes the 99th percentile a hundred times the median.
const MaxSigma = 2

// ParseLatency reads the name of a profile, a fixed duration such as 15ms, or the
// median and the sigma of lognormal ones such as 13ms~0.62.
func ParseLatency(s string) (Latency, error) {
	var names []string
	for _, p := range profiles {
		if p.name == s {
			return p, nil
		}
		names = append(names, p.name)
	}
	median, spread, lognormal := strings.Cut(s, "~")
	d, err := time.ParseDuration(median)
	sigma, errSigma := strconv.ParseFloat(cmp.Or(spread, "0"), 64)
	if err != nil || d < 0 || d > maxFixed || errSigma != nil || !(sigma >= 0 && sigma <= MaxSigma) {
		return Latency{}, fmt.Errorf("latency %q: it must be %s, a duration from 0s to %s such as 15ms, or a median and a sigma up to %d such as 13ms~0.62",
			s, strings.Join(names, ", "), "1m", MaxSigma)
	}
	if lognormal {
		return Lognormal(d, sigma), nil
	}
	return Latency{name: d.String(), median: d}, nil
}

func (l Latency) String() string { return l.name }

// Median returns the profile's median, before its floor, or a fixed duration.
func (l Latency) Median() time.Duration { return l.median }

// Mean returns the profile's mean, before its floor.
func (l Latency) Mean() time.Duration {
	return time.Duration(float64(l.median) * math.Exp(l.sigma*l.sigma/2))
}

// Draw returns the same latency for the same numbers, whatever else was drawn.
func (l Latency) Draw(seed, invocation, get uint64) time.Duration {
	if l.sigma == 0 {
		return l.median
	}
	r := rand.New(rand.NewPCG(mix(seed, invocation), mix(invocation+1, get)))
	d := time.Duration(float64(l.median) * math.Exp(l.sigma*r.NormFloat64()))
	return max(d, l.floor)
}

// mix is splitmix64's finalizer: PCG's first number after close seeds would
// not be independent enough by itself.
func mix(a, b uint64) uint64 {
	z := a*0x9e3779b97f4a7c15 + b*0xd1342543de82ef95 + 0x632be59bd9b4e019
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
