package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Markdown is table.md, the answer and the matrices for a pull request.
func (r *Report) Markdown(w io.Writer) error {
	var b strings.Builder
	advice := r.advice()
	fmt.Fprintf(&b, "**%s**\n\n", escape(advice[0]))
	for _, line := range advice[1:] {
		fmt.Fprintf(&b, "%s\n\n", escape(line))
	}
	r.markdownTable(&b, r.durationHeading(), durationOf)
	r.markdownTable(&b, r.costHeading(), costOf)
	for _, paragraph := range [][]string{r.legend(), r.notes(), r.failures(), {r.what() + "; " + r.where()}} {
		for _, line := range paragraph {
			fmt.Fprintf(&b, "%s  \n", escape(line)) // two spaces break the line
		}
		if len(paragraph) > 0 {
			b.WriteString("\n")
		}
	}
	if link, title := r.compareLink(); link != "" {
		// A label's parentheses would end the link.
		link = strings.NewReplacer("(", "%28", ")", "%29", "*", "%2A", "'", "%27", "!", "%21", "~", "%7E").Replace(link)
		fmt.Fprintf(&b, "[%s, as Lambda Power Tuning draws it](%s)\n", escape(title), link)
	}
	_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
	return err
}

func (r *Report) markdownTable(b *strings.Builder, heading string, of measure) {
	fmt.Fprintf(b, "%s\n\n| Memory, MB |", escape(heading))
	for _, label := range r.labels {
		fmt.Fprintf(b, " %s |", escape(label))
	}
	b.WriteString("\n|--:|" + strings.Repeat("--:|", len(r.labels)) + "\n")
	for _, row := range r.rows {
		fmt.Fprintf(b, "| %s |", megabytes(row.Power))
		for _, c := range row.Cells {
			e := of(c)
			text := e.Text
			if c.Best {
				text = "**" + text + "**"
			}
			if e == &c.Duration && c.OK {
				text = strings.TrimSpace(text + " " + escape(c.Compared()))
			}
			fmt.Fprintf(b, " %s |", strings.TrimSpace(text+" "+escape(e.Marks)))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
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
