package comparison

import (
	"cmp"
	"math"
	"slices"

	"lambda-parallel-io/strategies"
)

// Figure is a measured value with its interval, which is at least as wide as the
// rounds of its measurement differ.
type Figure struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Unit  string  `json:"unit"` // ms, MB, or vCPUs
}

// Calibration is what a read costs, measured with this project's function on
// this machine or fitted to what AWS returned. Processor time is in ms of one
// Lambda vCPU.
type Calibration struct {
	Source    string         `json:"source"` // this machine, or what it was fitted to
	Reads     []StrategyCost `json:"reads"`  // the processor time of a read, by strategy, without wake-ups and crowd
	WakeUp    Figure         `json:"wake_up"`
	Handshake Figure         `json:"handshake"` // the processor time of a new connection
	Crowd     []CrowdCost    `json:"crowd"`     // in ascending order of what is in flight
	Late      Figure         `json:"late"`      // what an answer of the local S3 takes beyond its latency
	Core      Figure         `json:"core"`      // how many vCPUs a core of this machine is

	ObjectBytes int     `json:"object_bytes"`
	BaseMB      float64 `json:"base_mb"`    // memory of the process without reads
	ReadMB      float64 `json:"read_mb"`    // of a read in flight
	WaitingMB   float64 `json:"waiting_mb"` // of a read that waits for a connection
	Loads       int     `json:"loads"`      // calls that were measured, or cells that it was fitted to
	Seconds     float64 `json:"seconds"`    // that it took
	Fit         *Fit    `json:"fit,omitempty"`
}

// StrategyCost is what a read costs by a strategy.
type StrategyCost struct {
	Strategy string `json:"strategy"`
	CPU      Figure `json:"cpu"`
}

// CrowdCost is the processor time that a read takes more where so many are in
// flight.
type CrowdCost struct {
	InFlight int    `json:"in_flight"`
	CPU      Figure `json:"cpu"`
}

// CPU returns what a read costs by a strategy; of one that was not measured it is
// the first one's.
func (c *Calibration) CPU(strategy string) Figure {
	i := slices.IndexFunc(c.Reads, func(r StrategyCost) bool { return r.Strategy == strategy })
	return c.Reads[max(i, 0)].CPU
}

// Map is what was computed: every strategy at every concurrency and memory size.
type Map struct {
	WakeUpMS float64 `json:"wake_up_ms"` // that was taken for Lambda's: an assumption
	Draws    int     `json:"draws"`      // of the latencies, the same for every point
	Seconds  float64 `json:"seconds"`    // that it took
	Points   []Point `json:"points"`
	Answer   *Answer `json:"answer"` // null where no point can be recommended
}

// Point is one setting, computed.
type Point struct {
	Place
	DurationMS     float64 `json:"duration_ms"` // the median over the draws; where SlowDown binds without S3's burst, which is this project's invention
	LowMS          float64 `json:"low_ms"`      // what the calibration leaves open
	HighMS         float64 `json:"high_ms"`
	P10MS          float64 `json:"p10_ms"` // between which eight in ten invocations lie
	P90MS          float64 `json:"p90_ms"`
	CostPerMillion float64 `json:"cost_per_million"` // dollars, compute and requests
	Binds          string  `json:"binds"`            // processor, s3 latency, s3 limit, bandwidth, connections or memory
	CPUMS          float64 `json:"cpu_ms"`
	PeakMB         float64 `json:"peak_mb"`
}

// Limited reports whether S3's limit holds the point up: its time depends on how
// much S3 grants at once, which nobody has published.
func (p Point) Limited() bool { return p.Binds == "s3 limit" }

// Usable reports whether the point can be recommended.
func (p Point) Usable() bool { return !p.Limited() && p.Binds != "memory" }

// Product is what the recommended setting has the least of.
func (p Point) Product() float64 { return p.CostPerMillion * p.DurationMS }

// Answer is the setting to use, and what would change it.
type Answer struct {
	Point
	Sequential   *Point `json:"sequential,omitempty"`    // one by one at the same size
	Default      *Point `json:"default,omitempty"`       // the same strategy and size at the function's default concurrency
	Smaller      *Point `json:"smaller,omitempty"`       // the best of the next smaller size
	Larger       *Point `json:"larger,omitempty"`        // of the next larger one
	SmallAccount *Point `json:"small_account,omitempty"` // of an account that has no more than 3,008 MB, where the answer is above
	FreeWakeUps  *Point `json:"free_wake_ups,omitempty"` // where a wake-up cost nothing and the answer were another
	DearWakeUps  *Point `json:"dear_wake_ups,omitempty"` // where it cost DearWakeUpMS
}

// LambdaWakeUpMS is what a wake-up is taken to cost on Lambda, in ms of a vCPU.
// It is an assumption: nobody has published it. On a machine without nested
// virtualization it is next to nothing, on one with it 0.2.
const LambdaWakeUpMS, DearWakeUpMS = 0.05, 0.2

// Check is a point of the map that was measured, on this machine or on AWS.
type Check struct {
	Place
	Repeat     int     `json:"repeat"`
	ComputedMS float64 `json:"computed_ms"` // for the machine and the latencies that it was measured with
	LowMS      float64 `json:"low_ms"`      // what the calibration leaves open
	HighMS     float64 `json:"high_ms"`
	MeasuredMS float64 `json:"measured_ms"` // 0 where it was not measured
	Slow       int     `json:"slow,omitempty"`
	Starved    float64 `json:"starved"`              // cores that its threads waited for
	Execution  string  `json:"execution,omitempty"`  // on AWS, until all are measured: its ARN
	AssumedMS  float64 `json:"assumed_ms,omitempty"` // on AWS: what was computed before the fit
	Why        string  `json:"why"`                  // what it is checked for: answer, rival, processor or sequential
	Unchecked  string  `json:"unchecked,omitempty"`
}

// Tolerance is how far a measured time may be from the computed one, beyond their
// intervals, before the run says so.
const Tolerance = 0.10

// Off returns how far the measured time is from the computed interval, as a share
// of it; 0 within it and of what was not measured.
func (k Check) Off() float64 {
	switch {
	case k.MeasuredMS == 0:
		return 0
	case k.MeasuredMS > k.HighMS:
		return k.MeasuredMS/k.HighMS - 1
	case k.MeasuredMS < k.LowMS:
		return k.MeasuredMS/k.LowMS - 1
	}
	return 0
}

// open reports whether the check waits to be measured.
func (k Check) open() bool { return k.MeasuredMS == 0 && k.Unchecked == "" }

// Made reports whether the check tells something: it was measured, and the machine
// kept up with it.
func (k Check) Made() bool { return k.MeasuredMS > 0 && k.ComputedMS > 0 && k.Unchecked == "" }

// Far reports whether the check contradicts what was computed.
func (k Check) Far() bool { return k.Made() && math.Abs(k.Off()) > Tolerance }

// At returns the map's point of a setting, or nil.
func (m *Map) At(p Place) *Point {
	for i := range m.Points {
		q := &m.Points[i]
		if q.Strategy == p.Strategy && q.Power == p.Power && *cmp.Or(q.Concurrency, new(0)) == *cmp.Or(p.Concurrency, new(0)) {
			return q
		}
	}
	return nil
}

// near is by how much a concurrency may be slower than the best one of a size and
// still be taken, as the smaller one.
const near = 0.05

// Best returns a variant's point at a memory size, or nil where the map has none.
// Of a bounded strategy without a concurrency it is the smallest one whose
// duration is within a twentieth of the least.
func (m *Map) Best(v Variant, power int) (best *Point) {
	if s, err := strategies.ByName(v.Strategy); err != nil || !s.Bounded || v.Concurrency != nil {
		return m.At(v.Place(power))
	}
	least := math.Inf(1)
	var of []*Point
	for i := range m.Points {
		if p := &m.Points[i]; p.Strategy == v.Strategy && p.Power == power && p.Binds != "memory" {
			of, least = append(of, p), min(least, p.DurationMS)
		}
	}
	for _, p := range of {
		if p.DurationMS <= (1+near)*least && (best == nil || *p.Concurrency < *best.Concurrency) {
			best = p
		}
	}
	return best
}

// Label is how people are told of a setting: "pool (30)", "sequential".
func (p Place) Label() string {
	return Variant{Strategy: p.Strategy, Concurrency: p.Concurrency}.Label()
}
