// Package profile models S3 as a function in its region sees it: latency, bandwidth and request limit. The local S3 and
// the simulation both draw from it, and so give the same read the same latency.
package profile

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"lambda-parallel-io/handler/platform"
)

// S3 is one profile. The latency of a small GET is Floor plus a lognormal part; a share of the GETs, Slow, takes SlowBy
// times as long.
type S3 struct {
	name  string
	times float64 // its latencies, if not 0

	Floor  time.Duration // the least
	Median time.Duration // slow GETs excluded
	Sigma  float64       // of the logarithm of what is above Floor
	Slow   float64       // 0 to 1
	SlowBy float64

	GetsPerSecond float64 // granted; S3 answers more with 503 SlowDown
	Burst         int     // GETs granted at once: those of 100 ms, which is this project's choice
}

// The bandwidth of a connection to S3 and of a Lambda function, in bytes and bytes a second. Sources:
//
//   - Bandwidth: 3,000 objects of 5 MiB, read and written in one call, take at least 211 s from 512 to 1,280 MB
//     (RustyServerless/demo-s3-archiving, 2026), which is 74.4 MB/s each way. It applies once BurstBytes are spent. AWS
//     explores more above 1.5 GB (aws/aws-lambda-roadmap #42).
//   - Connection: the lower end of "Make one concurrent request for each 85-90 MB/s of desired network throughput", S3
//     User Guide, "Performance design patterns for Amazon S3".
//   - Burst: inbound 1.2 GiB/s until a budget of some 300 MiB is spent (Bodner et al., "An Empirical Evaluation of
//     Serverless Cloud Infrastructure for Large-Scale Data Processing", 2025, arXiv:2501.07771, 4.2). Half of it comes
//     back as soon as the function is idle, so an invocation begins with that half (inferred).
const (
	Bandwidth           = 74_400_000
	ConnectionBandwidth = 85_000_000
	BurstBandwidth      = 1.2 * (1 << 30)
	BurstBytes          = 150 << 20
)

// Piece is how much of a body, in bytes, its latency includes: it was measured with such a body.
const Piece = 64 << 10

// The profiles, and what each parameter rests on:
//
//   - public: Median and Sigma are those of 230 warm, sequential GETs of 64 KB by Go from 128 to 2,048 MB
//     (blacha/s3-response-time, September 2024): medians of 20 to 26 ms, 90th percentiles of 26 to 31. With Floor, none
//     of 230 is under 13.3 ms, as none was. One GET in 50 is slow, by so much that the 99th percentile is the published
//     114 ms (December 2025). The model does not hold that source's 50th and 90th percentiles, 27 and 60 ms.
//   - apg: the 2,500 sequential reads of aws-samples/aws-lambda-parallel-download in 47 s (December 2024, 2,304 MB) are
//     18.8 ms each. The processor takes 2.6 of these, by its 10,000 reads at once in 27 s. That leaves a mean of 16.2 ms,
//     less than the medians above: so it is the shape of public at 0.66 times its level.
//   - express: S3 Express One Zone's single-digit milliseconds; median and Sigma are this project's choice. A directory
//     bucket grants 200,000 reads a second (S3 User Guide, "Optimizing S3 Express One Zone performance").
var profiles = []S3{
	{name: "apg", Floor: 6600 * time.Microsecond, Median: 14500 * time.Microsecond, Sigma: 0.32, Slow: 0.02, SlowBy: 114. / 22},
	{name: "public", Floor: 10 * time.Millisecond, Median: 22 * time.Millisecond, Sigma: 0.32, Slow: 0.02, SlowBy: 114. / 22},
	{name: "express", Median: 2500 * time.Microsecond, Sigma: 0.62, GetsPerSecond: 200_000},
	{name: "none"},
}

const (
	maxSigma = 2           // its 99th percentile is a hundred times the median
	maxFixed = time.Minute // longer than any client would wait
	maxScale = 100         // times a profile's latencies
)

// Parse reads the name of a profile, a scaled one such as 1.3xapg, a fixed latency such as 15ms, or the median and the
// sigma of a lognormal one such as 13ms~0.62, which has no floor and no slow part.
func Parse(name string) (S3, error) {
	var names []string
	for _, p := range profiles {
		if p.name == name {
			return p.complete(), nil
		}
		names = append(names, p.name)
	}
	if factor, of, scaled := strings.Cut(name, "x"); scaled {
		if times, _ := strconv.ParseFloat(factor, 64); times > 0 {
			if s, err := Parse(of); err == nil {
				if s = s.Scaled(times); s.times <= maxScale { // of a scaled one, both together
					return s, nil
				}
			}
		}
	}
	median, spread, lognormal := strings.Cut(name, "~")
	d, err := time.ParseDuration(median)
	sigma, errSigma := strconv.ParseFloat(cmp.Or(spread, "0"), 64)
	if err != nil || d < 0 || d > maxFixed || errSigma != nil || !(sigma >= 0 && sigma <= maxSigma) {
		return S3{}, fmt.Errorf("latency %q: it must be %s, a duration from 0s to 1m such as 15ms, or a median and a sigma up to %d such as 13ms~0.62",
			name, strings.Join(names, ", "), maxSigma)
	}
	s := S3{name: d.String(), Median: d}
	if lognormal {
		s.Median, s.Sigma = d.Round(time.Microsecond), math.Round(100*sigma)/100
		s.name = fmt.Sprintf("%s~%g", s.Median, s.Sigma)
	}
	return s.complete(), nil
}

// complete sets the limit of a general purpose bucket's prefix, unless the profile has its own.
func (s S3) complete() S3 {
	s.GetsPerSecond = cmp.Or(s.GetsPerSecond, platform.GetsPerSecond)
	s.Burst = int(s.GetsPerSecond / 10)
	return s
}

// MustParse is Parse for a name known to be right. It panics otherwise.
func MustParse(name string) S3 {
	s, err := Parse(name)
	if err != nil {
		panic(err)
	}
	return s
}

// String returns the name that Parse reads.
func (s S3) String() string {
	if s.times == 0 {
		return s.name
	}
	return fmt.Sprintf("%gx%s", s.times, s.name)
}

// Mean returns the mean latency of a small GET.
func (s S3) Mean() time.Duration {
	above := float64(s.Median-s.Floor) * math.Exp(s.Sigma*s.Sigma/2)
	return time.Duration((float64(s.Floor) + above) * (1 + s.Slow*(s.SlowBy-1)))
}

// Scaled returns an S3 with its latencies multiplied, to three digits.
func (s S3) Scaled(times float64) S3 {
	base, _ := Parse(s.name) // as it was read before
	base.times, _ = strconv.ParseFloat(fmt.Sprintf("%.3g", cmp.Or(s.times, 1)*times), 64)
	base.Floor = time.Duration(base.times * float64(base.Floor))
	base.Median = time.Duration(base.times * float64(base.Median))
	return base
}

// Shared returns what each of n functions that read one prefix side by side gets: an equal part of the GETs, and a
// bandwidth of its own.
func (s S3) Shared(n int) S3 {
	s.GetsPerSecond /= float64(n)
	s.Burst /= n
	return s
}

// Again is set in the number of a GET that is no read's first attempt: a listing or a retry. Numbered apart, these
// shift no read's latency.
const Again = 1 << 63

// Draw returns the latency of a GET: always the same for the same numbers. GETs are numbered from 1 in each invocation.
func (s S3) Draw(seed, invocation, get uint64) time.Duration {
	if s.Sigma == 0 {
		return s.Median
	}
	r := rand.New(rand.NewPCG(mix(seed, invocation), mix(invocation+1, get)))
	d := float64(s.Floor) + float64(s.Median-s.Floor)*math.Exp(s.Sigma*r.NormFloat64())
	if s.Slow > 0 && r.Float64() < s.Slow {
		d *= s.SlowBy
	}
	return time.Duration(d)
}

// mix is splitmix64's finalizer: PCG's first numbers after close seeds are not independent enough by themselves.
func mix(a, b uint64) uint64 {
	z := a*0x9e3779b97f4a7c15 + b*0xd1342543de82ef95 + 0x632be59bd9b4e019
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
