package report

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/prose"
)

// maxEmbedded is how much of a page, in bytes, its data may take: a page is to
// stay below 200 KB.
const maxEmbedded = 96 << 10

// page is what the template of report.html asks for what it shows.
type page struct {
	*Report
	Head, Tail string // the answer
	Data       template.JS
	reach      float64 // of the strips of dots
}

// HTML is report.html: one file that needs no script and asks for no other.
func (r *Report) HTML(w io.Writer) error {
	// json.Marshal escapes <, > and &, so that no string ends the element.
	data, err := json.Marshal(r.Comparison)
	if err != nil {
		return fmt.Errorf("encoding the comparison: %w", err)
	}
	if len(data) > maxEmbedded {
		data = nil
	}
	p := page{Report: r, Head: r.answer(), Data: template.JS(data), reach: r.reach()}
	if head, tail, ok := strings.Cut(p.Head, ": "); ok && r.best != nil {
		p.Head, p.Tail = head, capital(tail)
	}
	return execute(w, "page", p)
}

func (p page) What() string       { return p.what() }
func (p page) Predicted() string  { return p.predicted() }
func (p page) Figures() []*figure { return p.figures() }
func (p page) Labels() []string   { return p.labels }
func (p page) Rows() []row        { return p.rows }
func (p page) Notes() []string    { return append(p.legend(), p.notes()...) }
func (p page) Failures() []string { return p.failures() }

// keepTogether keeps a number and its unit on one line, and a mark and its
// meaning.
func keepTogether(s string) string {
	return strings.NewReplacer(" MB", "\u00a0MB", " ms", "\u00a0ms", " %", "\u00a0%",
		"★ ", "★\u00a0", "▲ ", "▲\u00a0", "▼ ", "▼\u00a0").Replace(s)
}

type card struct {
	Mark, Name string
	*cell
}

func (p page) Cards() []card {
	cards := []card{
		{markBest, "Best balance: least cost x duration", p.best},
		{markFastest, "Fastest", p.fastest},
		{markCheapest, "Cheapest", p.cheapest},
	}
	return slices.DeleteFunc(cards, func(c card) bool { return c.cell == nil })
}

// Layout is that of the cells: wrapped where there are too many variants for
// a column each.
func (p page) Layout() string {
	switch {
	case len(p.labels) > 10:
		return "wrapped"
	case len(p.labels) > 5:
		return "dense"
	}
	return ""
}

func (p page) CellsHint() string {
	hint := capital(p.Statistic()) + " duration in ms"
	if len(p.verdicts) > 0 {
		hint += ", how many times as long that is as the best of the size takes, with its 95 % interval"
	}
	hint += ", and $ per million invocations."
	if p.reach > 0 {
		hint += fmt.Sprintf(" Each dot is a pair, two invocations with the same latencies: how far their ratio is from the typical one, at most ±%.0f %% at the ends.", 100*p.reach)
	}
	return hint
}

// Detail is what a cell's duration is worth: beside the best of its size, and
// by how many runs.
func (p page) Detail(c *cell) string {
	if p.Mode == comparison.AWS {
		return ""
	}
	runs := count(len(c.DurationsMS), "run")
	if ratio := c.Compared(); ratio != "" {
		return ratio + ", " + runs
	}
	return runs
}

// reach is how far the strips of dots go from the typical ratio, as a share of
// it: as far as any pair did, but not so far that one outlier hides the others.
// It is 0 where there are no pairs.
func (r *Report) reach() float64 {
	most := 0.0
	for _, c := range r.measured {
		for _, pair := range c.ratio.Pairs {
			most = max(most, math.Abs(pair/c.ratio.Value-1))
		}
	}
	if most == 0 {
		return 0
	}
	for _, reach := range []float64{0.02, 0.05, 0.1, 0.2} {
		if most <= reach {
			return reach
		}
	}
	return 0.5
}

// Dots are the pairs of a cell on its strip, in percent of its width, those at
// the same place once: a hundred pairs are drawn by fifty dots at most.
func (p page) Dots(c *cell) (at []int) {
	if p.reach == 0 {
		return nil
	}
	for _, pair := range c.ratio.Pairs {
		off := min(max((pair/c.ratio.Value-1)/p.reach, -1), 1)
		at = append(at, 50+2*int(math.Round(25*off)))
	}
	slices.Sort(at)
	return slices.Compact(at)
}

// Timing returns the cells whose last invocation told what it did, of one
// size: the recommended one, or the largest that has any. There are none
// without an answer of this project's function, as on AWS.
func (p page) Timing() (cells []*cell) {
	for _, row := range slices.Backward(p.rows) {
		if p.best == nil || p.best.Power == row.Power {
			cells = slices.DeleteFunc(slices.Clone(row.Cells), func(c *cell) bool { return c.Answer == nil })
		}
		if len(cells) > 0 {
			break
		}
	}
	return cells
}

// VCPUs returns how many the memory size buys.
func (c *cell) VCPUs() float64 { return float64(c.Power) / comparison.MemoryPerVCPU }

// Share returns how much was used of the CPU that the size buys, in percent; 0
// where it is not known.
func (c *cell) Share() int {
	if s := c.CPUShare; s != nil && s.Target > 0 {
		return min(int(100*s.Used/s.Target+0.5), 100)
	}
	return 0
}

type fact struct{ Name, Value string }

// Facts say how the figures were obtained, and by which rules they are told.
func (p page) Facts() (facts []fact) {
	r := p.Run
	add := func(name, format string, args ...any) {
		facts = append(facts, fact{name, fmt.Sprintf(format, args...)})
	}
	short := func(s string) string { return prose.OneLine(s, maxName) }
	long := func(s string) string { return prose.OneLine(s, maxMessage) }
	add("When", "%s", r.Time.UTC().Format(time.DateOnly+" 15:04 UTC"))
	add("What", "%s", p.what())
	add("Function", "%s", long(r.Function))
	source := ""
	if r.CPU != nil {
		source = ", " + short(r.CPU.Source)
	}
	if p.Mode == comparison.AWS {
		add("Where", "AWS, %s, %s: each variant is an execution of Lambda Power Tuning", short(r.Region), short(r.Arch))
		add("State machine", "%s", long(r.StateMachine))
		add("Durations", "means of %s a cell without the outer %s; single runs are not returned, so there is no interval",
			count(r.Num, "invocation"), percent(2*r.DiscardTopBottom))
	} else {
		add("Where", "this machine (%s, %s) as a model of Lambda (%s MB = 1 vCPU; 1 core = %.2f of %s’s vCPUs%s) and S3",
			short(r.OS), count(r.CPUs, "core"), megabytes(comparison.MemoryPerVCPU), r.VCPUs(1), short(r.Arch), source)
		for _, l := range r.Like {
			add("Like Lambda", "%s", long(l))
		}
		add("S3 latency", "%s, seed %d: the same draws for every variant and size", p.latency(), r.Seed)
		add("Durations", "medians of %s after a warm-up, which took the cold start", p.perCell())
		add("Comparisons", "by pairs, the invocations of two cells with the same latencies: Hodges and Lehmann’s estimate of the ratio with Wilcoxon’s interval, of 95 %% over all looks (%s). "+
			"Within %s of 1 it is as good (=), on one side of 1 it is decided, else it is open (~); sizes are measured one after the other, and what the machine did meanwhile is in no interval.",
			p.looks(), percent(comparison.Zone))
	}
	var versions []string
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		versions = append(versions, short(name)+" "+short(r.Versions[name]))
	}
	if len(versions) > 0 {
		add("Versions", "%s", long(strings.Join(versions, ", ")))
	}
	add("Prices", "AWS's list of %s for %s in %s, by the %s billed duration: compute and $%.2f per million requests",
		powertuning.PricesDate, short(r.Arch), powertuning.PricesRegion, p.Statistic(), powertuning.PricePerMillionRequests)
	if gets := p.GETCostPerMillion(); gets > 0 {
		add("S3", "$%s per million invocations more in every cell, and so in no figure here", prose.Thousands(gets, 2))
	}
	if p.Recommendation != nil {
		add("Best balance", "%s; cells that failed or were capped are out", long(p.Recommendation.Rule))
	}
	if v, _ := p.Recommended(); v != nil && len(v.Payload) > 0 && string(v.Payload) != "null" {
		add("Payload", "%s", long(string(v.Payload)))
	}
	return facts
}

type pageLink struct{ URL, Text string }

// visualization is what may be linked: Power Tuning's page with data in the
// fragment, and nothing else that a file may have in that field.
var visualization = regexp.MustCompile(`^https://lambda-power-tuning\.show/(\?currency=CNY)?#[A-Za-z0-9+/=;%._~!*'()-]+$`)

func (p page) Links() (links []pageLink) {
	for i, v := range p.Variants {
		if v.Tuning != nil {
			links = append(links, pageLink{v.Tuning.StateMachine.Visualization, p.labels[i]})
		}
	}
	link, title := p.compareLink()
	links = append(links, pageLink{link, title})
	return slices.DeleteFunc(links, func(l pageLink) bool { return !visualization.MatchString(l.URL) })
}

// Omitted is what a reader must not take from a local run.
func (p page) Omitted() []string {
	if p.Mode == comparison.AWS {
		return nil
	}
	return []string{
		"The half of Lambda’s network burst that an environment has once, and the bandwidth of a VPC.",
		"How the processor differs from this machine’s beyond its mean speed: the CPU is this machine’s, held to a quota, so a burst within a period runs as fast as here.",
		"DNS, and the distance to S3 beyond the drawn latency.",
		"Connections that S3 closes after a number of requests, and with them the handshakes of new ones.",
		"What other functions and accounts do to the same S3 prefix, and cold starts beyond the one of each cell.",
	}
}

// looks says after how many pairs variants are compared.
func (r *Report) looks() string {
	var after []string
	for _, n := range r.Run.Looks() {
		after = append(after, strconv.Itoa(n))
	}
	return "after " + prose.List(after)
}
