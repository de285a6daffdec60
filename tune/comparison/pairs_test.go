package comparison_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"lambda-parallel-io/tune/comparison"
)

// racing are the looks of a run that measures what is open up to 30 times.
func racing() []int { return comparison.Spec{Num: 30, ForSec: 45}.Looks() }

// A wrong decision is a sign reversed, or two variants told as equal that are
// not. Pairs are simulated whose truth is known, with a cause that both share,
// noise of their own, outliers and a machine that gets slower, in the order
// that a race has: now the one first, now the other.
func TestAtMostOneDecisionInTwentyIsWrong(t *testing.T) {
	const comparisons = 1_000
	for _, noise := range []struct{ own, outliers, drift float64 }{{0.02, 0, 0}, {0.05, 0.05, 0.002}, {0.15, 0.1, 0.01}} {
		for _, truth := range []float64{1, 1.05, 1.09, 1.11, 1.3} {
			random := rand.New(rand.NewPCG(1, 7))
			verdicts, wrong := map[comparison.Verdict]int{}, 0
			for range comparisons {
				var a, b []float64
				var r comparison.Ratio
				for _, look := range racing() {
					for k := len(a); k < look; k++ {
						common := math.Exp(0.3 * random.NormFloat64())
						turns := random.Perm(2)
						draw := func(turn int) float64 {
							x := common * math.Exp(noise.own*random.NormFloat64()+noise.drift*float64(2*k+turn))
							if random.Float64() < noise.outliers {
								x *= 1 + random.ExpFloat64()
							}
							return x
						}
						a, b = append(a, draw(turns[0])), append(b, truth*draw(turns[1]))
					}
					if r = comparison.Compare(b, a, len(racing())); r.Verdict != comparison.Open {
						break
					}
				}
				verdicts[r.Verdict]++
				if r.Verdict == comparison.Decided && (r.Low > 1) != (truth > 1) || r.Verdict == comparison.Equal && truth > 1+comparison.Zone || r.Verdict == comparison.Out {
					wrong++
				}
			}
			if wrong > comparisons*5/100 {
				t.Errorf("truth %v, noise %+v: %d of %d decisions are wrong, want 5 %% at most: %v", truth, noise, wrong, comparisons, verdicts)
			}
			if noise.own < 0.1 && truth == 1.3 && verdicts[comparison.Decided] < comparisons*9/10 {
				t.Errorf("truth %v, noise %+v: %v, want nearly all decided", truth, noise, verdicts)
			}
		}
	}
}

func TestTheIntervalIsThatOfWilcoxonsSignedRanks(t *testing.T) {
	// Six pairs are the least with an interval of 95 %, seven with one of 98.3 %:
	// there it is their range.
	for _, test := range []struct {
		ratios           []float64
		looks            int
		value, low, high float64
		verdict          comparison.Verdict
	}{
		{[]float64{1.2}, 1, 1.2, 0, 0, comparison.Open},
		{[]float64{1.2, 1.2, 1.2, 1.2, 1.2}, 1, 1.2, 0, 0, comparison.Open},
		{[]float64{1.1, 1.2, 1.2, 1.2, 1.2, 1.3}, 1, 1.2, 1.1, 1.3, comparison.Decided},
		{[]float64{1.02, 1.03, 1.03, 1.03, 1.03, 1.04}, 1, 1.03, 1.02, 1.04, comparison.Equal},
		{[]float64{0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5}, 3, 0.5, 0.5, 0.5, comparison.Decided},
		{[]float64{0.8, 1.2, 1.2, 1.2, 1.2, 1.2}, 1, 1.2, 0.8, 1.2, comparison.Open},
		{[]float64{4.1, 5}, 5, math.Sqrt(4.1 * 5), 4.1, 5, comparison.Out},
		{[]float64{3.9, 5}, 5, math.Sqrt(3.9 * 5), 0, 0, comparison.Open},
		{[]float64{3, 3, 3}, 5, 3, 3, 3, comparison.Out},
	} {
		ones := slices.Repeat([]float64{1}, 20)
		got := comparison.Compare(test.ratios, ones, test.looks)
		for what, of := range map[string][2]float64{"Value": {got.Value, test.value}, "Low": {got.Low, test.low}, "High": {got.High, test.high}} {
			if math.Abs(of[0]-of[1]) > 1e-9 {
				t.Errorf("Compare(%v, 1, %d).%s = %v, want %v", test.ratios, test.looks, what, of[0], of[1])
			}
		}
		if got.Verdict != test.verdict || len(got.Pairs) != len(test.ratios) {
			t.Errorf("Compare(%v, 1, %d) = %+v, want verdict %s of %d pairs", test.ratios, test.looks, got, test.verdict, len(test.ratios))
		}
	}
}

func TestAFixedNumberIsLookedAtOnceAndARaceThreeTimesAtMost(t *testing.T) {
	for _, test := range []struct {
		spec comparison.Spec
		want []int
	}{
		{comparison.Spec{Num: 6}, []int{6}},
		{comparison.Spec{Num: 30, ForSec: 45}, []int{8, 15, 30}},
		{comparison.Spec{Num: 9, ForSec: 45}, []int{8, 9}},
		{comparison.Spec{Num: 5, ForSec: 45}, []int{5}},
		{comparison.Spec{Num: 1000, ForSec: 45}, []int{8, 89, 1000}},
	} {
		if got := test.spec.Looks(); !slices.Equal(got, test.want) {
			t.Errorf("Looks() of %d in %v s = %v, want %v", test.spec.Num, test.spec.ForSec, got, test.want)
		}
	}
}

// Cells that were measured unequally often are compared by the rounds that
// both have: what came later had other latencies.
func TestCellsAreComparedByTheRoundsThatBothHave(t *testing.T) {
	slow := cell(512, 10, 10, 10)
	fast := cell(512, 9, 9, 9, 50, 50, 50, 50)
	failed := cell(512, 1, 1, 1)
	failed.Error = "timeout"
	itself := func(c *comparison.Cell) *comparison.Cell { return c }
	for i, cells := range [][]*comparison.Cell{{&slow, &fast}, {&fast, &slow}, {&slow, nil, &failed, &fast}} {
		if got := comparison.Least(compare(), cells, itself, comparison.Duration); got != &fast {
			t.Errorf("%d: Least() = %v, want the cell that is faster in the rounds that both have", i, got)
		}
	}
	if got := comparison.Least(compare(), []*comparison.Cell{nil, &failed}, itself, comparison.Duration); got != nil {
		t.Errorf("Least() of nothing measured = %v, want nil", got)
	}
}
