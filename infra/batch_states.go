package main

// The part of the Amazon States Language that the state machine uses
// (https://states-language.net, and AWS's own fields of a Distributed Map).

type machine struct {
	Comment       string
	QueryLanguage string
	states
}

type states struct {
	StartAt string
	States  map[string]any // pass, choice, fail, task or distributedMap
}

type pass struct {
	Type   string
	Output expression
	Next   string `json:",omitzero"`
	End    bool   `json:",omitzero"`
}

type choice struct {
	Type    string
	Choices []rule
	Default string
}

type rule struct {
	Condition expression
	Next      string
}

type fail struct{ Type, Error, Cause string }

type task struct {
	Type      string
	Resource  string
	Arguments call
	Retry     []retry
	Output    expression
	Next      string
}

type call struct {
	FunctionName string
	Payload      payload
}

type payload struct{ BatchInput, Items expression }

type retry struct {
	ErrorEquals     []string
	IntervalSeconds int // before the first retry
	BackoffRate     int
	MaxDelaySeconds int
	MaxAttempts     int
	JitterStrategy  string
}

type distributedMap struct {
	Type                       string
	Label                      string // at most 40 characters, part of the children's ARNs
	ItemReader                 itemReader
	ItemSelector               any `json:",omitzero"`
	ItemBatcher                itemBatcher
	MaxConcurrency             expression
	ToleratedFailurePercentage expression
	ItemProcessor              itemProcessor
	ResultWriter               resultWriter
	End                        bool
}

type itemReader struct {
	Resource     readerResource
	Arguments    location
	ReaderConfig *readerConfig `json:",omitempty"`
}

// location names one Key in a bucket, or the keys that begin with Prefix.
type location struct {
	Bucket string
	Key    expression `json:",omitzero"`
	Prefix expression `json:",omitzero"`
}

type readerConfig struct{ InputType inputType }

type itemBatcher struct {
	MaxItemsPerBatch      expression
	MaxInputBytesPerBatch int
	BatchInput            batchInput
}

type batchInput struct {
	Strategy    expression `json:"strategy"`
	Concurrency expression `json:"concurrency"`
	OnFailure   string     `json:"onFailure"`
}

type itemProcessor struct {
	ProcessorConfig processorConfig
	states
}

type processorConfig struct{ Mode, ExecutionType string }

type resultWriter struct {
	Resource     string
	Arguments    location
	WriterConfig writerConfig
}

type writerConfig struct{ Transformation, OutputType string }
