package report

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

func TestReadRefusesWhatNoRunWrote(t *testing.T) {
	large := strings.Repeat("x", maxText+1)
	for _, test := range []struct {
		name  string
		spoil func(*comparison.Comparison)
		want  string
	}{
		{"mode", func(c *comparison.Comparison) { c.Mode = "moon" }, `mode must be local or aws, got "moon"`},
		{"schema", func(c *comparison.Comparison) { c.Schema = 2 }, "schema 2: this version reads schema 1"},
		{"arch", func(c *comparison.Comparison) { c.Run.Arch = "riscv" }, "arch must be arm64 or x86_64"},
		{"order of sizes", func(c *comparison.Comparison) { c.Run.PowerValues = []int{512, 128} }, "in ascending order, got 128"},
		{"size", func(c *comparison.Comparison) { c.Run.PowerValues = []int{64} }, "power values must be 128 to 10240 MB"},
		{"unknown size of a cell", func(c *comparison.Comparison) { c.Variants[1].Cells[0].Power = 200 }, "variant 2: cell of 200 MB: the cells must be of the run's power values"},
		{"the same cell twice", func(c *comparison.Comparison) { c.Variants[0].Cells[1].Power = 128 }, "variant 1: cell of 128 MB"},
		{"huge duration", func(c *comparison.Comparison) { c.Variants[0].Cells[0].DurationsMS[2] = 1e300 }, "duration must be 1e-06 to 3.6e+06, got 1e+300"},
		{"negative duration", func(c *comparison.Comparison) { c.Variants[0].Cells[0].DurationsMS[2] = -1 }, "duration must be"},
		{"no duration at all", func(c *comparison.Comparison) { c.Variants[0].Cells[0].DurationsMS[2] = 0 }, "duration must be"},
		{"billed", func(c *comparison.Comparison) { c.Variants[0].Cells[0].BilledMS = []int{1} }, "6 durations and 1 billed durations: there must be as many"},
		{"stats", func(c *comparison.Comparison) { c.Variants[0].Tuning.Stats[0].AverageDuration = -1 }, "stats: averageDuration must be 0 to"},
		{"variants", func(c *comparison.Comparison) { c.Variants = make([]comparison.Result, 1000) }, "1000 variants x 6 sizes: there can be 256 variants and 4096 cells"},
		{"strategy", func(c *comparison.Comparison) { c.Variants[0].Strategy = "" }, "length of the strategy must be 1 to"},
		{"error", func(c *comparison.Comparison) { c.Variants[0].Error = large }, "length of the error must be 0 to"},
		{"function", func(c *comparison.Comparison) { c.Run.Function = large }, "run: length of the names must be 0 to"},
		{"payload", func(c *comparison.Comparison) { c.Variants[0].Payload = raw(strings.Repeat("x", maxBlob)) }, "size of the payload must be 0 to"},
		{"starved", func(c *comparison.Comparison) { c.Variants[0].Cells[0].CPUShare.Starved = -1 }, "cpu_share starved must be 0 to"},
		{"recommendation", func(c *comparison.Comparison) { c.Recommendation.Power = 513 }, "the recommendation names no cell that was measured"},
		{"recommendation of a failure", func(c *comparison.Comparison) { _, cell := c.Recommended(); cell.Error = "x" }, "the recommendation names no cell that was measured"},
	} {
		c := local()
		test.spoil(c)
		_, err := Read(bytes.NewReader(draw(t, JSON(c))))
		if err == nil || !strings.HasPrefix(err.Error(), "reading results: ") || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: Read() = %v, want one line with %q", test.name, err, test.want)
		}
	}
	for _, test := range []struct{ text, want string }{
		{"", "not valid JSON"},
		{"hello", "not valid JSON at byte 1"},
		{"[]", "cannot unmarshal array"},
		{"{}", "no schema: this is not a results.json of this tool"},
		{`{"schema": 1}`, "mode must be"},
		{`{"schema": 1} {}`, "not valid JSON at byte 15"},
		{`{"schema": 1, "variants": [{"cells": [{"durations_ms": ["1"]}]}]}`, "cannot unmarshal string"},
		{`{"schema": 1, "variants": [{"cells": [{"average_ms": 1e999}]}]}`, "cannot unmarshal number"},
	} {
		if _, err := Read(strings.NewReader(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Read(%s) = %v, want %q", test.text, err, test.want)
		}
	}
}

func TestReadTakesNoMoreThanItsLimit(t *testing.T) {
	endless := io.MultiReader(strings.NewReader(`{"schema": 1, "mode": "`), &repeater{})
	if _, err := Read(endless); err == nil || !strings.Contains(err.Error(), "more than 64 MB") {
		t.Errorf("Read of an endless file = %v, want its limit", err)
	}
}

type repeater struct{}

func (repeater) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestAFieldOfALaterVersionDoesNoHarm(t *testing.T) {
	data := bytes.Replace(draw(t, JSON(local())), []byte(`"schema": 1,`), []byte(`"schema": 1, "novelty": {"a": [1]},`), 1)
	if _, err := Read(bytes.NewReader(data)); err != nil {
		t.Errorf("Read with a new field = %v, want no error", err)
	}
}

func FuzzWhatIsReadCanBeDrawn(f *testing.F) {
	for _, fixture := range fixtures {
		small := fixture.model()
		small.Run.PowerValues = small.Run.PowerValues[:2]
		for i := range small.Variants {
			v := &small.Variants[i]
			v.Cells = v.Cells[:min(2, len(v.Cells))]
		}
		small.Variants = small.Variants[:min(3, len(small.Variants))]
		small.Recommend()
		data, err := json.Marshal(small)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"schema":1,"mode":"aws","run":{"time":"0001-01-01T00:00:00Z","arch":"x86_64","power_values":[]},"variants":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		again := readBack(t, c)
		for _, view := range []func(*comparison.Comparison) View{JSON, CSV, Bench, Markdown, Chart, HTML, terminal} {
			if !bytes.Equal(draw(t, view(c)), draw(t, view(again))) {
				t.Fatal("a view differs when it is drawn again from its results.json")
			}
		}
		printable(t, draw(t, terminal(c)))
		wellFormed(t, draw(t, Chart(c)))
	})
}

func terminal(c *comparison.Comparison) View { return Text(c, Options{}) }

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
		page := draw(t, HTML(c))
		if got := bytes.Contains(page, []byte("<a href")); got != test.want {
			t.Errorf("%q is a link in the page: %v, want %v", test.url, got, test.want)
		}
	}
}
