package result

import (
	"math"

	"lambda-parallel-io/handler/event"
)

// Prediction is a concurrency that would keep the processor of a memory size
// busy while reads wait for S3. It is reckoned from measured figures, not
// measured itself.
type Prediction struct {
	Power       int     `json:"power"`           // MB
	Concurrency int     `json:"concurrency"`     // 1 to event.MaxConcurrency
	CPUPerRead  float64 `json:"cpu_ms_per_read"` // of the cell that it is reckoned from
}

// Predict sets Predictions, one for each memory size at which a bounded
// variant was measured: 2 x latency x CPU share / CPU per read. As many reads
// wait while one computes as its latency is longer than its computation; the
// factor of 2 keeps some at hand when latencies are long-tailed. A run on AWS
// has no CPU figures, and so no predictions.
func (c *Comparison) Predict() {
	c.Predictions = nil
	for _, power := range c.Run.PowerValues {
		for i := range c.Variants {
			v := &c.Variants[i]
			cell := v.Cell(power)
			if !v.bounded() || cell == nil || cell.Error != "" || cell.CPUShare == nil || c.Run.Repeat == 0 {
				continue
			}
			perRead := cell.CPUShare.Used * Median(cell.DurationsMS) / float64(c.Run.Repeat)
			share := min(cell.CPUShare.Target, float64(c.Run.CPUs))
			n := 2 * c.Run.LatencyMeanMS * share / perRead
			if math.IsNaN(n) || n <= 0 {
				break // no latency, or nothing to divide by
			}
			c.Predictions = append(c.Predictions, Prediction{power, int(max(1, min(n, event.MaxConcurrency))), perRead})
			break
		}
	}
}

// Predicted returns the prediction for a memory size, and whether there is one.
func (c *Comparison) Predicted(power int) (Prediction, bool) {
	for _, p := range c.Predictions {
		if p.Power == power {
			return p, true
		}
	}
	return Prediction{}, false
}

// bounded reports whether concurrency bounds the variant.
func (v *Variant) bounded() bool { return v.Concurrency != nil && v.Strategy != "sequential" }
