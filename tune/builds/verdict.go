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
	Same    Verdict = "same"    // the interval lies within the tolerance
	Slower  Verdict = "slower"  // or larger, or dearer: the interval lies above 1, and the estimate beyond the tolerance
	Faster  Verdict = "faster"  // likewise, below 1
	Open    Verdict = "open"    // none of these
	Differs Verdict = "differs" // of the whole: the builds do different things, so comparing times is pointless
)

// judge compares a figure of a new build with that of an old one, pair by pair.
func judge(old, new []float64, tolerance float64, comparisons int) Cell {
	r := comparison.Compare(new, old, comparisons)
	if r.Verdict == comparison.Out { // its interval is not one of 95 %
		r.Low, r.High = 0, 0
	}
	c := Cell{Old: comparison.Median(old), New: comparison.Median(new), Ratio: r.Value, Low: r.Low, High: r.High, Pairs: r.Pairs, Verdict: Open}
	switch most := 1 + tolerance; {
	case r.Low == 0: // n pairs that agree have a probability of 2^-n on each side
		c.Needs = int(math.Ceil(math.Log2(2 * float64(comparisons) / comparison.Alpha)))
	case r.Low >= 1/most && r.High <= most:
		c.Verdict = Same
	case r.Low > 1 && r.Value > most:
		c.Verdict = Slower
	case r.High < 1 && r.Value < 1/most:
		c.Verdict = Faster
	default: // the interval narrows with the square root of the number of pairs
		room, zone := math.Abs(math.Log(r.Value)), math.Log(most) // from the estimate to 1, or to the tolerance
		if room < zone {
			room = zone - room
		}
		if times := math.Pow(math.Log(r.High/r.Low)/2/room, 2); times < 20 {
			c.Needs = int(math.Ceil(max(1.1, times) * float64(len(old))))
		}
	}
	return c
}

// Of lists the cells with a verdict, among the figures in FailOn or among the others. A figure in FailOn that no
// build has is open.
func (r *Result) Of(v Verdict, failOn bool) string {
	var names []string
	for _, c := range r.Cells {
		if c.Verdict == v && slices.Contains(r.FailOn, c.Figure) == failOn {
			names = append(names, fmt.Sprintf("%s at %s MB", c.Figure, prose.Thousands(c.Power, 0)))
		}
	}
	for _, figure := range r.FailOn {
		if v == Open && failOn && !slices.ContainsFunc(r.Cells, func(c Cell) bool { return c.Figure == figure }) {
			names = append(names, figure+" (not measured)")
		}
	}
	return prose.List(names)
}

// answers are the last answers of the old and the new build's environments.
type answers [2][]string

// differ tells how the answers differ, or "". Answers that change from environment to environment, such as those with a
// time, tell nothing.
func (a *answers) differ() string {
	for _, side := range a {
		if len(slices.Compact(slices.Clone(side))) != 1 || len(side) < 2 {
			return ""
		}
	}
	if a[0][0] == a[1][0] {
		return ""
	}
	return fmt.Sprintf("%s by old, %s by new", prose.OneLine(a[0][0], 80), prose.OneLine(a[1][0], 80))
}

// More returns the flags that would decide the open figures, or "" if none would. Those in FailOn come first.
func (r *Result) More() string {
	for _, failOn := range []bool{true, false} {
		pairs, times := 0, 1.0
		for _, c := range r.Cells {
			if c.Verdict == Open && c.Needs > 0 && slices.Contains(r.FailOn, c.Figure) == failOn {
				pairs, times = max(pairs, c.Needs), max(times, float64(c.Needs)/float64(len(c.Pairs)))
			}
		}
		if pairs > 0 {
			return fmt.Sprintf("--for %.0fm --max %d", math.Ceil(times*r.Seconds/time.Minute.Seconds()+0.2), max(pairs, r.Run.Num))
		}
		if r.Of(Open, failOn) != "" && failOn {
			return ""
		}
	}
	return ""
}

// Undecidable lists the open figures that no run of a length worth it would decide.
func (r *Result) Undecidable() string {
	var names []string
	for _, c := range r.Cells {
		if c.Verdict == Open && c.Needs == 0 && slices.Contains(r.FailOn, c.Figure) {
			names = append(names, fmt.Sprintf("%s at %s MB", c.Figure, prose.Thousands(c.Power, 0)))
		}
	}
	return prose.List(names)
}
