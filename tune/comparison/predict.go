package comparison

import (
	"lambda-parallel-io/handler/platform"

	"lambda-parallel-io/handler/event"
)

// Prediction is a concurrency that would keep the processor of a memory size
// busy while reads wait for S3. It is reckoned from measured figures, not
// measured itself.
type Prediction struct {
	Power       int     `json:"power"`           // MB
	Concurrency int     `json:"concurrency"`     // event.DefaultConcurrency to event.MaxConcurrency
	CPUPerRead  float64 `json:"cpu_ms_per_read"` // of the cell that it is reckoned from
}

// Predict sets Predictions, one for each memory size at which a bounded
// variant was measured: 3 x (latency + wait) x CPU share / CPU per read, of the
// fastest one, where S3 grants so many reads. As many reads can wait while one
// computes as its latency is longer than its computation, and a read that comes
// back while the quota is used up waits for the next period. The factor of 3 is
// chosen: it keeps some at hand where latencies have a long tail, and the CPU per
// read falls by a third once enough of them come back together. Below the
// function's own default it rises: 1,000 reads at 128 MB took 13 s with 10 at once,
// 9 s with 30 or 60. A run on AWS has no CPU figures, and so no predictions.
func (c *Comparison) Predict() {
	c.Predictions = nil
	for _, power := range c.Run.PowerValues {
		fastest := Least(c, c.Variants, func(v Result) *Cell {
			if !v.Bounded() {
				return nil
			}
			return v.Cell(power)
		}, Duration)
		cell := fastest.Cell(power)
		if cell == nil || cell.CPUShare == nil || c.Run.Repeat == 0 || c.Run.LatencyMeanMS == 0 {
			continue
		}
		perRead := cell.CPUShare.Used * Median(cell.DurationsMS) / float64(c.Run.Repeat)
		if !(perRead > 0) {
			continue // there is no figure of CPU
		}
		all := c.Run.VCPUs(float64(c.Run.CPUs))
		share := min(cell.CPUShare.Target, all)
		wait := (1 - share/all) * platform.Period.Seconds() * 1e3 / 2 // where all cores use up a period's quota at its beginning
		n := 3 * (c.Run.LatencyMeanMS + wait) * min(share/perRead, platform.GetsPerSecond/1e3)
		c.Predictions = append(c.Predictions, Prediction{power, int(max(event.DefaultConcurrency, min(n, event.MaxConcurrency))), perRead})
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
