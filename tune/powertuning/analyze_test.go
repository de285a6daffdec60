package powertuning

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lambda-parallel-io/handler/platform"
)

func equal(a, b []int) bool { return slices.Equal(a, b) }

func sameOutput(got, want Output) bool {
	return got.Power == want.Power && near(got.Cost, want.Cost) && near(got.Duration, want.Duration) &&
		got.StateMachine.ExecutionCost == want.StateMachine.ExecutionCost &&
		near(got.StateMachine.LambdaCost, want.StateMachine.LambdaCost) &&
		got.StateMachine.Visualization == want.StateMachine.Visualization &&
		slices.EqualFunc(got.Stats, want.Stats, func(a, b Stat) bool {
			return a.Value == b.Value && near(a.AveragePrice, b.AveragePrice) && near(a.AverageDuration, b.AverageDuration)
		})
}

func TestAnalyzerAsTheTool(t *testing.T) {
	for _, c := range load(t).Analyzer {
		var all []summary
		for _, s := range c.Input.Stats {
			if s == nil { // an executor that gave nothing
				all = append(all, summary{})
				continue
			}
			value, err := strconv.Atoi(fmt.Sprint(s.Value))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, summary{Stat{value, s.AveragePrice, s.AverageDuration}, s.TotalCost})
		}
		goal := Input{Strategy: c.Input.Strategy, BalancedWeight: c.Input.BalancedWeight}.Goal()
		got, err := analyze(goal, "us-east-1", all)
		if c.Error != "" { // of a strategy that there is not: it is refused where it is read
			if in, err := ParseInput(fmt.Appendf(nil, `{"strategy": %q}`, c.Input.Strategy)); err == nil {
				t.Errorf("%s: ParseInput = %+v, want an error", c.Name, in)
			}
			continue
		}
		if !c.Input.IncludeOutputResults {
			got.Stats = nil
		}
		want, decodeErr := ParseOutput(c.Output)
		if decodeErr != nil {
			t.Fatalf("%s: %v", c.Name, decodeErr)
		}
		if err != nil || !sameOutput(got, want) {
			t.Errorf("%s: analyze = %+v, %v, want %+v", c.Name, got, err, want)
		}
	}
}

func TestExecutorAsTheTool(t *testing.T) {
	for _, c := range load(t).Executor {
		in, err := ParseInput(c.Input.Event.Input)
		if strings.Contains(c.Error, "ARN") {
			if err == nil {
				t.Errorf("%s: ParseInput = %+v, want an error", c.Name, in)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		if len(c.Input.LogsReturnedInOrder) == 0 {
			continue // a JSON log
		}
		for _, w := range c.InvokedWith {
			if got := string(in.Event()); got != w.Payload {
				t.Errorf("%s: event %s, want %s", c.Name, got, w.Payload)
			}
		}
		m := Measured{Value: c.Input.Event.Value}
		for _, log := range c.Input.LogsReturnedInOrder {
			_, line, _ := strings.Cut(log, "REPORT ")
			m.DurationsMS = append(m.DurationsMS, figure(t, line, "\tDuration: ")+figure(t, line, "\tInit Duration: "))
			m.BilledMS = append(m.BilledMS, int(figure(t, line, "\tBilled Duration: ")))
		}
		region := strings.Split(in.LambdaARN, ":")[3]
		out, err := Analyze(in.Goal(), region, c.Input.Architecture, []Measured{m})
		if err != nil || len(out.Stats) != 1 {
			t.Fatalf("%s: Analyze = %+v, %v, want one stat", c.Name, out, err)
		}
		got := out.Stats[0]
		if got.Value != c.Output.Value || !near(got.AveragePrice, c.Output.AveragePrice) ||
			!near(got.AverageDuration, c.Output.AverageDuration) || !near(out.StateMachine.LambdaCost, c.Output.TotalCost) {
			t.Errorf("%s: Analyze = %+v, total %v, want %+v", c.Name, got, out.StateMachine.LambdaCost, c.Output)
		}
		billed := TrimmedMean(floats(m.BilledMS), in.Goal().DiscardTopBottom)
		if back := BilledFromPrice(region, c.Input.Architecture, m.Value, got.AveragePrice); back != math.Ceil(billed) {
			t.Errorf("%s: BilledFromPrice(%v) = %v, want %v rounded up", c.Name, got.AveragePrice, back, billed)
		}
	}
}

// figure reads a figure out of a REPORT line, 0 where it has none of the name.
func figure(t *testing.T, line, name string) (f float64) {
	t.Helper()
	if _, after, ok := strings.Cut(line, name); ok {
		if _, err := fmt.Sscan(after, &f); err != nil {
			t.Fatalf("%s in %q: %v", name, line, err)
		}
	}
	return f
}

func floats(ints []int) []float64 {
	f := make([]float64, len(ints))
	for i, n := range ints {
		f[i] = float64(n)
	}
	return f
}

func run(mb int, ms float64, billed int) Measured {
	return Measured{mb, []float64{ms}, []int{billed}}
}

// Of cells with the same figures the tool takes the one whose power value
// was given first, and draws them by size all the same.
func TestEqualsGoToTheFirstGiven(t *testing.T) {
	for _, strategy := range []string{Cost, Speed, Balanced} {
		out, err := Analyze(Goal{Strategy: strategy}, "us-east-1", platform.ARM64, []Measured{run(1024, 50, 100), run(512, 50, 200)})
		if err != nil || out.Power != 1024 || out.Stats[0].Value != 512 {
			t.Errorf("%s: Analyze = %+v, %v, want 1024 chosen and 512 drawn first", strategy, out, err)
		}
	}
}

func TestTiesAreBrokenByTheOtherFigure(t *testing.T) {
	runs := []Measured{run(1024, 60, 100), run(512, 50, 200), run(256, 50, 100)}
	for strategy, want := range map[string]int{Cost: 256, Speed: 256} {
		if out, err := Analyze(Goal{Strategy: strategy}, "us-east-1", platform.ARM64, runs); err != nil || out.Power != want {
			t.Errorf("%s: power %d, %v, want %d", strategy, out.Power, err, want)
		}
	}
	runs = []Measured{run(1024, 60, 100), run(512, 50, 200)} // one price
	if out, err := Analyze(Goal{Strategy: Cost}, "us-east-1", platform.ARM64, runs); err != nil || out.Power != 512 {
		t.Errorf("equal cost: power %d, %v, want the faster 512", out.Power, err)
	}
	runs = []Measured{run(1024, 50, 50), run(512, 50, 50)} // one duration
	if out, err := Analyze(Goal{Strategy: Speed}, "us-east-1", platform.ARM64, runs); err != nil || out.Power != 512 {
		t.Errorf("equal speed: power %d, %v, want the cheaper 512", out.Power, err)
	}
}

func TestAFailedPowerValueIsPaidForAndNotDrawn(t *testing.T) {
	out, err := Analyze(Input{}.Goal(), "us-east-1", platform.ARM64, []Measured{run(512, 10, 10), {Value: 128}})
	if err != nil || len(out.Stats) != 1 || out.StateMachine.ExecutionCost != ExecutionCost("us-east-1", 2, 0) {
		t.Errorf("Analyze = %+v, %v, want one stat and the cost of two power values", out, err)
	}
}

func TestWhereNothingHasADurationThereIsNothingToChoose(t *testing.T) {
	for name, runs := range map[string][]Measured{
		"nothing":      nil,
		"no durations": {{Value: 512}},
		"all zero":     {run(512, 0, 0)},
	} {
		if out, err := Analyze(Goal{}, "us-east-1", platform.ARM64, runs); !errors.Is(err, ErrNoDurations) {
			t.Errorf("%s: Analyze = %+v, %v, want ErrNoDurations", name, out, err)
		}
	}
}

// Where nothing was billed, the answer is still one that JSON can hold.
func TestFreeRunsHaveAnAnswer(t *testing.T) {
	for _, weight := range []float64{0, 0.5, 1} {
		goal := Goal{Balanced, weight, MaxDiscardTopBottom}
		out, err := Analyze(goal, "us-east-1", platform.ARM64, []Measured{run(512, 10, 0), run(1024, 5, 0)})
		if err != nil {
			t.Errorf("Analyze(%v) = %v, want an answer", goal, err)
		}
		if _, err := json.Marshal(out); err != nil {
			t.Errorf("Analyze(%v) = %+v: %v", goal, out, err)
		}
	}
}

func TestAnalyzeLeavesTheRunsAsTheyAre(t *testing.T) {
	m := Measured{512, []float64{3, 1, 2}, []int{30, 10, 20}}
	if _, err := Analyze(Goal{}, "us-east-1", platform.ARM64, []Measured{m}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.DurationsMS, []float64{3, 1, 2}) || !slices.Equal(m.BilledMS, []int{30, 10, 20}) {
		t.Errorf("Analyze changed its runs to %+v", m)
	}
}
