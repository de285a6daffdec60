// Package report draws every view of a comparison from the one model,
// package tune/comparison: the terminal's text, the page, the tables and the data
// that other tools read. A view depends on nothing but the model, so the same
// results.json gives the same bytes at any time and on any machine.
//
// A results.json may come from anywhere. [Read] refuses one that no run could
// have written, and every view escapes what it prints for the place where it
// prints it.
package report

import (
	"io"
	"strings"
	"unicode"

	"lambda-parallel-io/tune/comparison"
)

// View writes one view of a comparison.
type View func(io.Writer) error

// The lengths, in characters, to which names and messages are cut where they
// are shown. The data files have them whole.
const (
	maxLabel   = 24
	maxName    = 80
	maxMessage = 400
)

// clean makes text from outside fit to be shown: at most so many characters of
// valid UTF-8 on one line, and none that commands a terminal or turns the
// direction of writing.
func clean(s string, most int) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range strings.TrimSpace(s) {
		if n == most-1 {
			b.WriteRune('…')
			break
		}
		switch {
		case unicode.IsSpace(r):
			if space {
				continue
			}
			r = ' '
		case !unicode.IsPrint(r):
			r = unicode.ReplacementChar
		}
		space = r == ' '
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// labels names the variants as every view does.
func labels(c *comparison.Comparison) []string {
	names := make([]string, len(c.Variants))
	for i, v := range c.Variants {
		names[i] = clean(v.Label(), maxLabel)
	}
	return names
}
