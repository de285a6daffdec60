package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// thousands writes a number with so many decimals and with commas: 1,769.
func thousands(f float64, decimals int) string {
	s := strconv.FormatFloat(f, 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return whole
}

func megabytes(power int) string { return thousands(float64(power), 0) }

// milliseconds has at least two significant digits: 921, 45, 4.2, 0.42.
func milliseconds(ms float64) string {
	switch {
	case ms < 0.995:
		return thousands(ms, 2)
	case ms < 9.95:
		return thousands(ms, 1)
	}
	return thousands(ms, 0)
}

func dollars(d float64) string { return "$" + thousands(d, 2) }

func bytesText(n int) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f KB", float64(n)/1000)
}

// count writes 1 cell, 2 cells.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return thousands(float64(n), 0) + " " + noun
}

// are is count with its verb: 1 cell is, 2 cells are.
func are(n int, noun string) string {
	if n == 1 {
		return count(n, noun) + " is"
	}
	return count(n, noun) + " are"
}

// what says in a sentence what each invocation did, and how many there were.
func (g *grid) what() string {
	r := g.Run
	var names []string
	for _, v := range g.Variants {
		if !slices.Contains(names, v.Strategy) {
			names = append(names, v.Strategy)
		}
	}
	kinds := fmt.Sprintf("%d strategies", len(names))
	if len(names) == 1 {
		kinds = "1 strategy"
	}
	if len(g.Variants) != len(names) {
		kinds += fmt.Sprintf(" in %d variants", len(g.Variants))
	}
	subject := clean(r.Function, maxName)
	if r.Repeat > 0 {
		subject = fmt.Sprintf("%s of %s", count(r.Repeat, "read"), clean(r.ObjectKey, maxName))
		if r.ObjectBytes > 0 {
			subject += fmt.Sprintf(" (%s)", bytesText(r.ObjectBytes))
		}
		subject += " per invocation"
	}
	return fmt.Sprintf("%s, %s x %s, %s a cell", subject, kinds,
		count(len(r.PowerValues), "size"), count(r.Num, "invocation"))
}

// medians are the profiles of tune/local/s3, in ms, for those who read apg
// for the first time.
var medians = map[string]string{"apg": "13 ms", "public": "27 ms", "express": "2.5 ms"}

// where says in a sentence by what the figures were measured.
func (g *grid) where() string {
	r := g.Run
	if g.Mode == comparison.AWS {
		return fmt.Sprintf("on AWS by Lambda Power Tuning: %s, %s, means of the runs without the outer %s",
			clean(r.Region, maxName), clean(r.Arch, maxName), percent(2*r.DiscardTopBottom))
	}
	return fmt.Sprintf("local model: 1,769 MB = 1 vCPU, S3 latency %s, seed %d, %s %s, %s",
		g.latency(), r.Seed, clean(r.Versions["go"], maxName), clean(r.OS, maxName), count(r.CPUs, "core"))
}

func (g *grid) latency() string {
	latency := clean(g.Run.Latency, maxName)
	if m := medians[latency]; m != "" {
		latency += " (median " + m + ")"
	}
	return latency
}

func percent(share float64) string {
	return strconv.FormatFloat(math.Round(100*share), 'f', 0, 64) + " %"
}

// answer is the recommendation in a sentence.
func (g *grid) answer() string {
	b := g.best
	if b == nil {
		return "There is nothing to recommend: no cell was measured without failing or being capped."
	}
	s := fmt.Sprintf("Use %s at %s MB: %s ms, %s per million", b.label, megabytes(b.power),
		milliseconds(b.duration.value), dollars(b.cost.value))
	if base := g.baseline(); base != nil {
		if ratio := base.duration.value / b.duration.value; ratio >= 1.05 {
			s += fmt.Sprintf(": %sx faster than %s at the same size", thousands(ratio, 1), base.label)
			if saved := 1 - b.cost.value/base.cost.value; saved >= 0.01 {
				s += fmt.Sprintf(", for %s less", percent(saved))
			}
		}
	}
	if rivals := g.rivals(); len(rivals) > 0 {
		verb := "does"
		if len(rivals) > 1 {
			verb = "do"
		}
		s += fmt.Sprintf(". At that size %s %s not differ from it significantly", list(rivals), verb)
	}
	return s + "."
}

const measurePredicted = "-concurrency auto measures that of the recommended size."

// advice is the answer and what follows from it, a paragraph each.
func (g *grid) advice() []string {
	if p := g.predicted(); p != "" {
		return []string{g.answer(), p + " " + measurePredicted}
	}
	return []string{g.answer()}
}

// predicted says which concurrency the figures suggest, or "".
func (g *grid) predicted() string {
	var sizes []string
	for _, p := range g.Predictions {
		sizes = append(sizes, fmt.Sprintf("%d at %s MB", p.Concurrency, megabytes(p.Power)))
	}
	if len(sizes) == 0 {
		return ""
	}
	return "Concurrency predicted from CPU per read and latency: " + list(sizes) + "."
}

// baseline is the cell of sequential, if it was compared, at the recommended
// size.
func (g *grid) baseline() *cell {
	for i, v := range g.Variants {
		if v.Strategy == "sequential" && g.best != nil && g.best.variant != i {
			if c := g.at(i, g.best.power); c.ok {
				return c
			}
		}
	}
	return nil
}

// rivals names the variants that cannot be told from the recommended one at
// its size.
func (g *grid) rivals() (names []string) {
	for i := range g.Variants {
		if c := g.at(i, g.best.power); c != g.best && c.ok && g.alike(c, g.best, false) {
			names = append(names, c.label)
		}
	}
	return names
}

func list(names []string) string {
	if n := len(names) - 1; n > 0 {
		return strings.Join(names[:n], ", ") + " and " + names[n]
	}
	return names[0]
}

// compareLink is Power Tuning's page with sequential against the recommended
// variant, or "" where there are no two.
func (g *grid) compareLink() (link, title string) {
	recommended, _ := g.Recommended()
	if recommended == nil {
		return "", ""
	}
	for i := range g.Variants {
		v := &g.Variants[i]
		if v.Strategy == "sequential" && v != recommended && stats(v) != nil && stats(recommended) != nil {
			link := powertuning.CompareLink(g.Run.Region, v.Label(), stats(v), recommended.Label(), stats(recommended))
			return link, g.labels[i] + " against " + clean(recommended.Label(), maxLabel)
		}
	}
	return "", ""
}

func stats(v *comparison.Result) []powertuning.Stat {
	if v.Tuning == nil {
		return nil
	}
	return v.Tuning.Stats
}
