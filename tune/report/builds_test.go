package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lambda-parallel-io/tune/builds"
)

func twoBuilds() *builds.Result {
	r := &builds.Result{Verdict: builds.Slower, Old: "main:./handler", New: "./handler", FailOn: []string{"duration"}, Tolerance: 0.1, Seconds: 61, Busy: true}
	r.Run.PowerValues, r.Run.Num, r.Run.Arch, r.Run.OS, r.Run.CPUs, r.Run.Latency = []int{512, 10240}, 30, "arm64", "linux/amd64", 2, "apg"
	for _, power := range r.Run.PowerValues {
		r.Cells = append(r.Cells,
			builds.Cell{Power: power, Figure: "duration", Old: 123_456, New: 141_974, Ratio: 1.15, Low: 1.12, High: 1.18, Verdict: builds.Slower, Pairs: []float64{1.1, 1.2, 7}},
			builds.Cell{Power: power, Figure: "cpu_per_read", Old: 0.28, New: 0.28, Ratio: 1, Low: 0.98, High: 1.02, Verdict: builds.Same, Pairs: []float64{1, 1, 1}},
			builds.Cell{Power: power, Figure: "init", Old: 60, New: 61, Ratio: 1.02, Verdict: builds.Open, Pairs: []float64{0.2, 1, 1.1}, Needs: 45})
	}
	return r
}

func views(t *testing.T, r *builds.Result) (text, table, page string) {
	t.Helper()
	var out, data bytes.Buffer
	dir := t.TempDir()
	if err := (Builds{r}).Write(&out, dir, false); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	if err := (Builds{r}).Write(&data, dir, true); err != nil || read("builds.json") != data.String() || !json.Valid(data.Bytes()) {
		t.Errorf("--json prints %v, %s; want what is in builds.json", err, data.String())
	}
	text = strings.ReplaceAll(out.String(), dir, "tune-compare")
	return text, read("table.md"), read("report.html")
}

func TestEachFigureOfTwoBuildsIsALineWithItsRatioAndAWord(t *testing.T) {
	text, table, page := views(t, twoBuilds())
	for view, lines := range map[string][]string{
		text: {
			" 10,240 MB duration     | 123,456 -> 141,974 ms  1.15x [1.12, 1.18]  slower\n", "    512 MB init         |      60 -> 61      ms  1.02x               open\n",
			"  Slower: duration at 512 MB and duration at 10,240 MB.\n", "Also open, and not in --fail-on: init at 512 MB and init at 10,240 MB.",
			"--for 16m --max 45 would decide", "This machine could not keep up", "  report   tune-compare/report.html\n"},
		table: {"**Slower: duration at 512 MB and duration at 10,240 MB**\n", "| 10,240 | duration, ms | 123,456 | 141,974 | 1.15x | 1.12 to 1.18 | **slower** |\n", "| 512 | init, ms | 60 | 61 | 1.02x |  | **open** |\n"},
		page:  {`<s style="left:57%"></s><s style="left:63%"></s><s style="left:100%"></s>`, `left:calc(100% - 57%);right:calc(100% - 57%)`, `<b>slower</b>`, `<script type="application/json" id="results">{"verdict":"slower"`},
	} {
		for _, line := range lines {
			if !strings.Contains(view, line) {
				t.Errorf("there is no %q in\n%s", line, view)
			}
		}
	}
	if long := regexp.MustCompile(`(?m)^.{81,}$`).FindString(text); long != "" {
		t.Errorf("a line is longer than 80: %q", long)
	}
}

func TestWhatTwoBuildsSayIsNoMarkup(t *testing.T) {
	r := twoBuilds()
	r.Verdict, r.Differences = builds.Differs, []string{"new fails at 512 MB: </script><img src=x onerror=alert(1)> | [a](http://b) \x1b[31m"}
	text, table, page := views(t, r)
	if !strings.HasPrefix(text, "  new fails at 512 MB: ") || strings.Contains(text, "\x1b") {
		t.Errorf("what differs is not told first, or not as text:\n%q", text)
	}
	if strings.Contains(table, "<img") || strings.Contains(table, "[a](") {
		t.Errorf("table.md has markup of what failed:\n%s", table)
	}
	if strings.Count(page, "</script>") != 1 || strings.Contains(page, "<img") {
		t.Errorf("the page has markup of what failed:\n%s", page)
	}
}
