package comparison

import "testing"

func TestOneLineIsShortAndPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain, ä and 世界":               "plain, ä and 世界",
		"what\nwhat to do\n":            "what; what to do",
		"tab\tand \x1b[31mred\x1b[0m\a": "tab and [31mred[0m",
		"right \u202e to left":          "right  to left",
		"123456789012345678901":         "12345678901234567890…",
	} {
		if got := OneLine(in, 20); got != want {
			t.Errorf("OneLine(%q, 20) = %q, want %q", in, got, want)
		}
	}
}
