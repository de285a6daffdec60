package powertuning

import "encoding/json"

// The limits of an input, and what the tool takes for a field that is absent.
const (
	MinNum              = 5 // below it the state machine fails
	MinPower            = 128
	MaxPower            = 10_240
	MaxDiscardTopBottom = 0.4

	DefaultStrategy         = Cost
	DefaultBalancedWeight   = 0.5
	DefaultDiscardTopBottom = 0.2 // 0 with onlyColdStarts
)

// The goals of a tuning: the values of an input's strategy.
const (
	Cost     = "cost"     // the least average price
	Speed    = "speed"    // the least average duration
	Balanced = "balanced" // a weighted mean of both, each as a share of its greatest
)

// Input is what an execution of the state machine takes. It marshals to
// exactly that; a field with its zero value is left out, and the tool's
// default holds. The fields and their meaning are those of the tool's
// README-INPUT-OUTPUT; onlyColdStarts and allowedExceptions are in its code
// alone.
type Input struct {
	LambdaARN   string          `json:"lambdaARN,omitempty"`   // without version or alias
	PowerValues []int           `json:"powerValues,omitempty"` // MB; absent: those of the deployment
	Num         int             `json:"num,omitempty"`         // invocations a power value, at least MinNum
	Payload     json.RawMessage `json:"payload,omitempty"`     // see [Input.Event]
	PayloadS3   string          `json:"payloadS3,omitempty"`   // s3://bucket/key, in place of Payload

	Strategy         string   `json:"strategy,omitempty"`           // Cost, Speed or Balanced
	BalancedWeight   *float64 `json:"balancedWeight,omitempty"`     // 0 as Speed to 1 as Cost
	DiscardTopBottom *float64 `json:"discardTopBottom,omitempty"`   // share of the runs trimmed from each end, 0 to MaxDiscardTopBottom
	SleepBetweenMS   int      `json:"sleepBetweenRunsMs,omitempty"` // ms after each invocation

	ParallelInvocation   bool `json:"parallelInvocation,omitempty"`   // all invocations of a power value at once
	OnlyColdStarts       bool `json:"onlyColdStarts,omitempty"`       // a version of its own for each invocation
	IncludeOutputResults bool `json:"includeOutputResults,omitempty"` // stats in the output
	DisablePayloadLogs   bool `json:"disablePayloadLogs,omitempty"`   // no payloads in the tool's logs and errors
	DryRun               bool `json:"dryRun,omitempty"`               // one invocation, no statistics

	// Types of a function's errors that do not end the execution.
	AllowedExceptions []string `json:"allowedExceptions,omitempty"`

	PreProcessorARN   string `json:"preProcessorARN,omitempty"`   // a function called before each invocation
	PostProcessorARN  string `json:"postProcessorARN,omitempty"`  // a function called after each invocation
	AutoOptimize      bool   `json:"autoOptimize,omitempty"`      // set the function to the chosen power
	AutoOptimizeAlias string `json:"autoOptimizeAlias,omitempty"` // and publish it under this alias
}

// Unsupported returns the names of the fields that are set and that need AWS:
// a run on one machine can not do what they ask for. The name of a payload
// that is a list of weighted ones is "payload (weighted)". The fields that
// only change what the tool prints (includeOutputResults, disablePayloadLogs)
// are never among them.
func (in Input) Unsupported() []string {
	_, weighted := in.weighted()
	var names []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"payload (weighted)", weighted},
		{"payloadS3", in.PayloadS3 != ""},
		{"parallelInvocation", in.ParallelInvocation},
		{"onlyColdStarts", in.OnlyColdStarts},
		{"dryRun", in.DryRun},
		{"allowedExceptions", len(in.AllowedExceptions) > 0},
		{"preProcessorARN", in.PreProcessorARN != ""},
		{"postProcessorARN", in.PostProcessorARN != ""},
		{"autoOptimize", in.AutoOptimize},
		{"autoOptimizeAlias", in.AutoOptimizeAlias != ""},
	} {
		if f.set {
			names = append(names, f.name)
		}
	}
	return names
}
