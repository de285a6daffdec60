package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"lambda-parallel-io/handler/prose"
)

func megabytes(power int) string { return prose.Thousands(power, 0) }

// twoDigits has at least two significant digits: 921, 45, 4.2, 0.42.
func twoDigits(f float64) string {
	switch {
	case f < 0.995:
		return prose.Thousands(f, 2)
	case f < 9.95:
		return prose.Thousands(f, 1)
	}
	return prose.Thousands(f, 0)
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

// Latency names the profile, with the mean that it had when it was measured for
// those who read apg for the first time.
func (r *Report) Latency() string {
	name := prose.OneLine(r.Run.Latency, maxName)
	if mean := r.Run.LatencyMeanMS; mean > 0 && fmt.Sprintf("%gms", mean) != name {
		name += fmt.Sprintf(" (mean %.3g ms)", mean)
	}
	return name
}
