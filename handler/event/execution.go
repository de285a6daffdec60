package event

// Execution is the input of an execution of the state machine that distributes
// very many objects over calls of the function. A field missing in its JSON has
// the deployment's default.
type Execution struct {
	Prefix      string `json:"prefix"` // of the keys to read, below the deployment's prefix; "" means the deployment's prefix itself
	Strategy    string `json:"strategy"`
	Concurrency int    `json:"concurrency"`                // reads at a time in one call
	Batch       int    `json:"batch"`                      // objects a call, at most
	Children    int    `json:"children"`                   // calls at a time
	Tolerated   int    `json:"toleratedFailurePercentage"` // percent of the objects that may be in failed calls
}
