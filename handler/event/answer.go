package event

// Answer is what an invocation returns once every read has ended whole:
// ObjectsRead is the payload's repeat. The first five fields are those of the
// Python original (aws-samples/aws-lambda-parallel-download).
type Answer struct {
	ObjectsRead   int     `json:"objects_read"`
	BytesRead     int64   `json:"bytes_read"`
	TimeSec       float64 `json:"time_sec"` // from the first read's start to the last one's end
	ObjectsPerSec float64 `json:"objects_per_sec"`
	BytesPerSec   float64 `json:"bytes_per_sec"`

	RecordsRead  int64   `json:"records_read"`   // elements of the objects' top-level arrays
	Strategy     string  `json:"strategy"`       //
	Concurrency  *int    `json:"concurrency"`    // in force: 1 for sequential, null for unbounded
	PeakInFlight int     `json:"peak_in_flight"` // reads begun and not finished, those that wait for a connection included
	Retries      int64   `json:"retries"`        // attempts beyond each read's first
	Connections  int64   `json:"connections"`    // opened during the call
	CPUSec       float64 `json:"cpu_sec"`        // user and system time of the process during the call
	Latency      Latency `json:"latency_ms"`

	MemoryMB     int    `json:"memory_mb,omitzero"`    // the function's power value; left out where Lambda does not say it
	Architecture string `json:"architecture,omitzero"` // arm64 or x86_64, as AWS spells it
}

// Latency is how long single reads took, in ms, from a read's start to its
// decoded end, waits and retries included. A percentile is the nearest rank:
// the least measured value that is not below that share of all.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}
