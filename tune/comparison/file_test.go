package comparison_test

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"lambda-parallel-io/tune/comparison"
)

// measured is a local run of 4 variants x 6 sizes, whole: one that the report
// is tested with.
func measured(t *testing.T) *comparison.Comparison {
	t.Helper()
	f, err := os.Open("../report/testdata/local/results.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := comparison.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, c *comparison.Comparison) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadRefusesWhatNoRunWrote(t *testing.T) {
	large := strings.Repeat("x", 16<<10+1)
	for _, test := range []struct {
		name  string
		spoil func(*comparison.Comparison)
		want  string
	}{
		{"mode", func(c *comparison.Comparison) { c.Mode = "moon" }, `mode must be local, or aws with a state machine, got "moon"`},
		{"schema", func(c *comparison.Comparison) { c.Schema = 2 }, "schema 2: this version reads schema 1"},
		{"arch", func(c *comparison.Comparison) { c.Run.Arch = "riscv" }, `arch "riscv": it must be arm64 or x86_64`},
		{"order of sizes", func(c *comparison.Comparison) { c.Run.PowerValues = []int{512, 128} }, "run: power [512 128]: it must be in ascending order"},
		{"size", func(c *comparison.Comparison) { c.Run.PowerValues = []int{64} }, "run: power 64: it must be a whole number from 128 to 10240"},
		{"unknown size of a cell", func(c *comparison.Comparison) { c.Variants[1].Cells[0].Power = 200 }, "variant 2: cell of 200 MB: the cells must be of the run's power values"},
		{"the same cell twice", func(c *comparison.Comparison) { c.Variants[0].Cells[1].Power = 128 }, "variant 1: cell of 128 MB"},
		{"huge duration", func(c *comparison.Comparison) { c.Variants[0].Cells[0].DurationsMS[2] = 1e300 }, "variants: cells: duration 1e+300: it must be from 1e-06 to 3.6e+06"},
		{"negative duration", func(c *comparison.Comparison) { c.Variants[0].Cells[0].DurationsMS[2] = -1 }, "duration -1: it must be from"},
		{"no duration at all", func(c *comparison.Comparison) { c.Variants[0].Cells[0].DurationsMS[2] = 0 }, "duration 0: it must be from"},
		{"billed", func(c *comparison.Comparison) { c.Variants[0].Cells[0].BilledMS = []int{1} }, "6 durations and 1 billed durations: there must be as many"},
		{"stats", func(c *comparison.Comparison) { c.Variants[0].Tuning.Stats[0].AverageDuration = -1 }, "stats: averageDuration -1: it must be from 0 to"},
		{"variants", func(c *comparison.Comparison) { c.Variants = make([]comparison.Result, 1000) }, "1000 variants x 6 sizes: there can be 256"},
		{"strategy", func(c *comparison.Comparison) { c.Variants[0].Strategy = "" }, "strategies has a name of 0 bytes: it must be 1 to"},
		{"error", func(c *comparison.Comparison) { c.Variants[0].Error = large }, "length of error 16385: it must be a whole number from 0 to"},
		{"function", func(c *comparison.Comparison) { c.Run.Function = large }, "run: length of function 16385: it must be a whole number from 0 to"},
		{"payload", func(c *comparison.Comparison) { c.Variants[0].Payload = []byte(`"` + strings.Repeat("x", 6<<20) + `"`) }, "payload of sequential has 6291458 bytes: Lambda takes 6291456 at most"},
		{"starved", func(c *comparison.Comparison) { c.Variants[0].Cells[0].CPUShare.Starved = -1 }, "cpu_share: starved -1: it must be from 0 to"},
		{"cpu", func(c *comparison.Comparison) { c.Run.CPU = &comparison.CPU{Factor: 30} }, "run: cpu: factor 30: it must be from 0.1 to 20"},
		{"cpu low", func(c *comparison.Comparison) { c.Run.CPU = &comparison.CPU{Factor: 1, Low: 2, High: 3} }, "cpu: low 2: it must be from 0 to 1"},
		{"cpu high", func(c *comparison.Comparison) { c.Run.CPU = &comparison.CPU{Factor: 2, Low: 2, High: 1} }, "cpu: high 1: it must be from 2 to 20"},
		{"cpu scale", func(c *comparison.Comparison) { c.Run.CPU = &comparison.CPU{Factor: 2, Scale: 21} }, "cpu: scale 21: it must be from 0 to 20"},
		{"slow", func(c *comparison.Comparison) { c.Run.Slow = 21 }, "slow 21: it must be a whole number from 0 to 20"},
		{"a point that costs nothing", func(c *comparison.Comparison) {
			c.Map, c.Calibration = &comparison.Map{Points: []comparison.Point{{Place: comparison.Place{Strategy: "pool", Power: 512}, DurationMS: 1, HighMS: 1}}}, &comparison.Calibration{Reads: make([]comparison.StrategyCost, 1)}
		}, "cost_per_million 0: it must be from 1e-06"},
		{"a map without its calibration", func(c *comparison.Comparison) {
			c.Map, c.Variants, c.Recommendation = &comparison.Map{Points: make([]comparison.Point, 1)}, nil, nil
		}, "calibration is missing: the map was computed from one"},
		{"recommendation", func(c *comparison.Comparison) { c.Recommendation.Power = 513 }, "the recommendation names no cell that was measured"},
		{"recommendation of a failure", func(c *comparison.Comparison) { cell := c.Recommended(); cell.Error = "x" }, "the recommendation names no cell that was measured"},
	} {
		c := measured(t)
		test.spoil(c)
		_, err := comparison.Read(bytes.NewReader(write(t, c)))
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
		if _, err := comparison.Read(strings.NewReader(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Read(%s) = %v, want %q", test.text, err, test.want)
		}
	}
}

func TestReadTakesNoMoreThanItsLimit(t *testing.T) {
	endless := io.MultiReader(strings.NewReader(`{"schema": 1, "mode": "`), &repeater{})
	if _, err := comparison.Read(endless); err == nil || !strings.Contains(err.Error(), "more than 256 MB") {
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

func TestReadTakesAFileWithAByteOrderMark(t *testing.T) {
	data := append([]byte("\ufeff"), write(t, measured(t))...)
	if _, err := comparison.Read(bytes.NewReader(data)); err != nil {
		t.Errorf("Read after a byte order mark = %v, want no error", err)
	}
}

func TestAFieldOfALaterVersionDoesNoHarm(t *testing.T) {
	data := bytes.Replace(write(t, measured(t)), []byte(`"schema": 1,`), []byte(`"schema": 1, "novelty": {"a": [1]},`), 1)
	if _, err := comparison.Read(bytes.NewReader(data)); err != nil {
		t.Errorf("Read with a new field = %v, want no error", err)
	}
}
