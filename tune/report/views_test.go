package report

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

func TestDrawnAgainFromItsResultsEveryFileIsTheSame(t *testing.T) {
	for _, f := range fixtures {
		first, second := t.TempDir(), t.TempDir()
		if _, err := Write(first, f.model(), true); err != nil {
			t.Fatal(err)
		}
		data, err := os.Open(filepath.Join(first, DataFile))
		if err != nil {
			t.Fatal(err)
		}
		c, err := comparison.Read(data)
		if err := errors.Join(err, data.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := Write(second, c, true); err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			a, errA := os.ReadFile(filepath.Join(first, name))
			b, errB := os.ReadFile(filepath.Join(second, name))
			if err := errors.Join(errA, errB); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a, b) {
				t.Errorf("%s of %s differs when it is drawn again from results.json", name, f.name)
			}
		}
	}
}

func TestAFileIsReplacedWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	err := write(dir, "a", func(w io.Writer) error {
		_, err := io.WriteString(w, "half of")
		return errors.Join(err, full)
	})
	if !errors.Is(err, full) || !strings.Contains(err.Error(), "writing "+filepath.Join(dir, "a")) {
		t.Errorf("write() = %v, want the file and the cause", err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "a")); string(got) != "old" {
		t.Errorf("after a failure the file holds %q, want what it held", got)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("after a failure the folder holds %v, want the file alone", entries)
	}
}

func TestWhatCannotBeDrawnIsSavedAllTheSame(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	c := local()
	c.Variants[0].Cells[0].BilledMS = nil
	if _, err := Write(dir, c, true); err == nil {
		t.Error("Write of a broken comparison succeeded")
	}
	if _, err := os.Stat(filepath.Join(dir, DataFile)); err != nil {
		t.Errorf("results.json was not saved: %v", err)
	}
}

func TestThePageIsBelow200KB(t *testing.T) {
	models := map[string]*comparison.Comparison{"thousand runs": compare(four, sizes, 1000)}
	for _, f := range fixtures {
		models[f.name] = f.model()
	}
	for name, c := range models {
		if n := len(draw(t, c, file(PageFile))); n >= 200_000 {
			t.Errorf("%s: the page has %d bytes, want less than 200 KB", name, n)
		}
	}
}

func TestTheTerminalHas80ColumnsAndNoCommands(t *testing.T) {
	for _, f := range fixtures {
		text := terminal(t, f.model(), "tune-results/report.html")
		printable(t, text)
		for _, line := range strings.Split(string(text), "\n") {
			if n := utf8.RuneCountInString(line); n > width && !strings.HasPrefix(line, "  compare  https://") {
				t.Errorf("%s: a line of %d characters: %s", f.name, n, line)
			}
		}
	}
}

func printable(t *testing.T, text []byte) {
	t.Helper()
	for _, r := range string(text) {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("the terminal is sent %U", r)
		}
	}
}

func TestTheTerminalNamesTheReportOnlyWhereItWasWritten(t *testing.T) {
	if text := string(terminal(t, local(), "")); strings.Contains(text, "report.html") {
		t.Errorf("without a report the text names it:\n%s", text)
	}
	if text := string(terminal(t, local(), "x/report.html")); !strings.Contains(text, "report   x/report.html\n") {
		t.Errorf("the text does not name the report:\n%s", text)
	}
}

func TestARunOnAWSClaimsNoCertainty(t *testing.T) {
	c := onAWS()
	drawn := map[string][]byte{"text": terminal(t, c, "")}
	for _, name := range files[3:] { // the others are data
		drawn[name] = draw(t, c, file(name))
	}
	for name, drawn := range drawn {
		for _, sign := range []string{"±", "~", `class="whisker"`, `class="strip"`, "median"} {
			if strings.Contains(string(drawn), sign) {
				t.Errorf("%s of a run on AWS has %q", name, sign)
			}
		}
	}
}

func TestFewRunsHaveNoIntervalAndSayWhy(t *testing.T) {
	text := string(terminal(t, few(), ""))
	if strings.Contains(text, "±") || !strings.Contains(text, "~ without an interval: so few pairs tell nothing. Use --num 6 or more.") {
		t.Errorf("of 3 runs a cell the text has an interval, or does not say why it has none:\n%s", text)
	}
}

func TestBenchstatReadsTheResultsWithoutAWarning(t *testing.T) {
	dir := t.TempDir()
	if _, err := Write(dir, local(), true); err != nil {
		t.Fatal(err)
	}
	benchstat := filepath.Join(dir, "benchstat")
	// go run would say on the same stderr what it downloads.
	if out, err := exec.Command("go", "build", "-o", benchstat, "golang.org/x/perf/cmd/benchstat").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command(benchstat, "-col", "/strategy", "-row", "/memory", filepath.Join(dir, "results.txt"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Fatalf("benchstat: %v: %s", err, stderr.Bytes())
	}
	for _, warning := range []string{"need >=", "¹", "vary in", "∞"} {
		if strings.Contains(stdout.String(), warning) {
			t.Errorf("benchstat warns:\n%s", stdout.String())
			break
		}
	}
	for _, want := range []string{"sequential", "semaphore", "10240", "sec/op"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("benchstat shows no %s:\n%s", want, stdout.String())
		}
	}
}

func TestASpreadsheetFindsNoFormula(t *testing.T) {
	rows, err := csv.NewReader(bytes.NewReader(draw(t, hostile(), file("results.csv")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, field := range row {
			if strings.ContainsAny(field, "\t\r\n\x00\x1b") || field != "" && strings.Contains("=+-@|%", field[:1]) {
				t.Errorf("a field is %q", field)
			}
		}
	}
	if n := len(rows) - 1; n != 9*7+1+1 { // nine cells of a warm-up and six runs; a failed cell and variant
		t.Errorf("%d rows, want %d", n, 9*7+2)
	}
}

func TestTheLinksLeadToPowerTuningAlone(t *testing.T) {
	good := powertuning.Link("us-east-1", []powertuning.Stat{{Value: 128, AveragePrice: 1e-6, AverageDuration: 9}})
	china := powertuning.Link("cn-north-1", []powertuning.Stat{{Value: 128, AveragePrice: 1e-6, AverageDuration: 9}})
	for _, test := range []struct {
		url  string
		want bool
	}{
		{good, true},
		{china, true},
		{"javascript:alert(1)", false},
		{"http://lambda-power-tuning.show/#AA==", false},
		{"https://lambda-power-tuning.show.evil.example/#AA==", false},
		{"https://lambda-power-tuning.show@evil.example/#AA==", false},
		{"https://lambda-power-tuning.show/?next=evil#AA==", false},
		{`https://lambda-power-tuning.show/#"><script>`, false},
		{good + "\n", false},
		{"", false},
	} {
		c := few()
		c.Variants = c.Variants[1:2]
		c.Variants[0].Tuning.StateMachine.Visualization = test.url
		c.Recommend()
		page := draw(t, c, file(PageFile))
		if got := bytes.Contains(page, []byte("<a href")); got != test.want {
			t.Errorf("%q is a link in the page: %v, want %v", test.url, got, test.want)
		}
	}
}

func TestMarkdownHasNoMarkupFromTheData(t *testing.T) {
	text := string(draw(t, hostile(), file("table.md")))
	bare := regexp.MustCompile(`\\[[:punct:]]`).ReplaceAllString(text, "") // what a backslash does not make harmless
	for _, markup := range []string{"<", "@", "](javascript", "`", "*_", "https://evil", "long|"} {
		if strings.Contains(bare, markup) {
			t.Errorf("table.md has %q in it:\n%s", markup, text)
		}
	}
	for _, line := range strings.Split(bare, "\n") {
		if strings.HasPrefix(line, "|") && strings.Count(line, "|") != 7 {
			t.Errorf("a row has not 6 columns: %s", line)
		}
	}
}

func TestMarkdownEscapesWhatItNeedsAndNoMore(t *testing.T) {
	for text, want := range map[string]string{
		"1.31x [1.20, 1.42] =, $9.35 (62 % less with S3's requests)!": "1.31x [1.20, 1.42] =, $9.35 (62 % less with S3's requests)!",
		"go run ./tune --measure, object_bytes of sample.json":        "go run ./tune --measure, object_bytes of sample.json",
		"~ open 3 ~": "~ open 3 ~", "~~a~~": `\~\~a\~~`, "* checked": `\* checked`, "a|b": `a\|b`, "- item": `\- item`, "1. item": `1\. item`, "# title": `\# title`,
		"[x](y)": `\[x\](y)`, "see [x](y)": `see [x\](y)`, "_a_": `\_a\_`, "<b>": "&lt;b>", "&lt;": `\&lt;`, "@all": "&#64;all",
		"http://a": `http\://a`, "www.a": `www\.a`, `\*`: `\\\*`, "`a`": "\\`a\\`", "===": `\===`, "[a]: b": `\[a\]: b`,
	} {
		if got := escape(text); got != want {
			t.Errorf("escape(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestTheChartIsWellFormed(t *testing.T) {
	for _, f := range fixtures {
		wellFormed(t, draw(t, f.model(), file("chart.svg")))
	}
}

func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := dec.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("chart.svg is no XML: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok && slices.Contains([]string{"script", "foreignObject", "a", "image", "use"}, e.Name.Local) {
			t.Errorf("chart.svg has an element <%s>", e.Name.Local)
		}
	}
}
