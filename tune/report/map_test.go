package report

import (
	"bytes"
	"html"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
)

// computed is a map of a fixed calibration. It takes seconds, so it is made once.
func computed() *comparison.Comparison {
	c, err := comparison.Read(bytes.NewReader(onceComputed()))
	if err != nil {
		panic(err)
	}
	return c
}

var onceComputed = sync.OnceValue(func() []byte { return raw(calibrated()) })

// calibrated is that map with four checks: two agree, one disagrees and one was
// not made.
func calibrated() *comparison.Comparison {
	spec, err := comparison.Build(comparison.Request{Ours: true, Map: true,
		Spec: comparison.Spec{ObjectKey: "sample.json", ObjectBytes: 9_374, Region: "us-east-1", Latency: "apg", LatencyMeanMS: 15.76, Seed: 1, Function: "./handler"}})
	if err != nil {
		panic(err)
	}
	c := comparison.New(spec, time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	c.Run.OS, c.Run.CPUs, c.Run.CPU = "linux/amd64", 2, &comparison.CPU{Factor: 1.04, Low: 1, High: 1.08, Source: "measured"}
	c.Run.Versions = map[string]string{"go": "go1.26"}
	figure := func(v, spread float64, unit string) comparison.Figure {
		return comparison.Figure{Value: v, Low: v * (1 - spread), High: v * (1 + spread), Unit: unit}
	}
	c.Calibration = &comparison.Calibration{
		Source: "this machine",
		Reads: []comparison.StrategyCost{{Strategy: "pool", CPU: figure(0.29, 0.03, "ms")}, {Strategy: "semaphore", CPU: figure(0.31, 0.03, "ms")},
			{Strategy: "unbounded", CPU: figure(0.33, 0.03, "ms")}, {Strategy: "sequential", CPU: figure(0.29, 0.03, "ms")}},
		WakeUp: figure(0.11, 0.1, "ms"), Handshake: figure(1.4, 0.1, "ms"), Late: figure(0.3, 0.1, "ms"), Core: figure(1.04, 0.05, "vCPUs"),
		Crowd: []comparison.CrowdCost{{InFlight: 60, CPU: comparison.Figure{Unit: "ms"}}, {InFlight: 120, CPU: figure(0.01, 0.2, "ms")},
			{InFlight: 240, CPU: figure(0.03, 0.2, "ms")}, {InFlight: 900, CPU: figure(0.07, 0.2, "ms")}},
		ObjectBytes: 9_374, BaseMB: 25, ReadMB: 0.06, WaitingMB: 0.05, Loads: 11, Seconds: 11,
	}
	if err := compute.Map(c, compute.Sizes); err != nil {
		panic(err)
	}
	c.Map.Seconds = 2
	for i, k := range compute.Checks(c) {
		at := c.Map.At(k.Place).DurationMS * float64(k.Repeat) / float64(c.Run.Repeat)
		k.ComputedMS, k.LowMS, k.HighMS, k.Slow, k.Starved = at, 0.97*at, 1.03*at, 1+i, 0.1
		k.MeasuredMS = at * map[string]float64{"answer": 1.02, "rival": 0.96, "processor": 1.3}[k.Why]
		if k.MeasuredMS == 0 {
			k.LowMS, k.HighMS, k.ComputedMS, k.Slow, k.Unchecked = 0, 0, 0, 0, "it would take 18 s in slow motion"
		}
		c.Checks = append(c.Checks, k)
	}
	c.Recommend()
	return c
}

func TestACheckThatContradictsTheMapSaysWhatToDistrustAndOffersToMeasure(t *testing.T) {
	for why, step := range map[string]string{"answer": "the calibration", "rival": "the calibration",
		"processor": "the CPU time of a read", "sequential": "S3's latency as this machine keeps it"} {
		c := computed()
		c.Checks = c.Checks[:1]
		k := &c.Checks[0]
		k.Why, k.MeasuredMS = why, 1.09*k.HighMS
		if c.Recommend(); len(c.Warnings) > 0 {
			t.Errorf("%s, 9 %% beyond the interval: the run warns %q", why, c.Warnings[0].Text)
		}
		k.MeasuredMS = 1.2 * k.HighMS
		c.Recommend()
		if len(c.Warnings) != 1 || c.Warnings[0].Kind != "check" || c.Warnings[0].Cells[0].Name() != k.Name() {
			t.Fatalf("%s, 20 %% beyond the interval: the warnings are %+v, want one of the kind check, of %s", why, c.Warnings, k.Name())
		}
		for view, text := range forPeople(t, c) {
			if view == "chart.svg" {
				continue
			}
			for _, want := range []string{"up to 20 % beyond", k.Name(), "Distrust " + step, "go run ./tune --measure"} {
				if !strings.Contains(html.UnescapeString(text), want) {
					t.Errorf("%s, 20 %% beyond the interval: %s does not say %q", why, view, want)
				}
			}
		}
		k.Unchecked = "its threads waited for 1.2 cores of this machine"
		c.Recommend()
		if text := oneSpaced(terminal(t, c, "")); len(c.Warnings) > 0 || !strings.Contains(text, k.Name()+" is unchecked: its threads waited for 1.2 cores") {
			t.Errorf("%s, by a machine that did not keep up: the run warns %+v, or does not say that it is unchecked:\n%s", why, c.Warnings, text)
		}
	}
}

func TestTheNextSizeUpIsNeverReadOneByOne(t *testing.T) {
	c := computed()
	c.Run.Variants = slices.DeleteFunc(c.Run.Variants, func(v comparison.Variant) bool { return v.Strategy == "pool" || v.Strategy == "semaphore" })
	c.Variants = slices.DeleteFunc(c.Variants, func(v comparison.Result) bool { return v.Strategy == "pool" || v.Strategy == "semaphore" })
	c.Checks = nil
	if err := compute.Map(c, compute.Sizes); err != nil {
		t.Fatal(err)
	}
	c.Recommend()
	for view, text := range forPeople(t, c) {
		if strings.Contains(strings.ToLower(text), "next size up") || strings.Contains(text, ", sequential at ") {
			t.Errorf("S3's limit stops unbounded at the next size, and %s names sequential there: %v", view, c.Map.Answer.Larger)
		}
	}
	if a := c.Map.Answer; a.Strategy != "unbounded" || a.Smaller == nil {
		t.Errorf("the answer is %s and the next size down %v, want unbounded and one of it", a.Name(), a.Smaller)
	}
}

func TestTheHeaderSaysWhereAWakeUpCostsMoreThanIsAssumedOfLambda(t *testing.T) {
	for ms, want := range map[float64]bool{2.1 * comparison.LambdaWakeUpMS: true, 1.9 * comparison.LambdaWakeUpMS: false} {
		c := computed()
		c.Calibration.WakeUp.Value = ms
		if got := strings.Contains(oneSpaced(terminal(t, c, "")), "where Lambda's is assumed to be 0.05"); got != want {
			t.Errorf("a wake-up of %g ms: the header names the assumption: %v, want %v", ms, got, want)
		}
	}
}

func TestAnotherQuestionSaysThatNothingOfItWasMeasured(t *testing.T) {
	c := computed()
	c.Checks = nil
	if text := oneSpaced(terminal(t, c, "")); !strings.Contains(text, "checked 0 cells no cell of this map was measured") || strings.Contains(text, "*") {
		t.Errorf("without checks the text is\n%s", text)
	}
}

func TestAnAnswerThatWasNotCheckedSaysSoAndWhy(t *testing.T) {
	c := computed()
	for i := range c.Checks {
		c.Checks[i].MeasuredMS, c.Checks[i].Unchecked = 0, "there was no time"
	}
	text := oneSpaced(terminal(t, c, ""))
	if !strings.Contains(text, "This setting was not checked: there was no time. Close other programs") || strings.Count(text, "there was no time") != 2 {
		t.Errorf("it is not said once of the answer and once of all checks:\n%s", text)
	}
	c.Checks[0].Unchecked = ""
	if text := oneSpaced(terminal(t, c, "")); !strings.Contains(text, "This setting was not checked: the run was stopped. ") || strings.Contains(text, "Close other programs") {
		t.Errorf("of a run that was stopped it does not say so alone:\n%s", text)
	}
	if text := oneSpaced(terminal(t, computed(), "")); strings.Contains(text, "was not checked") {
		t.Errorf("an answer that was checked is called unchecked:\n%s", text)
	}
}

func TestASettingNamesThePayloadsStrategyWhereItIsNotTheDefault(t *testing.T) {
	for strategy, lines := range map[string]string{
		"pool":      "pulumi config set maxWorkers 160 pulumi up report",
		"semaphore": `pulumi config set maxWorkers 160 pulumi up and in the payload {"strategy": "semaphore"} report`,
		"unbounded": `pulumi config set memorySize 3072 pulumi up and in the payload {"strategy": "unbounded"} report`,
	} {
		c := computed()
		a := c.Map.Answer
		if a.Strategy = strategy; strategy == "unbounded" {
			a.Concurrency = nil
		}
		if text := oneSpaced(terminal(t, c, "x/report.html")); !strings.Contains(text, lines) {
			t.Errorf("for %s the text lacks %q:\n%s", strategy, lines, text)
		}
	}
}

func TestTheMapIsDrawnWithATitleOnEachPointAndItsChecksRinged(t *testing.T) {
	figures := New(computed()).Heat()
	if len(figures) != 2 {
		t.Fatalf("there are %d heat maps, want one of time and one of cost", len(figures))
	}
	for _, f := range figures {
		if len(f.Tiles) != len(compute.Sizes)*len(compute.Concurrencies) || f.Ring == nil || len(f.Frontier) != len(compute.Sizes) {
			t.Errorf("%s: %d tiles, a path of %d points, ringed: %v", f.ID, len(f.Tiles), len(f.Frontier), f.Ring != nil)
		}
		var svg strings.Builder
		if err := templates.ExecuteTemplate(&svg, "figure", f); err != nil {
			t.Fatal(err)
		}
		if text := svg.String(); strings.Count(text, "<title>") != len(f.Tiles) || strings.Contains(text, "<title></title>") || strings.Contains(text, "NaN") {
			t.Errorf("%s: a tile has no title or no place in\n%s", f.ID, text)
		}
	}
	if k := figures[0].Checks; len(k) != 2 || k[0].Text != "208" || k[1].Text != "369" {
		t.Errorf("ringed are %+v, want what was measured of pool, 208 and 369", k)
	}
}

func TestDataFilesTellComputedFromMeasured(t *testing.T) {
	c := computed()
	kinds := map[string]int{}
	for line := range strings.Lines(string(draw(t, c, file("results.csv")))) {
		kinds[strings.Split(line, ",")[3]]++
	}
	if kinds["computed"] != len(c.Map.Points) || kinds["check"] != 3 || len(kinds) != 3 { // and the header
		t.Errorf("results.csv has the kinds %v, want %d computed and 3 checks", kinds, len(c.Map.Points))
	}
	if n := strings.Count(string(draw(t, c, file("results.txt"))), "ns/op"); n != 3 {
		t.Errorf("results.txt has %d results, want the 3 checks", n)
	}
}

func TestWithoutAStrategyTheAnswerIsASize(t *testing.T) {
	c := few()
	c.Variants = c.Variants[2:3]
	c.Variants[0].Strategy, c.Variants[0].Concurrency = comparison.None, nil
	c.Recommend()
	for view, text := range forPeople(t, c) {
		if !strings.Contains(text, "Use 1,769 MB") || strings.Contains(text, " none ") {
			t.Errorf("%s does not say to use a size, or names a strategy: %.400s", view, text)
		}
	}
}
