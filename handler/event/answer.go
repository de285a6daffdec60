package event

import (
	"strings"

	"lambda-parallel-io/handler/prose"
)

// Answer is what an invocation returns. Without onFailure "report" it stands
// for a call in which every read has ended whole. The first five fields are
// those of the Python original (aws-samples/aws-lambda-parallel-download).
type Answer struct {
	ObjectsRead   int     `json:"objects_read"`
	BytesRead     int64   `json:"bytes_read"`
	TimeSec       float64 `json:"time_sec"` // from the first read's start to the last one's end
	ObjectsPerSec float64 `json:"objects_per_sec"`
	BytesPerSec   float64 `json:"bytes_per_sec"`

	RecordsRead  int64   `json:"records_read"`     // elements of the objects' top-level arrays
	Strategy     string  `json:"strategy"`         //
	Concurrency  *int    `json:"concurrency"`      // in force: 1 for sequential, null for unbounded
	PeakInFlight int     `json:"peak_in_flight"`   // reads begun and not finished, those that wait for a connection included
	Retries      int64   `json:"retries"`          // attempts beyond each read's first
	Connections  int64   `json:"connections"`      // opened during the call
	CPUSec       float64 `json:"cpu_sec,omitzero"` // user and system time of the process during the call; left out where it may serve several calls at once
	Latency      Latency `json:"latency_ms"`       // of the objects read

	MemoryMB     int    `json:"memory_mb,omitzero"`    // the function's power value; left out where Lambda does not say it
	Architecture string `json:"architecture,omitzero"` // arm64 or x86_64, as AWS spells it

	ListSec float64 `json:"list_sec,omitzero"` // the listing of a prefix, before the first read; in none of the figures above
	Skipped

	// What a call with onFailure "report" owes its caller. Each object is in
	// exactly one of ObjectsRead, Failed and Unread.
	Failed     int       `json:"failed,omitzero"`
	Failures   []Failure `json:"failures,omitempty"`
	Unread     int       `json:"unread,omitzero"`
	UnreadKeys []string  `json:"unread_keys,omitempty"`
	Stopped    string    `json:"stopped,omitzero"` // why objects were left unread
	// Truncated says that UnreadKeys leaves out those after StartAfter: the
	// same payload with startAfter set to it goes on there.
	Truncated  bool   `json:"truncated,omitzero"`
	StartAfter string `json:"startAfter,omitzero"`
}

// MaxAnswer and MaxBatchAnswer are the most bytes that an answer may have. Lambda's
// own limit is 6 MB; Step Functions takes 256 KiB, its own words about a child
// included.
const (
	MaxAnswer      = 6_000_000
	MaxBatchAnswer = 240_000
)

// Latency is how long single reads took, in ms, from a read's start to its
// decoded end, waits and retries included. A percentile is the nearest rank:
// the least measured value that is not below that share of all.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Failure is an object that could not be read, or whose content was refused.
type Failure struct {
	Key      string `json:"key"`
	Error    string `json:"error"`
	Attempts int    `json:"attempts"` // requests for the object, the last one included

	// What a Distributed Map said of it, for the list of a next one.
	Size         Bytes `json:"size,omitzero"`
	StorageClass Class `json:"storage_class,omitzero"`
}

// OneLine is the error's text as an answer holds it: its lines as one, of at
// most 1,000 characters.
func OneLine(err error) string { return prose.OneLine(err.Error(), 1_000) }

// Skipped counts what a listing names and is no object to read. The first
// call over a listing counts them, and one with startAfter none.
type Skipped struct {
	FolderMarkers int `json:"folder_markers,omitzero"` // keys that end in /, of size 0
	Archived      int `json:"archived,omitzero"`       // storage classes GLACIER and DEEP_ARCHIVE
	Duplicates    int `json:"duplicates,omitzero"`     // of a Distributed Map's Items: keys that have stood before
}

// Skip counts an object of a listing that is not to be read, and reports
// whether it is one. S3 refuses to read GLACIER (Glacier Flexible Retrieval)
// and DEEP_ARCHIVE until the object is restored; GLACIER_IR (Instant
// Retrieval) it reads like any other.
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
