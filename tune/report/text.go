package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
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
	return execute(w, texts.Lookup("terminal.txt"), struct {
		*Report
		Page string
	}{r, page})
}

// Matrix has one figure of every cell, its duration or its cost, in as many
// blocks of columns as the width demands.
func (r *Report) Matrix(figure string) string {
	blocks := r.blocks(measures[figure], true)
	if len(blocks) > 1 { // where not all fits, = and ~ tell what is not certain
		blocks = r.blocks(measures[figure], false)
	}
	var b strings.Builder
	for _, lines := range blocks {
		b.WriteString("\n")
		for _, line := range lines {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	return b.String()
}

// blocks are the lines of a matrix, in blocks that are no wider than the width.
func (r *Report) blocks(of measure, certain bool) (blocks [][]string) {
	memory := []string{"   Memory"}
	for _, row := range r.Rows {
		memory = append(memory, fmt.Sprintf("%9s", megabytes(row.Power)))
	}
	used := width
	for i := range r.Labels {
		column := r.column(i, of, certain)
		if used += widest(column); used > width {
			blocks = append(blocks, slices.Clone(memory))
			used = widest(memory) + widest(column)
		}
		lines := blocks[len(blocks)-1]
		for k := range lines {
			lines[k] += column[k]
		}
	}
	return blocks
}

// column lays out a variant's label and figures, right-aligned with marks behind
// them, and behind a duration its ratio to the best of its row: with what that
// is worth or, where it is decided, without. All lines are as wide.
func (r *Report) column(variant int, of measure, certain bool) []string {
	figures, marks := []string{r.Labels[variant]}, []string{""}
	var ratios []string
	for _, row := range r.Rows {
		ratios = append(ratios, of(row.Cells[variant]).short(certain))
	}
	room := widest(ratios) // so that figures stand above each other
	for i, row := range r.Rows {
		c := row.Cells[variant]
		text := of(c).Text
		if c.OK && room > 0 {
			text += fmt.Sprintf("  %-*s", room, ratios[i])
		}
		figures = append(figures, text)
		marks = append(marks, when(c.Marks != "", " ")+c.Marks)
	}
	wide, marked := widest(figures), widest(marks)
	for i := range figures {
		figures[i] = fmt.Sprintf("  %*s%-*s", wide, figures[i], marked, marks[i])
	}
	return figures
}

func widest(texts []string) (most int) {
	for _, text := range texts {
		most = max(most, utf8.RuneCountInString(text))
	}
	return most
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
