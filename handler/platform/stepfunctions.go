package platform

import "time"

// What Step Functions grants. Source: AWS Step Functions Developer Guide,
// "Service quotas" and "Distributed mode".
const (
	MaxStateBytes = 262_144           // of a state's input and output
	MaxChildren   = 10_000            // of a Distributed Map at once, and what MaxConcurrency 0 means
	MaxExpress    = 300 * time.Second // of an EXPRESS execution
)

// ItemsBytes is how many bytes of [MaxStateBytes] the deployment gives the items
// of a batch. It is this project's choice: an answer has room for the names of
// them all, even where none of them was read.
const ItemsBytes = 200_000
