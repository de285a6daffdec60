package comparison

import (
	"strings"
	"unicode"
)

// OneLine makes an error fit for a table and a terminal of what a function, or
// a service that tells of one, has said: one line of at most so many runes,
// without control characters.
func OneLine(s string, most int) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ")
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
