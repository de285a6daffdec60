package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/prose"
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

// Text is the view for a terminal. page is the path of the page, or "" where
// none was written.
func (r *Report) Text(w io.Writer, page string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s%s\n", wrap(r.what()), wrap(r.where()))
	b.WriteString(r.matrix(r.durationHeading(), durationOf))
	b.WriteString(r.matrix(r.costHeading(), costOf))
	for _, paragraph := range [][]string{r.legend(), r.notes(), r.failures(), r.advice()} {
		for _, line := range paragraph {
			b.WriteString(wrap(line))
		}
		if len(paragraph) > 0 {
			b.WriteString("\n")
		}
	}
	if page != "" {
		fmt.Fprintf(&b, "  report   %s\n", prose.OneLine(page, maxMessage))
	}
	if link, title := r.compareLink(); link != "" {
		fmt.Fprintf(&b, "  compare  %s\n           (%s; nothing is uploaded)\n", link, title)
	}
	_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
	return err
}

func (r *Report) durationHeading() string { return "Duration, " + r.Statistic() + " ms" }

func (r *Report) costHeading() string {
	s := "Cost, $ per million invocations (compute + requests"
	if gets := r.GETCostPerMillion(); gets > 0 {
		s += fmt.Sprintf("; S3 adds $%s to every cell", prose.Thousands(gets, 2))
	}
	return s + ")"
}

// matrix prints one figure of every cell, in as many blocks of columns as the
// width demands.
func (r *Report) matrix(heading string, of measure) string {
	names := []string{"Memory"}
	for _, row := range r.rows {
		names = append(names, megabytes(row.Power))
	}
	const memory = 9
	var columns []column
	for _, certain := range []bool{true, false} { // where all does not fit, = and ~ tell what is not certain
		used := memory
		columns = columns[:0]
		for i := range r.labels {
			columns = append(columns, r.column(i, of, certain))
			used += columns[i].total()
		}
		if used <= width {
			break
		}
	}
	var b strings.Builder
	b.WriteString(wrap(heading))
	for first := 0; first < len(columns); {
		last, used := first, memory
		for last < len(columns) && (last == first || used+columns[last].total() <= width) {
			used += columns[last].total()
			last++
		}
		b.WriteString("\n")
		for i, name := range names {
			line := fmt.Sprintf("%*s", memory, name)
			for _, c := range columns[first:last] {
				line += fmt.Sprintf("%*s%-*s", gap+c.width, c.figures[i], c.marked, c.marks[i])
			}
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
		first = last
	}
	return b.String() + "\n"
}

// column is a variant's part of a matrix: a heading and figures, right-aligned,
// with marks behind them.
type column struct {
	figures, marks []string
	width, marked  int // in characters: of the figures with their ratios, and of the marks
}

const gap = 2

func (c *column) total() int { return gap + c.width + c.marked }

func (c *column) add(figure, marks string) {
	if marks != "" {
		marks = " " + marks
	}
	c.figures, c.marks = append(c.figures, figure), append(c.marks, marks)
	c.width = max(c.width, utf8.RuneCountInString(figure))
	c.marked = max(c.marked, utf8.RuneCountInString(marks))
}

// column lays out a variant's figures, and behind a duration its ratio to the
// best of its row: with what that is worth or, where it is decided, without.
func (r *Report) column(variant int, of measure, certain bool) column {
	ratios := make([]string, len(r.rows))
	room := 0 // that these take, so that figures stand above each other
	for i, row := range r.rows {
		c := row.Cells[variant]
		if len(c.ratio.Pairs) == 0 || of(c) != &c.Duration {
			continue
		}
		ratios[i] = "  " + decimals(c.ratio.Value) + "x"
		if worth := c.worth(false); worth != "" && (certain || c.ratio.Verdict != comparison.Decided) {
			ratios[i] += " " + worth
		}
		room = max(room, utf8.RuneCountInString(ratios[i]))
	}
	var col column
	col.add(r.labels[variant], "")
	for i, row := range r.rows {
		c := row.Cells[variant]
		text := of(c).Text
		if c.OK {
			text += fmt.Sprintf("%-*s", room, ratios[i])
		}
		col.add(text, of(c).Marks)
	}
	return col
}

// wrap breaks text into indented lines of the width, and ends each.
func wrap(text string) string {
	const indent = "  "
	lines := breakText(text, width-len(indent), utf8.RuneCountInString)
	return indent + strings.Join(lines, "\n"+indent) + "\n"
}

// breakText breaks a text at spaces into lines that are no wider than widest,
// unless a word is.
func breakText[N int | float64](text string, widest N, widthOf func(string) N) (lines []string) {
	line := ""
	for _, word := range strings.SplitAfter(text, " ") {
		if line != "" && widthOf(strings.TrimRight(line+word, " ")) > widest {
			lines, line = append(lines, strings.TrimRight(line, " ")), ""
		}
		line += word
	}
	return append(lines, strings.TrimRight(line, " "))
}
