package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"lambda-parallel-io/tune/comparison"
)

// Markdown is table.md, the answer and the matrices for a pull request.
func Markdown(c *comparison.Comparison) View {
	return func(w io.Writer) error {
		g := newGrid(c)
		var b strings.Builder
		advice := g.advice()
		fmt.Fprintf(&b, "**%s**\n\n", escape(advice[0]))
		for _, line := range advice[1:] {
			fmt.Fprintf(&b, "%s\n\n", escape(line))
		}
		for _, m := range []struct {
			heading string
			of      func(*cell) (string, estimate)
		}{{"Duration, " + g.Statistic() + " ms", durationOf}, {g.costHeading(), costOf}} {
			fmt.Fprintf(&b, "%s\n\n| Memory, MB |", escape(m.heading))
			for _, label := range g.labels {
				fmt.Fprintf(&b, " %s |", escape(label))
			}
			b.WriteString("\n|--:|" + strings.Repeat("--:|", len(g.labels)) + "\n")
			for _, r := range g.rows {
				fmt.Fprintf(&b, "| %s |", megabytes(r.power))
				for i := range r.cells {
					fmt.Fprintf(&b, " %s |", markdownCell(&r.cells[i], m.of))
				}
				b.WriteString("\n")
			}
			b.WriteString("\n")
		}
		for _, paragraph := range [][]string{g.legend(), g.notes(), g.failures(), {g.what() + "; " + g.where()}} {
			for _, line := range paragraph {
				fmt.Fprintf(&b, "%s  \n", escape(line)) // two spaces break the line
			}
			if len(paragraph) > 0 {
				b.WriteString("\n")
			}
		}
		if link, title := g.compareLink(); link != "" {
			fmt.Fprintf(&b, "[%s, as Lambda Power Tuning draws it](%s)\n", escape(title), markdownLink(link))
		}
		_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
		return err
	}
}

func markdownCell(c *cell, of func(*cell) (string, estimate)) string {
	text, marks := shown(c, of)
	if strings.Contains(marks, markBest) {
		text = "**" + text + "**"
	}
	if marks != "" {
		text += " " + escape(marks)
	}
	return text
}

// escape makes text mean itself in Markdown. What may begin markup, a link or
// a mention becomes an entity; letters, digits and harmless signs stay.
func escape(s string) string {
	var b strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case r > unicode.MaxASCII, unicode.IsLetter(r), unicode.IsDigit(r), strings.ContainsRune(" ,;()%$/+±?", r),
			// A dot in www. makes a link, a colon in http:// another.
			strings.ContainsRune(".:-", r) && i > 0 && (i+1 == len(runes) || runes[i+1] == ' ' || unicode.IsDigit(runes[i+1])):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "&#%d;", r)
		}
	}
	return b.String()
}

// markdownLink keeps a label's parentheses from ending the link.
func markdownLink(url string) string {
	return strings.NewReplacer("(", "%28", ")", "%29", "*", "%2A", "'", "%27", "!", "%21", "~", "%7E").Replace(url)
}
