package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"lambda-parallel-io/tune/comparison"
)

// The rules of the terminal's text:
//
//   - It is for a reader with 80 columns and no colour; links alone are longer.
//   - First what was run, then the figures, then the answer, then where to
//     look further: the last lines are what remains on the screen.
//   - A row is a memory size, a column a variant, in every matrix.
//   - A mark stands behind a figure and is explained once, below; a figure that
//     is absent has its cause in its place.
//   - A note ends in a remedy.
//   - No line names a file that was not written.
const width = 80

// Options are what a text says beyond the comparison.
type Options struct {
	Report string // the path of the page, where one was written
}

// Text is the view for a terminal.
func Text(c *comparison.Comparison, o Options) View {
	return func(w io.Writer) error {
		g := newGrid(c)
		var b strings.Builder
		fmt.Fprintf(&b, "\n%s%s\n", wrap(g.what(), "  "), wrap(g.where(), "  "))
		heading := "Duration, " + g.Statistic() + " ms"
		if g.bounded() {
			heading += " with its 95 % confidence interval"
		}
		b.WriteString(g.matrix(heading, durationOf))
		b.WriteString(g.matrix(g.costHeading(), costOf))
		for _, paragraph := range [][]string{g.legend(), g.notes(), g.failures(), g.advice()} {
			for _, line := range paragraph {
				b.WriteString(wrap(line, "  "))
			}
			if len(paragraph) > 0 {
				b.WriteString("\n")
			}
		}
		if o.Report != "" {
			fmt.Fprintf(&b, "  report   %s\n", clean(o.Report, maxMessage))
		}
		if link, title := g.compareLink(); link != "" {
			fmt.Fprintf(&b, "  compare  %s\n           (%s; nothing is uploaded)\n", link, title)
		}
		_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
		return err
	}
}

func durationOf(c *cell) (string, estimate) { return milliseconds(c.duration.value), c.duration }
func costOf(c *cell) (string, estimate)     { return thousands(c.cost.value, 2), c.cost }

func (g *grid) costHeading() string {
	s := "Cost, $ per million invocations (compute + requests"
	if gets := g.GETCostPerMillion(); gets > 0 {
		s += fmt.Sprintf("; S3 GETs add %s to every cell", dollars(gets))
	}
	return s + ")"
}

// bounded reports whether any figure has an interval.
func (g *grid) bounded() bool {
	for _, r := range g.rows {
		for _, c := range r.cells {
			if c.duration.interval != "" {
				return true
			}
		}
	}
	return false
}

// matrix prints one figure of every cell, in as many blocks of columns as the
// width demands.
func (g *grid) matrix(heading string, of func(*cell) (string, estimate)) string {
	const memory = 9
	columns := make([]column, len(g.labels))
	for i, label := range g.labels {
		var cells []*cell
		for j := range g.rows {
			cells = append(cells, &g.rows[j].cells[i])
		}
		columns[i] = newColumn(label, cells, of)
	}
	var b strings.Builder
	b.WriteString(wrap(heading, "  "))
	for first := 0; first < len(columns); {
		last, used := first, memory
		for last < len(columns) && (last == first || used+columns[last].total() <= width) {
			used += columns[last].total()
			last++
		}
		line := fmt.Sprintf("%*s", memory, "Memory")
		for _, c := range columns[first:last] {
			line += c.text(entry{figure: c.head})
		}
		b.WriteString("\n" + strings.TrimRight(line, " ") + "\n")
		for j, r := range g.rows {
			line := fmt.Sprintf("%*s", memory, megabytes(r.power))
			for _, c := range columns[first:last] {
				line += c.text(c.entries[j])
			}
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
		first = last
	}
	return b.String() + "\n"
}

// column is a variant's part of a matrix: figures, right-aligned, with marks
// behind them.
type column struct {
	head          string
	entries       []entry
	width, marked int // in characters: of the figures with their intervals, and of the marks
}

type entry struct{ figure, marks string }

func newColumn(head string, cells []*cell, of func(*cell) (string, estimate)) column {
	col := column{head: head, width: utf8.RuneCountInString(head)}
	interval := 0 // the room that the intervals take
	for _, c := range cells {
		if _, e := of(c); c.ok && e.interval != "" {
			interval = max(interval, 1+utf8.RuneCountInString(e.interval))
		}
	}
	for _, c := range cells {
		text, marks := shown(c, of)
		if figure, bound, _ := strings.Cut(text, " "); c.ok {
			// So that figures stand above each other.
			text = figure + fmt.Sprintf("%*s", interval, bound)
		}
		if marks != "" {
			marks = " " + marks
		}
		col.entries = append(col.entries, entry{text, marks})
		col.width = max(col.width, utf8.RuneCountInString(text))
		col.marked = max(col.marked, utf8.RuneCountInString(marks))
	}
	return col
}

// shown is what a matrix has in a cell's place: 45 ±2%, and the marks behind.
func shown(c *cell, of func(*cell) (string, estimate)) (text, marks string) {
	if !c.ok {
		return c.failure(), c.marks
	}
	text, e := of(c)
	if e.interval != "" {
		text += " " + e.interval
	}
	if e.noise {
		return text, c.marks + markNoise
	}
	return text, c.marks
}

const gap = 2

func (col *column) total() int { return gap + col.width + col.marked }

func (col *column) text(e entry) string {
	return fmt.Sprintf("%*s%-*s", gap+col.width, e.figure, col.marked, e.marks)
}

// legend explains the marks that occur.
func (g *grid) legend() (lines []string) {
	if g.best != nil {
		lines = append(lines, markBest+" best balance: least cost x duration   "+markFastest+" fastest   "+markCheapest+" cheapest")
	}
	if g.bounded() {
		lines = append(lines, markNoise+" no significant difference from the best of the row")
	}
	return lines
}

// wrap breaks text at spaces into lines of the width, indented, and ends each.
func wrap(text, indent string) string {
	var b strings.Builder
	line, length := indent, len(indent)
	for i, word := range strings.SplitAfter(text, " ") {
		n := utf8.RuneCountInString(strings.TrimRight(word, " "))
		if i > 0 && length+n > width {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line, length = indent, len(indent)
		}
		line, length = line+word, length+utf8.RuneCountInString(word)
	}
	return b.String() + strings.TrimRight(line, " ") + "\n"
}
