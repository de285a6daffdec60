package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Markdown is table.md, the answer and the matrices for a pull request.
func (r *Report) Markdown(w io.Writer) error { return execute(w, texts.Lookup("table.md"), r) }

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
