package platform

import "time"

// Limits of Step Functions. Source: AWS Step Functions Developer Guide,
// "Service quotas" and "Distributed mode".
const (
	MaxStateBytes = 262_144           // of a state's input and output
	MaxChildren   = 10_000            // of a Distributed Map at once; MaxConcurrency 0 means the same
	MaxExpress    = 300 * time.Second // of an EXPRESS execution
)

// ItemsBytes is how many bytes of [MaxStateBytes] the items of a batch may take.
// This project chose it so that an answer has room for the names of all items,
// even if none of them was read.
const ItemsBytes = 200_000
