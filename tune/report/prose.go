package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local/s3"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/prose"
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

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// count writes 1 cell, 2 cells.
func count(n int, noun string) string {
	return prose.Thousands(n, 0) + " " + plural(n, noun, noun+"s")
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// what says in a sentence what each invocation did, and how many there were.
func (r *Report) what() string {
	run := r.Run
	n := len(r.strategies)
	kinds := fmt.Sprintf("%d %s", n, plural(n, "strategy", "strategies"))
	if len(r.Variants) != n {
		kinds += fmt.Sprintf(" in %d variants", len(r.Variants))
	}
	subject := prose.OneLine(run.Function, maxName)
	if run.Repeat > 0 {
		subject = r.reads() + " per invocation"
	}
	return fmt.Sprintf("%s, %s x %s, %s", subject, kinds,
		count(len(run.PowerValues), "size"), r.perCell())
}

// perCell says how many invocations a cell has.
func (r *Report) perCell() string {
	s := count(r.Run.Num, "invocation")
	if r.Run.ForSec > 0 {
		s = "up to " + s
	}
	return s + " a cell"
}

// reads says which an invocation does.
func (r *Report) reads() string {
	run := r.Run
	s, bytes := fmt.Sprintf("%s of %s", count(run.Repeat, "read"), prose.OneLine(run.ObjectKey, maxName)), run.ObjectBytes
	if o := run.Objects; o != nil {
		s, bytes = count(run.Repeat, "object"), o.Bytes
		if prefix := cmp.Or(o.Prefix, new(string)); *prefix != "" {
			s += " below " + prose.OneLine(*prefix, maxName)
		}
		if o.Prefix != nil && r.Mode == comparison.AWS {
			s = "up to " + s
		}
	}
	if bytes > 0 {
		s += " (" + prose.Bytes(bytes) + ")"
	}
	return s
}

// where says in a sentence by what the figures were measured.
func (r *Report) where() string {
	run := r.Run
	if r.Mode == comparison.AWS {
		return fmt.Sprintf("on AWS by Lambda Power Tuning: %s, %s, means of the runs without the outer %s",
			prose.OneLine(run.Region, maxName), prose.OneLine(run.Arch, maxName), percent(2*run.DiscardTopBottom))
	}
	return fmt.Sprintf("local model: %s MB = 1 vCPU, 1 core = %.1f Lambda vCPUs, S3 latency %s, seed %d, %s %s, %s", megabytes(comparison.MemoryPerVCPU),
		run.VCPUs(1), r.latency(), run.Seed, prose.OneLine(run.Versions["go"], maxName), prose.OneLine(run.OS, maxName), count(run.CPUs, "core"))
}

// latency names the profile, with its median for those who read apg for the
// first time.
func (r *Report) latency() string {
	name := prose.OneLine(r.Run.Latency, maxName)
	if l, err := s3.ParseLatency(name); err == nil && l.Median() > 0 && l.Median().String() != name {
		name += fmt.Sprintf(" (median %g ms)", float64(l.Median())/float64(time.Millisecond))
	}
	return name
}

// answer is the recommendation in a sentence, and what it is worth.
func (r *Report) answer() string {
	b := r.best
	if b == nil {
		return "There is nothing to recommend: no cell was measured without failing or being capped."
	}
	s := fmt.Sprintf("%s %s: %s", r.basis(), b.name(), b.figures())
	if base := r.baseline(); base != nil {
		if ratio := base.Duration.value / b.Duration.value; ratio >= 1.05 {
			s += fmt.Sprintf(": %sx faster than %s at the same size", prose.Thousands(ratio, 1), base.Label)
			if saved := 1 - b.Cost.value/base.Cost.value; saved >= 0.01 {
				s += fmt.Sprintf(", for %s less", percent(saved))
			}
		}
	}
	if a := b.Answer; a != nil && a.ObjectsRead > 0 && a.BytesRead/int64(a.ObjectsRead) > 100_000 { // chosen: bytes matter beside objects
		s += fmt.Sprintf(". It reads %s MB/s", prose.Thousands(float64(a.BytesRead)/1e3/b.Duration.value, 1))
	}
	s += r.certainty()
	if b.busy() {
		s += fmt.Sprintf(". The machine was busy: its duration may be up to %s too long (%s)", percent(b.effect()), markBusy)
	}
	var better []string
	for _, c := range r.measured {
		// Without that share both the duration and its cost would be less.
		if share := 1 - c.effect(); c.busy() && !c.Capped && c != b && c.product()*share*share < b.product() {
			better = append(better, c.name())
		}
	}
	if len(better) > 0 {
		s += fmt.Sprintf(". Without what the machine may have added to it (%s), %s would be better", markBusy, firstOf(better))
	}
	return s + "."
}

// basis is how the answer begins: with how much of the comparison there was to
// choose from, where it is cut short. Of a variant that has failed as a whole
// nothing more will come.
func (r *Report) basis() string {
	begun, all := r.Measured()
	switch {
	case begun < all && r.Run.Interrupted:
		return fmt.Sprintf("Of the %d of %d cells measured before the run was stopped, use", begun, all)
	case begun < all && !r.Any(func(v *comparison.Result) bool { return v.Error != "" }):
		return fmt.Sprintf("Of the %d of %d cells measured, use", begun, all)
	}
	return "Use"
}

// advice is the answer and what follows from it, a paragraph each.
func (r *Report) advice() []string {
	if p := r.predicted(); p != "" {
		return []string{r.answer(), p + " --concurrency auto measures that of the recommended size."}
	}
	return []string{r.answer()}
}

// predicted says which concurrency the figures suggest, or "".
func (r *Report) predicted() string {
	var sizes []string
	for _, p := range r.Predictions {
		sizes = append(sizes, fmt.Sprintf("%d at %s MB", p.Concurrency, megabytes(p.Power)))
	}
	if len(sizes) == 0 {
		return ""
	}
	return "Concurrency predicted from CPU per read and latency: " + prose.List(sizes) + "."
}

// baseline is the cell of sequential, if it was compared, at the recommended
// size.
func (r *Report) baseline() *cell {
	for i, v := range r.Variants {
		if c := r.beside(r.best, i); v.Sequential() && c != r.best && c.OK {
			return c
		}
	}
	return nil
}

// compareLink is Power Tuning's page with sequential against the recommended
// variant, or "" where there are no two.
func (r *Report) compareLink() (link, title string) {
	tuned := func(v *comparison.Result) bool { return v != nil && v.Tuning != nil && len(v.Tuning.Stats) > 0 }
	recommended, _ := r.Recommended()
	for i := range r.Variants {
		v := &r.Variants[i]
		if v.Sequential() && v != recommended && tuned(v) && tuned(recommended) {
			link := powertuning.CompareLink(r.Run.Region, v.Label(), v.Tuning.Stats, recommended.Label(), recommended.Tuning.Stats)
			return link, r.labels[i] + " against " + prose.OneLine(recommended.Label(), maxLabel)
		}
	}
	return "", ""
}

// notes are the footnotes: what makes figures doubtful or absent, each with
// its remedy.
func (r *Report) notes() (notes []string) {
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	var capped, doubtful, retried, failed []string
	few, worst, retries, most := false, 0.0, int64(0), 0
	for _, row := range r.rows {
		if slices.ContainsFunc(row.Cells, func(c *cell) bool { return c.Cell != nil && c.Capped }) {
			capped = append(capped, megabytes(row.Power))
		}
	}
	for _, c := range r.measured {
		few = few || len(c.ratio.Pairs) > 0 && c.ratio.Verdict == comparison.Open && !(c.ratio.Low > 0)
		if c.busy() {
			doubtful, worst = append(doubtful, c.name()), max(worst, c.effect())
		}
		if c.Answer != nil && c.Answer.Failed > 0 {
			failed, most = append(failed, c.name()), max(most, c.Answer.Failed)
		}
		if c.Answer != nil && c.Answer.Retries > 0 {
			retried, retries = append(retried, c.name()), max(retries, c.Answer.Retries)
		}
	}
	switch open := r.verdicts[comparison.Open]; {
	case few && r.Run.ForSec == 0:
		add("%s without an interval: so few pairs tell nothing. --num 6 or more.", markOpen)
	case open > 0 && r.Run.ForSec > 0:
		add("%s %s open after %s and %s. Longer: --for %s --max %d.", markOpen, count(open, "comparison")+plural(open, " is", " are"),
			time.Duration(r.Run.ForSec*float64(time.Second)), r.perCell(), time.Duration(2*r.Run.ForSec*float64(time.Second)), 2*r.Run.Num)
	}
	if len(capped) > 0 {
		add("%s Lambda gives %s MB more processor time than the %s of this machine, and the function would have used it: there it is faster than shown. Measure these sizes on a machine with more, or on AWS (go run ./tune aws).",
			markCapped, prose.List(capped), count(r.Run.CPUs, "core"))
	}
	if len(doubtful) > 0 {
		add("%s The machine was busy, with S3 on it too: the durations of %s may be too long, by up to %s. Measure again with other programs closed, or on a machine with more than %d cores.",
			markBusy, firstOf(doubtful), percent(worst), r.Run.CPUs)
	}
	if len(failed) > 0 {
		add("Not every object was read, up to %s failed an invocation: %s. The response of a cell in results.json names them.",
			prose.Thousands(most, 0), firstOf(failed))
	}
	if len(retried) > 0 {
		add("Reads were tried again, up to %s an invocation: %s. S3 gives about 5,500 GETs a second: lower the concurrency.",
			count(int(retries), "attempt"), firstOf(retried))
	}
	if begun, all := r.Measured(); begun < all {
		why := "the run was stopped before them"
		if !r.Run.Interrupted {
			why = "the run has no answer for them"
		}
		add("– %s not measured: %s.", count(all-begun, "cell"), why)
	}
	return notes
}

// firstOf names the first of the cells, and counts the others.
func firstOf(names []string) string {
	if n := len(names) - 2; n > 1 {
		return strings.Join(names[:2], ", ") + fmt.Sprintf(" and %d more", n)
	}
	return prose.List(names)
}

// failures are the causes of the cells and variants that failed.
func (r *Report) failures() (causes []string) {
	for i, v := range r.Variants {
		if v.Error != "" {
			causes = append(causes, r.labels[i]+": "+prose.OneLine(v.Error, maxMessage))
		}
	}
	for _, row := range r.rows {
		for _, c := range row.Cells {
			if c.Cell != nil && c.Error != "" {
				causes = append(causes, c.name()+": "+prose.OneLine(c.Error, maxMessage))
			}
		}
	}
	const most = 12
	if n := len(causes) - most; n > 0 {
		causes = append(causes[:most], fmt.Sprintf("and %d more", n))
	}
	return causes
}
