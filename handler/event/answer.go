package event

import (
	"strings"

	"lambda-parallel-io/handler/prose"
)

// Answer is the result of an invocation. Without onFailure "report", an invocation
// has an answer only if it read every object completely. The first five fields
// are those of the Python original (aws-samples/aws-lambda-parallel-download).
type Answer struct {
	ObjectsRead   int     `json:"objects_read"`
	BytesRead     int64   `json:"bytes_read"`
	TimeSec       float64 `json:"time_sec"` // from the start of the first read to the end of the last
	ObjectsPerSec float64 `json:"objects_per_sec"`
	BytesPerSec   float64 `json:"bytes_per_sec"`

	RecordsRead  int64   `json:"records_read"` // elements of the objects' top-level arrays
	Strategy     string  `json:"strategy"`
	Concurrency  *int    `json:"concurrency"`      // as applied: 1 for sequential, null for unbounded
	PeakInFlight int     `json:"peak_in_flight"`   // most reads begun and not finished, including those that wait for a connection
	Retries      int64   `json:"retries"`          // attempts after the first of each read
	Connections  int64   `json:"connections"`      // opened during the call
	CPUSec       float64 `json:"cpu_sec,omitzero"` // user and system time of the process during the call; absent if the process may serve several calls at once
	Latency      Latency `json:"latency_ms"`       // of the objects read

	MemoryMB     int    `json:"memory_mb,omitzero"`    // the function's memory size; absent outside Lambda
	Architecture string `json:"architecture,omitzero"` // arm64 or x86_64, as AWS spells it

	ListSec float64 `json:"list_sec,omitzero"` // time to list a prefix, before the first read; not part of the figures above
	Skipped

	// The report of a call with onFailure "report". It counts each object in exactly
	// one of ObjectsRead, Failed and Unread.
	Failed     int       `json:"failed,omitzero"`
	Failures   []Failure `json:"failures,omitempty"`
	Unread     int       `json:"unread,omitzero"`
	UnreadKeys []string  `json:"unread_keys,omitempty"`
	Stopped    string    `json:"stopped,omitzero"` // why objects were left unread
	// Truncated means that UnreadKeys lacks the keys after StartAfter. To continue
	// there, send the same payload with this startAfter.
	Truncated  bool   `json:"truncated,omitzero"`
	StartAfter string `json:"startAfter,omitzero"`
}

// MaxAnswer and MaxBatchAnswer are the most bytes that an answer may have. Lambda
// allows 6 MB. Step Functions allows 256 KiB, including what it adds about a
// child execution.
const (
	MaxAnswer      = 6_000_000
	MaxBatchAnswer = 240_000
)

// Latency has percentiles of how long single reads took, in ms: from the start of
// the read to the end of decoding, including waits and retries. A percentile is
// the nearest rank: the smallest measured value that is not below that share of
// all values.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Failure describes an object that could not be read or processed.
type Failure struct {
	Key      string `json:"key"`
	Error    string `json:"error"`
	Attempts int    `json:"attempts"` // requests for the object, including the last

	// As in the item of a Distributed Map, so that the failure can be an item of
	// another.
	Size         Bytes `json:"size,omitzero"`
	StorageClass Class `json:"storage_class,omitzero"`
}

// OneLine returns an error's text for an answer: one line of at most 1,000
// characters.
func OneLine(err error) string { return prose.OneLine(err.Error(), 1_000) }

// Skipped counts the entries of a listing that are not read. The first call over a
// listing counts them; a call with startAfter counts none.
type Skipped struct {
	FolderMarkers int `json:"folder_markers,omitzero"` // keys that end in /, of size 0
	Archived      int `json:"archived,omitzero"`       // storage classes GLACIER and DEEP_ARCHIVE
	Duplicates    int `json:"duplicates,omitzero"`     // repeated keys in a Distributed Map's Items
}

// Skip reports whether an object of a listing must be skipped, and counts it if
// so. S3 refuses to read the storage classes GLACIER (Glacier Flexible Retrieval)
// and DEEP_ARCHIVE until the object is restored. It reads GLACIER_IR (Instant
// Retrieval) like any other class.
func (s *Skipped) Skip(key string, size int64, storageClass string) bool {
	switch {
	case size == 0 && strings.HasSuffix(key, "/"):
		s.FolderMarkers++
	case storageClass == "GLACIER" || storageClass == "DEEP_ARCHIVE":
		s.Archived++
	default:
		return false
	}
	return true
}
