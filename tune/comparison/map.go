package comparison

import (
	"cmp"
	"math"
	"slices"

	"lambda-parallel-io/tune/simulate"
)

const (
	// LambdaWakeUpMS is the assumed cost of a wake-up on Lambda, in ms of a vCPU. Nobody has published it. It is next to
	// nothing on a machine without nested virtualization, and 0.2 with it.
	LambdaWakeUpMS, DearWakeUpMS = 0.05, 0.2

	Timeout   = "timeout" // the bottleneck of a point that lasts at least as long as the function may
	Near      = 0.05      // how much slower than the fastest of its size a smaller concurrency may be, to be preferred
	tolerance = 0.10      // how far a measured time may be outside the computed interval before a warning
)

// Figure is a measured value with its interval, which is at least as wide as the spread of its rounds.
type Figure struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Unit  string  `json:"unit"` // ms, MB, or vCPUs
}

// Calibration is what a read costs, measured with this project's function on this machine or fitted to what AWS
// returned. CPU time is in ms of one Lambda vCPU.
type Calibration struct {
	Source    string         `json:"source"`    // this machine, or what it was fitted to
	Reads     []StrategyCost `json:"reads"`     // CPU time of a read, without WakeUp and Crowd
	WakeUp    Figure         `json:"wake_up"`   // CPU time
	Handshake Figure         `json:"handshake"` // CPU time of a new connection
	Crowd     []CrowdCost    `json:"crowd"`     // in ascending order of InFlight
	Late      Figure         `json:"late"`      // delay of the local S3's answer beyond its latency
	Core      Figure         `json:"core"`      // vCPUs per core of this machine

	ObjectBytes int     `json:"object_bytes"`
	BaseMB      float64 `json:"base_mb"`    // memory of the process without reads
	ReadMB      float64 `json:"read_mb"`    // memory of a read in flight
	WaitingMB   float64 `json:"waiting_mb"` // memory of a read that waits for a connection
	Loads       int     `json:"loads"`      // measured calls, or cells that it was fitted to
	Seconds     float64 `json:"seconds"`    // time taken
	Fit         *Fit    `json:"fit,omitempty"`
}

// Fit says which figures of a calibration were fitted to what AWS returned. The others are measured here or assumed.
type Fit struct {
	CPU      bool     `json:"cpu"`
	Latency  bool     `json:"latency"`
	WakeUp   bool     `json:"wake_up"`
	S3Median Figure   `json:"s3_median"`
	Add      []string `json:"add,omitempty"` // cells to measure so that both CPU and Latency can be fitted
}

// OnLambda returns Lambda's cost of a wake-up, fitted or assumed, in ms of a vCPU.
func (c *Calibration) OnLambda() float64 {
	if c.Fit == nil {
		return LambdaWakeUpMS
	}
	return c.WakeUp.Value
}

// StrategyCost is the CPU time of a read by a strategy.
type StrategyCost struct {
	Strategy string `json:"strategy"`
	CPU      Figure `json:"cpu"`
}

// CrowdCost is the additional CPU time of a read with so many in flight.
type CrowdCost struct {
	InFlight int    `json:"in_flight"`
	CPU      Figure `json:"cpu"`
}

// CPU returns the CPU time of a read by a strategy, or the first strategy's if it was not measured.
func (c *Calibration) CPU(strategy string) Figure {
	i := slices.IndexFunc(c.Reads, func(r StrategyCost) bool { return r.Strategy == strategy })
	return c.Reads[max(i, 0)].CPU
}

// Map is what was computed: every strategy at every concurrency and memory size.
type Map struct {
	WakeUpMS float64 `json:"wake_up_ms"` // of Lambda, assumed or fitted
	Draws    int     `json:"draws"`      // number of latency draws, the same for every point
	Seconds  float64 `json:"seconds"`    // time taken
	Points   []Point `json:"points"`
	Answer   *Answer `json:"answer"` // null if no point can be recommended
}

// Point is one setting, computed.
type Point struct {
	Place
	DurationMS     float64 `json:"duration_ms"` // median over the draws, without S3's burst if S3's limit is the bottleneck
	LowMS          float64 `json:"low_ms"`      // the calibration's interval
	HighMS         float64 `json:"high_ms"`
	P10MS          float64 `json:"p10_ms"` // percentiles over the draws
	P90MS          float64 `json:"p90_ms"`
	CostPerMillion float64 `json:"cost_per_million"` // dollars, compute and requests
	Binds          string  `json:"binds"`            // processor (the CPU), s3 latency, s3 limit, bandwidth, connections, memory or timeout
	CPUMS          float64 `json:"cpu_ms"`
	PeakMB         float64 `json:"peak_mb"`
}

// Limited reports whether S3's limit is the bottleneck. Then the time depends on S3's burst, which is not published.
func (p Point) Limited() bool { return p.Binds == simulate.Limit }

// Killed reports whether Lambda would end the invocation: out of memory, or at its timeout.
func (p Point) Killed() bool { return p.Binds == simulate.Memory || p.Binds == Timeout }

// Usable reports whether the point can be recommended.
func (p Point) Usable() bool { return !p.Limited() && !p.Killed() }

// Product is cost x duration, by which settings are recommended.
func (p Point) Product() float64 { return p.CostPerMillion * p.DurationMS }

// Answer is the setting to use, and what would change it.
type Answer struct {
	Point
	Sequential   *Point `json:"sequential,omitempty"`    // one by one at the same size
	Default      *Point `json:"default,omitempty"`       // the same strategy and size at the function's default concurrency
	Smaller      *Point `json:"smaller,omitempty"`       // the best concurrent point of the next smaller size, if any is usable
	Larger       *Point `json:"larger,omitempty"`        // the same of the next larger size
	SmallAccount *Point `json:"small_account,omitempty"` // for a new account, if the answer is above its 3,008 MB
	FreeWakeUps  *Point `json:"free_wake_ups,omitempty"` // if a wake-up cost nothing; null if that changes no size
	DearWakeUps  *Point `json:"dear_wake_ups,omitempty"` // if it cost DearWakeUpMS; likewise
}

// Check is a point of the map that was measured, on this machine or on AWS.
type Check struct {
	Place
	Repeat     int     `json:"repeat"`
	ComputedMS float64 `json:"computed_ms"` // for the machine and the latencies of the measurement
	LowMS      float64 `json:"low_ms"`      // the calibration's interval
	HighMS     float64 `json:"high_ms"`
	MeasuredMS float64 `json:"measured_ms"` // 0 if not measured
	Slow       int     `json:"slow,omitempty"`
	Starved    float64 `json:"starved"`              // cores that its threads waited for
	Execution  string  `json:"execution,omitempty"`  // on AWS, until all are measured: its ARN
	AssumedMS  float64 `json:"assumed_ms,omitempty"` // on AWS: computed before the fit
	Why        string  `json:"why"`                  // answer, rival, processor, sequential or fit
	Unchecked  string  `json:"unchecked,omitempty"`  // why there is no result to trust
}

// off returns how far the measured time is outside the computed interval, as a share of its nearest end.
func (k Check) off() float64 {
	if nearest := min(max(k.MeasuredMS, k.LowMS), k.HighMS); nearest > 0 && k.Made() {
		return math.Abs(k.MeasuredMS/nearest - 1)
	}
	return 0
}

// Made reports whether the check was measured, and the machine kept up with it.
func (k Check) Made() bool { return k.MeasuredMS > 0 && k.ComputedMS > 0 && k.Unchecked == "" }

// Far reports whether the check contradicts the map.
func (k Check) Far() bool { return k.off() > tolerance }

// At returns the map's point of a setting, or nil. For a bounded strategy without a concurrency it is that of the
// smallest concurrency that is near the fastest, or nil if all are out of memory.
func (m *Map) At(setting Place) *Point {
	var of []*Point
	for i := range m.Points {
		p := &m.Points[i]
		searched := setting.Concurrency == nil && p.Strategy == setting.Strategy && p.Power == setting.Power && p.Binds != simulate.Memory
		if searched || p.same(setting) {
			of = append(of, p)
		}
	}
	if len(of) == 0 {
		return nil
	}
	least := slices.MinFunc(of, func(a, b *Point) int { return cmp.Compare(a.DurationMS, b.DurationMS) })
	of = slices.DeleteFunc(of, func(p *Point) bool {
		return p.DurationMS > (1+Near)*least.DurationMS || p.Killed() != least.Killed()
	})
	return slices.MinFunc(of, func(a, b *Point) int { return *cmp.Or(a.Concurrency, new(0)) - *cmp.Or(b.Concurrency, new(0)) })
}
