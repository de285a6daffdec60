package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/local/s3"
)

func megabytes(power int) string { return prose.Thousands(power, 0) }

// milliseconds has at least two significant digits: 921, 45, 4.2, 0.42.
func milliseconds(ms float64) string {
	switch {
	case ms < 0.995:
		return prose.Thousands(ms, 2)
	case ms < 9.95:
		return prose.Thousands(ms, 1)
	}
	return prose.Thousands(ms, 0)
}

func percent(share float64) string {
	return strconv.FormatFloat(math.Round(100*share), 'f', 0, 64) + " %"
}

// when returns a text where something holds, and nothing where it does not.
func when(holds bool, text string) string {
	if holds {
		return text
	}
	return ""
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// count writes 1 cell, 2 cells.
func count(n int, noun string) string {
	return prose.Count(n, noun, noun+"s")
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// Latency names the profile, with its median for those who read apg for the
// first time.
func (r *Report) Latency() string {
	name := prose.OneLine(r.Run.Latency, maxName)
	if l, err := s3.ParseLatency(name); err == nil && l.Median() > 0 && l.Median().String() != name {
		name += fmt.Sprintf(" (median %g ms)", float64(l.Median())/float64(time.Millisecond))
	}
	return name
}
