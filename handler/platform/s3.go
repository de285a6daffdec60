package platform

// What S3 grants. Sources: S3 User Guide, "Best practices design patterns:
// optimizing Amazon S3 performance" and "Naming Amazon S3 objects"; S3 API
// Reference, ListObjectsV2.
const (
	GetsPerSecond = 5_500 // of one partitioned prefix, at least; beyond what it gives S3 answers 503 SlowDown
	KeysPerPage   = 1_000 // of a listing, at most
	MaxKeyBytes   = 1_024 // of an object's key in UTF-8
)
