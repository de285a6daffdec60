package builds

import (
	"fmt"
	"math"
	"slices"
	"time"

	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
)

// Verdict is what is known of a figure, or of the builds as a whole.
type Verdict string

const (
	Same    Verdict = "same"   // the interval lies within the tolerance
	Slower  Verdict = "slower" // or larger, or dearer: the interval lies above 1, and the estimate beyond the tolerance
	Faster  Verdict = "faster" // likewise, below 1
	Open    Verdict = "open"
	Differs Verdict = "differs" // as a whole: the builds do not do the same, so their times tell nothing
)

// judge compares a figure of a new build with that of an old one, pair by pair.
func judge(old, new []float64, tolerance float64, comparisons int) Cell {
	r := comparison.Compare(new, old, comparisons)
	if r.Verdict == comparison.Out { // its interval is not one of 95 %
		r.Low, r.High = 0, 0
	}
	c := Cell{Old: comparison.Median(old), New: comparison.Median(new), Ratio: r.Value, Low: r.Low, High: r.High, Pairs: r.Pairs, Verdict: Open}
	switch most := 1 + tolerance; {
	case r.Low == 0: // so many pairs have the least probability, 2 to the power of -n, on each side
		c.Needs = int(math.Ceil(math.Log2(2 * float64(comparisons) / comparison.Alpha)))
	case r.Low >= 1/most && r.High <= most:
		c.Verdict = Same
	case r.Low > 1 && r.Value > most:
		c.Verdict = Slower
	case r.High < 1 && r.Value < 1/most:
		c.Verdict = Faster
	default: // an interval gets narrower with the root of the pairs
		room := math.Abs(math.Log(r.Value)) // to 1
		if zone := math.Log(most); room < zone {
			room = zone - room
		}
		if times := math.Pow(math.Log(r.High/r.Low)/2/room, 2); times < 20 {
			c.Needs = int(math.Ceil(max(1.1, times) * float64(len(old))))
		}
	}
	return c
}

// Of names the cells of a verdict, of the figures in FailOn or of the others.
func (r *Result) Of(v Verdict, failOn bool) string {
	var names []string
	for _, c := range r.Cells {
		if c.Verdict == v && slices.Contains(r.FailOn, c.Figure) == failOn {
			names = append(names, fmt.Sprintf("%s at %s MB", c.Figure, prose.Thousands(c.Power, 0)))
		}
	}
	return prose.List(names)
}

// More are the flags that would decide what is open, or "" where none would.
func (r *Result) More() string {
	pairs, times := 0, 1.0
	for _, c := range r.Cells {
		if c.Verdict == Open && c.Needs > 0 {
			pairs, times = max(pairs, c.Needs), max(times, float64(c.Needs)/float64(len(c.Pairs)))
		}
	}
	if pairs == 0 {
		return ""
	}
	return fmt.Sprintf("--for %.0fm --max %d", math.Ceil(times*r.Seconds/time.Minute.Seconds()+0.2), max(pairs, r.Run.Num))
}
