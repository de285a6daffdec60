package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// facts say how the figures were obtained, and by which rules they are told.
func (g *grid) facts() (facts []fact) {
	r := g.Run
	add := func(name, format string, args ...any) {
		facts = append(facts, fact{name, fmt.Sprintf(format, args...)})
	}
	add("When", "%s", r.Time.UTC().Format(time.DateOnly+" 15:04 UTC"))
	add("What", "%s", g.what())
	add("Function", "%s", clean(r.Function, maxMessage))
	if g.Mode == comparison.AWS {
		add("Where", "AWS, %s, %s: each variant is an execution of Lambda Power Tuning", clean(r.Region, maxName), clean(r.Arch, maxName))
		add("State machine", "%s", clean(r.StateMachine, maxMessage))
		add("Durations", "means of %s a cell without the outer %s; single runs are not returned, so there is no interval",
			count(r.Num, "invocation"), percent(2*r.DiscardTopBottom))
	} else {
		add("Where", "this machine (%s, %s) as a model of Lambda (1,769 MB = 1 vCPU) and S3", clean(r.OS, maxName), count(r.CPUs, "core"))
		add("S3 latency", "%s, seed %d: the same draws for every variant and size", g.latency(), r.Seed)
		add("Durations", "medians of %s a cell after a warm-up, which took the cold start; intervals of 95 %% and comparisons (Mann-Whitney, α = 0.05) without an assumed distribution", count(r.Num, "invocation"))
	}
	var versions []string
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		versions = append(versions, clean(name, maxName)+" "+clean(r.Versions[name], maxName))
	}
	if len(versions) > 0 {
		add("Versions", "%s", clean(strings.Join(versions, ", "), maxMessage))
	}
	add("Prices", "AWS's list of %s for %s in %s, by the %s billed duration: compute and $0.20 per million requests", powertuning.PricesDate, clean(r.Arch, maxName), powertuning.PricesRegion, g.Statistic())
	if gets := g.GETCostPerMillion(); gets > 0 {
		add("S3 GETs", "%s per million invocations more in every cell, and so in no figure here", dollars(gets))
	}
	if g.Recommendation != nil {
		add("Best balance", "%s; cells that failed or were capped are out", clean(g.Recommendation.Rule, maxMessage))
	}
	if payload, ok := g.payload(); ok {
		add("Payload", "%s", payload)
	}
	return facts
}

// payload is that of the recommended variant, to use it.
func (g *grid) payload() (string, bool) {
	v, _ := g.Recommended()
	if v == nil || len(v.Payload) == 0 || string(v.Payload) == "null" {
		return "", false
	}
	return clean(string(v.Payload), maxMessage), true
}

// omitted is what a reader must not take from a local run.
func (g *grid) omitted() []string {
	if g.Mode == comparison.AWS {
		return nil
	}
	return []string{
		"Network bandwidth, which on Lambda grows with memory: reads of large objects would gain more from it than here.",
		"arm64’s own speed: the architecture picks prices alone, and the CPU is this machine’s.",
		"DNS, and the distance to S3 beyond the drawn latency.",
		"Connections that S3 closes after a number of requests, and with them the handshakes of new ones.",
		"What other functions and accounts do to the same S3 prefix, and cold starts beyond the one of each cell.",
	}
}

// timing says, of every variant at one size, what its last invocation did.
type timing struct {
	Power, Bought string
	Rows          []timingRow
}

type timingRow struct {
	Variant       int
	Label         string
	Share         int // percent of the CPU that the size buys; 0: not known
	CPU, Time     string
	Peak, Retries string
	Connections   string
	Memory, Reads string
}

// timing is of the recommended size, or of the largest that was measured. It
// is nil where no answer of this project's function is known, as on AWS.
func (g *grid) timing() *timing {
	for i := len(g.rows) - 1; i >= 0; i-- {
		r := &g.rows[i]
		if g.best != nil && g.best.power != r.power {
			continue
		}
		t := &timing{Power: megabytes(r.power)}
		for j := range r.cells {
			if row, ok := g.timingRow(&r.cells[j]); ok {
				t.Rows = append(t.Rows, row)
				if s := r.cells[j].CPUShare; s != nil {
					t.Bought = fmt.Sprintf("%.2f", s.Target)
				}
			}
		}
		if len(t.Rows) > 0 {
			return t
		}
	}
	return nil
}

func (g *grid) timingRow(c *cell) (timingRow, bool) {
	a := g.response(c.Cell)
	if a == nil {
		return timingRow{}, false
	}
	whole := func(n int64) string { return thousands(float64(n), 0) }
	row := timingRow{
		Variant: c.variant, Label: c.label,
		CPU: milliseconds(1000 * a.CPUSec), Time: milliseconds(1000 * a.TimeSec),
		Peak: whole(int64(a.PeakInFlight)), Retries: whole(a.Retries), Connections: whole(a.Connections),
		Memory: whole(int64(c.MaxMemoryMB)),
		Reads:  milliseconds(a.Latency.P50) + " / " + milliseconds(a.Latency.P95) + " / " + milliseconds(a.Latency.P99),
	}
	if s := c.CPUShare; s != nil && s.Target > 0 {
		row.Share = min(int(100*s.Used/s.Target+0.5), 100)
	}
	return row, true
}
