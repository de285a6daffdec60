package powertuning

import (
	"math"
	"testing"

	"lambda-parallel-io/handler/platform"
)

func TestComputeCostIsTheListPrice(t *testing.T) {
	for arch, want := range map[string]float64{platform.ARM64: 0.0000133334, platform.X8664: 0.0000166667} {
		if got := platform.ComputeCost(arch, 1024, 1000); !near(got, want) {
			t.Errorf("platform.ComputeCost(%s, a GB-second) = %g, want %g", arch, got, want)
		}
		if got := platform.ComputeCost(arch, 128, 45); !near(got, want/8*0.045) {
			t.Errorf("platform.ComputeCost(%s, 128 MB, 45 ms) = %g, want %g", arch, got, want/8*0.045)
		}
	}
	if got := platform.ComputeCost("riscv", 1024, 1000); !math.IsNaN(got) {
		t.Errorf("platform.ComputeCost(riscv) = %g, want NaN", got)
	}
}

// The comment of baseCosts states these percentages.
func TestTheToolsPricesAreRounded(t *testing.T) {
	for arch, percent := range map[string]float64{platform.ARM64: 2.0, platform.X8664: 0.8} {
		above := 100 * (Price(BaseCost(platform.PricesRegion, arch), 1024, 1000)/platform.ComputeCost(arch, 1024, 1000) - 1)
		if math.Abs(above-percent) > 0.05 {
			t.Errorf("%s: the tool is %.2f %% above the list, want %.1f", arch, above, percent)
		}
	}
}

func TestBilledFromPriceUndoesPrice(t *testing.T) {
	for _, region := range []string{"us-east-1", "eu-south-1", "cn-north-1"} {
		for _, arch := range []string{platform.ARM64, platform.X8664} {
			for _, mb := range []int{128, 1769, 3008, 10_240} {
				for _, ms := range []float64{1, 7, 45, 9101, 900_000} {
					if got := BilledFromPrice(region, arch, mb, Price(BaseCost(region, arch), mb, ms)); got != ms {
						t.Errorf("BilledFromPrice(%s, %s, %d, the price of %g ms) = %v", region, arch, mb, ms, got)
					}
				}
			}
		}
	}
	if got := BilledFromPrice("us-east-1", "riscv", 128, 1); !math.IsNaN(got) {
		t.Errorf("BilledFromPrice of no architecture = %v, want NaN", got)
	}
}
