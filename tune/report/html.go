package report

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"lambda-parallel-io/tune/comparison"
)

// maxEmbedded is how much of a page, in bytes, its data may take: a page is to
// stay below 200 KB.
const maxEmbedded = 96 << 10

// page is what the template of report.html draws.
type page struct {
	Eyebrow    string
	Head, Tail string // the answer
	Predicted  string
	Cards      []card
	Figures    []*figure
	CellsHint  string
	Labels     []string
	Layout     string // of the cells: "", dense, or wrapped where there are too many variants for a column each
	Rows       []pageRow
	Notes      []string
	Failures   []string
	Timing     *timing
	Facts      []fact
	Links      []pageLink
	Omitted    []string
	Data       template.JS // "" where it would be too much
}

type card struct {
	Mark, Name            string
	Variant               int
	Best                  bool
	Label                 string
	Power, Duration, Cost string
}

type pageRow struct {
	Power string
	Cells []pageCell
}

type pageCell struct {
	Variant                         int
	Label                           string
	Best                            bool
	Failure                         string // empty where there are figures
	Duration, Interval, Marks, Cost string
	Dots                            []int // of the runs, in percent of the strip's width
}

type fact struct{ Name, Value string }

type pageLink struct{ URL, Text string }

// HTML is report.html: one file that needs no script and asks for no other.
func HTML(c *comparison.Comparison) View {
	return func(w io.Writer) error {
		p, err := newPage(newGrid(c))
		if err != nil {
			return err
		}
		return execute(w, "page", p)
	}
}

func newPage(g *grid) (*page, error) {
	// json.Marshal escapes <, > and &, so that no string ends the element.
	data, err := json.Marshal(g.Comparison)
	if err != nil {
		return nil, fmt.Errorf("encoding the comparison: %w", err)
	}
	if len(data) > maxEmbedded {
		data = nil
	}
	p := &page{
		Eyebrow:   g.what(),
		Predicted: tie(g.predicted()),
		Figures:   g.figures(),
		Labels:    g.labels,
		Layout:    layout(len(g.labels)),
		Notes:     slices.Concat(g.legend(), g.notes()), Failures: g.failures(),
		Timing: g.timing(),
		Facts:  g.facts(), Links: g.links(), Omitted: g.omitted(),
		Data: template.JS(data),
	}
	for i, n := range p.Notes {
		p.Notes[i] = tie(n)
	}
	p.Head = tie(g.answer())
	if head, tail, ok := strings.Cut(p.Head, ": "); ok && g.best != nil {
		p.Head, p.Tail = head, title(tail)
	}
	for _, k := range []struct {
		mark, name string
		*cell
	}{{markBest, "Best balance: least cost x duration", g.best}, {markFastest, "Fastest", g.fastest}, {markCheapest, "Cheapest", g.cheapest}} {
		if c := k.cell; c != nil {
			p.Cards = append(p.Cards, card{k.mark, k.name, c.variant, c == g.best, c.label,
				megabytes(c.power), milliseconds(c.duration.value), dollars(c.cost.value)})
		}
	}
	p.addRows(g)
	return p, nil
}

func layout(variants int) string {
	switch {
	case variants > 10:
		return "wrapped"
	case variants > 5:
		return "dense"
	}
	return ""
}

// tie keeps a number and its unit on one line, and a mark and its meaning.
func tie(s string) string {
	return strings.NewReplacer(" MB", "\u00a0MB", " ms", "\u00a0ms", " %", "\u00a0%",
		"★ ", "★\u00a0", "▲ ", "▲\u00a0", "▼ ", "▼\u00a0").Replace(s)
}

func (p *page) addRows(g *grid) {
	reach := g.reach()
	p.CellsHint = fmt.Sprintf("%s duration in ms, and $ per million invocations.", title(g.Statistic()))
	if g.bounded() {
		p.CellsHint = fmt.Sprintf("Median duration in ms with its 95 %% confidence interval, and $ per million invocations.")
	}
	if reach > 0 {
		p.CellsHint += fmt.Sprintf(" Each dot is a run: its distance from the median, at most ±%.0f %% at the ends.", 100*reach)
	}
	for i := range g.rows {
		row := pageRow{Power: megabytes(g.rows[i].power)}
		for j := range g.rows[i].cells {
			c := &g.rows[i].cells[j]
			pc := pageCell{Variant: j, Label: c.label, Best: c == g.best, Marks: c.marks}
			if c.ok {
				pc.Duration, pc.Interval, pc.Cost = milliseconds(c.duration.value), c.duration.interval, dollars(c.cost.value)
				pc.Dots = dots(c, reach)
				if c.duration.noise {
					pc.Marks += markNoise
				}
			} else {
				pc.Failure = c.failure()
			}
			row.Cells = append(row.Cells, pc)
		}
		p.Rows = append(p.Rows, row)
	}
}

// reach is how far the strips of dots go from the median, as a share of it: as
// far as any run did, but not so far that one outlier hides the others. It is
// 0 where there are no single runs.
func (g *grid) reach() float64 {
	most := 0.0
	for _, c := range g.measured() {
		for _, ms := range c.DurationsMS {
			most = max(most, math.Abs(ms/c.duration.value-1))
		}
	}
	if g.Mode == comparison.AWS || most == 0 {
		return 0
	}
	for _, r := range []float64{0.02, 0.05, 0.1, 0.2} {
		if most <= r {
			return r
		}
	}
	return 0.5
}

// dots are the runs of a cell on its strip, those at the same place once: a
// thousand runs are drawn by fifty dots at most.
func dots(c *cell, reach float64) (at []int) {
	if reach == 0 {
		return nil
	}
	for _, ms := range c.DurationsMS {
		off := min(max((ms/c.duration.value-1)/reach, -1), 1)
		at = append(at, 50+2*int(math.Round(25*off)))
	}
	slices.Sort(at)
	return slices.Compact(at)
}

// visualization is what may be linked: Power Tuning's page with data in the
// fragment, and nothing else that a file may have in that field.
var visualization = regexp.MustCompile(`^https://lambda-power-tuning\.show/(\?currency=CNY)?#[A-Za-z0-9+/=;%._~!*'()-]+$`)

func (g *grid) links() (links []pageLink) {
	for i, v := range g.Variants {
		if v.Tuning != nil && visualization.MatchString(v.Tuning.StateMachine.Visualization) {
			links = append(links, pageLink{v.Tuning.StateMachine.Visualization, g.labels[i]})
		}
	}
	if link, title := g.compareLink(); visualization.MatchString(link) {
		links = append(links, pageLink{link, title})
	}
	return links
}
