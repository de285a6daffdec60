// Package powertuning speaks of AWS Lambda Power Tuning 4.4.0: its input, its
// output, and how it gets from durations to the one and from there to its
// page's links. It is pure, and checked against what the tool itself answers.
//
// Where a figure has to be comparable with the real tool's, it is computed
// with the tool's own prices, which are rounded: arm64 2.0 % above AWS's list,
// x86_64 0.8 %.
package powertuning

// Output is what an execution of the state machine returns.
type Output struct {
	Power        int          `json:"power"`    // MB
	Cost         float64      `json:"cost"`     // dollars, of one invocation at Power
	Duration     float64      `json:"duration"` // ms, the trimmed mean at Power
	StateMachine StateMachine `json:"stateMachine"`
	Stats        []Stat       `json:"stats,omitempty"` // with includeOutputResults
}

// StateMachine is what the tuning itself cost, in dollars, and its chart.
type StateMachine struct {
	ExecutionCost float64 `json:"executionCost"`
	LambdaCost    float64 `json:"lambdaCost"`
	Visualization string  `json:"visualization"`
}

// Stat is the summary of one power value.
type Stat struct {
	Value           int     `json:"value"`           // MB
	AveragePrice    float64 `json:"averagePrice"`    // dollars
	AverageDuration float64 `json:"averageDuration"` // ms
}
