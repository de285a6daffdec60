package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"lambda-parallel-io/tune/comparison"
)

// width is that of the terminal's text, in characters. Only links are longer.
const width = 80

// Text writes the view for a terminal. page is the path of the page, or "" if none was written.
func (r *Report) Text(w io.Writer, page string) error {
	return texts.ExecuteTemplate(w, "terminal.txt", struct {
		*Report
		Page string
	}{r, page})
}

// DryRun prints the comparison that would run. maps says that a map is computed.
func DryRun(w io.Writer, c *comparison.Comparison, maps bool) error {
	return texts.ExecuteTemplate(w, "dryrun.txt", struct {
		*comparison.Comparison
		Maps bool
	}{c, maps})
}

// Matrix shows the duration or the cost of every cell, in as many blocks of columns as the width demands.
func (r *Report) Matrix(figure string) (s string) {
	blocks := r.blocks(figure, true)
	if len(blocks) > 1 { // to save room, only = and ~ tell how sure a ratio is
		blocks = r.blocks(figure, false)
	}
	for _, lines := range blocks {
		s += "\n"
		for _, line := range lines {
			s += strings.TrimRight(line, " ") + "\n"
		}
	}
	return s
}

// blocks returns the lines of a matrix, in blocks that fit the width.
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
	if r.Map != nil && r.Best != nil { // a map's one matrix has costs too
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

// column returns lines of one width: a variant's label and its right-aligned figures, each followed by its
// ratio to the best of its row, with its interval if certain is set, and by its marks.
func (r *Report) column(variant int, text, figure string, certain bool) []string {
	figures, marks := []string{text}, []string{""}
	var ratios []string
	for _, row := range r.Rows {
		ratios = append(ratios, measures[figure](row.Cells[variant]).short(certain))
	}
	room := widest(ratios) // so that the figures are aligned
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
	return "  " + strings.Join(breakText(text, width-2, utf8.RuneCountInString), "\n  ") + "\n"
}

// breakText breaks text at spaces into lines no wider than widest, unless a word is.
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

// Markdown writes table.md: the answer and the matrices for a pull request.
func (r *Report) Markdown(w io.Writer) error { return texts.ExecuteTemplate(w, "table.md", r) }

// escape makes Markdown show text as it is, at the beginning of a line too. It puts a backslash before what
// could begin markup or a link, and leaves the rest as it is. A backslash does not stop a mention, so @
// becomes an entity, and so does < for renderers that know no backslashes.
func escape(s string) string {
	var b strings.Builder
	runes := []rune(" " + s + " ")
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	for i := 1; i < len(runes)-1; i++ {
		r, before, next := runes[i], runes[i-1], runes[i+1]
		if strings.ContainsRune("\\`*|", r) || r == '~' && next != ' ' || r == '_' && !(word(before) && word(next)) ||
			r == '&' && (next == '#' || word(next)) || r == ']' && strings.ContainsRune("([:", next) || r == ':' && next == '/' ||
			r == '.' && strings.HasSuffix(strings.ToLower(string(runes[:i])), "www") || i == 1 && strings.ContainsRune("#>+-=[", r) ||
			(r == '.' || r == ')') && next == ' ' && strings.Trim(string(runes[1:i]), "0123456789") == "" {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return strings.NewReplacer("@", "&#64;", "<", "&lt;").Replace(b.String())
}
