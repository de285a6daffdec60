package event

// Execution is the input of an execution of the state machine that shares very
// many objects out among calls of the function. A field that its JSON leaves out
// has the deployment's default.
type Execution struct {
	Prefix      string `json:"prefix"` // of the keys to read, within the deployment's; "" is the deployment's own
	Strategy    string `json:"strategy"`
	Concurrency int    `json:"concurrency"` // of one call's reads
	Batch       int    `json:"batch"`       // objects a call, at most
	Children    int    `json:"children"`    // calls at once
	Tolerated   int    `json:"toleratedFailurePercentage"`
}
