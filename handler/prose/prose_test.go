package prose_test

import (
	"strings"
	"testing"

	"lambda-parallel-io/handler/prose"
)

func TestOneLineIsShortAndPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain, ä and 世界":               "plain, ä and 世界",
		"what\nwhat to do\n":            "what; what to do",
		"tab\tand \x1b[31mred\x1b[0m\a": "tab and �[31mred�[0m�",
		"right \u202e to left":          "right � to left",
		"not \xff UTF-8":                "not � UTF-8",
		"12345678901234567890123":       "12345678901234567890123",
		"123456789012345678901234":      "1234567890123456789012…",
		strings.Repeat("line\n", 1e5):   "line; line; line; line…",
	} {
		if got := prose.OneLine(in, 23); got != want {
			t.Errorf("OneLine(%.40q, 23) = %q, want %q", in, got, want)
		}
	}
}

func TestThousands(t *testing.T) {
	for _, test := range []struct {
		n        float64
		decimals int
		want     string
	}{{0, 0, "0"}, {999, 0, "999"}, {1769, 0, "1,769"}, {1234567.891, 2, "1,234,567.89"}, {0.5, 1, "0.5"}} {
		if got := prose.Thousands(test.n, test.decimals); got != test.want {
			t.Errorf("Thousands(%v, %d) = %q, want %q", test.n, test.decimals, got, test.want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int]string{0: "0 B", 999: "999 B", 1_000: "1.0 KB", 9_374: "9.4 KB", 18_000_000: "18.0 MB", 1_234_567_890: "1,234.6 MB"} {
		if got := prose.Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}
