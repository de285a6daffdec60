// Package prose formats words and numbers for people, whatever their source.
package prose

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// OneLine makes untrusted text safe for a table and a terminal. It returns one line
// of valid UTF-8, no longer than most characters, without characters that control a
// terminal or change the writing direction. It joins lines with "; ", turns other
// white space into a space, and replaces the text that it cuts off with "…".
func OneLine(s string, most int) string {
	var line []rune
	between := "" // the separator before the next character
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

// Thousands formats a number with commas, as in 1,769, and with that many decimals;
// -1 means as many as the number needs.
func Thousands[N int | int64 | float64](n N, decimals int) string {
	s := strconv.FormatFloat(float64(n), 'f', decimals, 64)
	for i := strings.Index(s+".", ".") - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Bytes formats a size in bytes in B, KB of 1,000 bytes or MB of a million: 9.4 KB.
func Bytes(n int) string {
	switch {
	case n >= 1e6:
		return Thousands(float64(n)/1e6, 1) + " MB"
	case n >= 1e3:
		return Thousands(float64(n)/1e3, 1) + " KB"
	}
	return strconv.Itoa(n) + " B"
}

// Count formats a number with its noun in the singular or plural: 1 cell, 2 cells.
func Count[N int | float64](n N, one, many string) string {
	if n != 1 {
		one = many
	}
	return Thousands(n, -1) + " " + one
}

// About rounds a duration: 45 s, 3 min.
func About(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
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
