package comparison

// Fit says what of a calibration was fitted to what AWS returned. The rest is as
// this machine measured it, and of what it cannot measure as it was assumed.
type Fit struct {
	CPU      bool     `json:"cpu"`
	Latency  bool     `json:"latency"`
	WakeUp   bool     `json:"wake_up"`
	S3Median Figure   `json:"s3_median"`
	Add      []string `json:"add,omitempty"` // what to measure, so that CPU and Latency are both fitted
}

// OnLambda is what a wake-up is taken to cost there, in ms of a vCPU.
func (c *Calibration) OnLambda() float64 {
	if c.Fit == nil {
		return LambdaWakeUpMS
	}
	return c.WakeUp.Value
}
