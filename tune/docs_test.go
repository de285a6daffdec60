package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dustin/go-humanize"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
)

// The table of defaults is that of the code.
func TestThePageOfDefaultsHasTheDefaultsOfTheCode(t *testing.T) {
	b, err := os.ReadFile("../docs/defaults.md")
	if err != nil {
		t.Fatal(err)
	}
	sizes := func(all []int) string {
		var each []string
		for _, mb := range all {
			each = append(each, humanize.Comma(int64(mb)))
		}
		return strings.Join(each, ", ")
	}
	timeout := fmt.Sprintf("%.0f s", comparison.DefaultTimeout.Seconds())
	measured := fmt.Sprintf("%s | %s | at most %d, in %.0f s |", sizes(comparison.DefaultPowers), timeout, comparison.DefaultMax, comparison.DefaultFor.Seconds())
	for _, row := range []string{
		fmt.Sprintf("| a payload for the function | %s (`repeat`) |", humanize.Comma(event.DefaultRepeat)),
		fmt.Sprintf("| `go run ./tune`, the map | %s | the best of each memory size | %s | %s |", humanize.Comma(comparison.DefaultMapRepeat), sizes(comparison.DefaultMapPowers), timeout),
		fmt.Sprintf("| `--measure` | %d | %d | %s", comparison.DefaultRepeat, event.DefaultConcurrency, measured),
		"| `--function` of your own | as its payload says | as its payload says | " + measured,
		fmt.Sprintf("| `tune aws` | %d | %d | the stack's `powerValues`", comparison.DefaultRepeat, event.DefaultConcurrency),
		fmt.Sprintf("| the function's | %d |\n| `tuningInputs`", comparison.DefaultNum),
	} {
		if !strings.Contains(string(b), row) {
			t.Errorf("docs/defaults.md does not have %q", row)
		}
	}
}

var (
	pageLink = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	noWord   = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// A link to a page leads to a file, and to a heading in it.
func TestEveryLinkOfThePagesLeadsToAFileAndAHeading(t *testing.T) {
	pages := []string{"../README.md", "../CONTRIBUTING.md"}
	for _, pattern := range []string{"../docs/*.md", "../docs/*/*.md"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, more...)
	}
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range pageLink.FindAllStringSubmatch(string(b), -1) {
			file, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(m[1], "://") {
				continue
			}
			to := page
			if file != "" {
				to = filepath.Join(filepath.Dir(page), file)
			}
			target, err := os.ReadFile(to)
			if info, errStat := os.Stat(to); errStat != nil || err != nil && !info.IsDir() {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			} else if heading != "" && !hasHeading(string(target), heading) {
				t.Errorf("%s links to %s, which has no such heading", page, m[1])
			}
		}
	}
}

// hasHeading reports whether a page has a heading whose anchor on GitHub is that one.
func hasHeading(page, anchor string) bool {
	for line := range strings.Lines(page) {
		if title := strings.TrimLeft(line, "#"); title != line {
			name := noWord.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			if strings.ReplaceAll(name, " ", "-") == anchor {
				return true
			}
		}
	}
	return false
}
