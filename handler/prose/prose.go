// Package prose makes words and numbers fit to be read, whatever they came from.
package prose

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// OneLine makes text from outside fit for a table and a terminal: at most so
// many characters of valid UTF-8 on one line, and none that commands a
// terminal or turns the direction of writing. Lines are joined by "; ", other
// white space becomes a space, and what is cut off is replaced by "…".
func OneLine(s string, most int) string {
	var line []rune
	between := "" // what separates the last word from the next
	for _, r := range s {
		switch {
		case r == '\n':
			between = "; "
			continue
		case unicode.IsSpace(r):
			between = cmp.Or(between, " ")
			continue
		case !unicode.IsPrint(r):
			r = unicode.ReplacementChar
		}
		if len(line) > 0 {
			line = append(line, []rune(between)...)
		}
		line, between = append(line, r), ""
		if len(line) > most {
			return string(line[:most-1]) + "…"
		}
	}
	return string(line)
}

// Thousands writes a number with so many decimals, or with -1 those that it has,
// and with commas: 1,769.
func Thousands[N int | int64 | float64](n N, decimals int) string {
	s := strconv.FormatFloat(float64(n), 'f', decimals, 64)
	for i := strings.Index(s+".", ".") - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Bytes writes a size in its unit, of 1,000 bytes or a million: 9.4 KB.
func Bytes(n int) string {
	switch {
	case n >= 1e6:
		return Thousands(float64(n)/1e6, 1) + " MB"
	case n >= 1e3:
		return Thousands(float64(n)/1e3, 1) + " KB"
	}
	return strconv.Itoa(n) + " B"
}

// Count writes 1 cell, 2 cells.
func Count(n int, one, many string) string {
	if n != 1 {
		one = many
	}
	return Thousands(n, 0) + " " + one
}

// List joins items as a sentence does: "a, b and c".
func List[T any](items []T) string {
	var words []string
	for _, item := range items {
		words = append(words, fmt.Sprint(item))
	}
	if n := len(words) - 1; n > 0 {
		return strings.Join(words[:n], ", ") + " and " + words[n]
	}
	return strings.Join(words, "")
}
