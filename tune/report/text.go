package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// width is that of the terminal's text, in characters; links alone are longer.
const width = 80

// Text is the view for a terminal. page is the path of the page, or "" where
// none was written.
func (r *Report) Text(w io.Writer, page string) error {
	return texts.ExecuteTemplate(w, "terminal.txt", struct {
		*Report
		Page string
	}{r, page})
}

// Matrix has one figure of every cell, its duration or its cost, in as many
// blocks of columns as the width demands.
func (r *Report) Matrix(figure string) string {
	blocks := r.blocks(figure, true)
	if len(blocks) > 1 { // where not all fits, = and ~ tell what is not certain
		blocks = r.blocks(figure, false)
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
func (r *Report) blocks(figure string, certain bool) (blocks [][]string) {
	memory := []string{"   Memory"}
	for _, row := range r.Rows {
		memory = append(memory, fmt.Sprintf("%9s", megabytes(row.Power)))
	}
	used := width
	var columns [][]string
	for i, text := range r.Labels {
		columns = append(columns, r.column(i, text, figure, certain))
	}
	if r.Map != nil && r.Best != nil { // its one matrix has costs, too
		columns = append(columns, r.column(r.Best.Variant, r.Labels[r.Best.Variant]+", $", "cost", false))
	}
	for _, column := range columns {
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
func (r *Report) column(variant int, text, figure string, certain bool) []string {
	figures, marks := []string{text}, []string{""}
	var ratios []string
	for _, row := range r.Rows {
		ratios = append(ratios, measures[figure](row.Cells[variant]).short(certain))
	}
	room := widest(ratios) // so that figures stand above each other
	for i, row := range r.Rows {
		c := row.Cells[variant]
		text := measures[figure](c).Text
		if c.OK && room > 0 {
			text += fmt.Sprintf("  %-*s", room, ratios[i])
		}
		figures = append(figures, text)
		marks = append(marks, when(c.Marks != "" && (r.Map == nil || figure == "duration"), when(r.Map == nil, " ")+c.Marks))
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

// Markdown is table.md, the answer and the matrices for a pull request.
func (r *Report) Markdown(w io.Writer) error { return texts.ExecuteTemplate(w, "table.md", r) }

// escape makes text mean itself in Markdown, at the beginning of a line too. What
// could begin markup or a link has a backslash, and where a backslash does not do
// an entity stands; all else stays.
func escape(s string) string {
	var b strings.Builder
	runes := []rune(" " + s + " ")
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	for i := 1; i < len(runes)-1; i++ {
		r, before, next := runes[i], runes[i-1], runes[i+1]
		switch {
		case r == '<':
			b.WriteString("&lt;")
			continue
		case r == '@': // a mention
			b.WriteString("&#64;")
			continue
		case r == '&' && (next == '#' || word(next)):
			b.WriteString("&amp;")
			continue
		case strings.ContainsRune("\\`*|", r), r == '~' && next != ' ', r == '_' && !(word(before) && word(next)),
			r == ']' && strings.ContainsRune("([:", next), r == ':' && next == '/',
			r == '.' && strings.HasSuffix(strings.ToLower(string(runes[:i])), "www"),
			i == 1 && strings.ContainsRune("#>+-=[", r),
			(r == '.' || r == ')') && next == ' ' && strings.Trim(string(runes[1:i]), "0123456789") == "":
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
