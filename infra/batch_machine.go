package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
)

// What Step Functions grants and takes. Source: AWS Step Functions Developer
// Guide, "Service quotas", "Map state in Distributed mode", "ItemReader",
// "ItemBatcher" and "ResultWriter".
const (
	maxBatch = 10_000 // objects: ours, since bytes bound them long before

	// resultsPrefix is where the executions leave their results: each in a
	// folder of its own name.
	resultsPrefix = "runs"
)

// readerResource is where a Distributed Map takes its items from.
type readerResource string

const (
	listing readerResource = "arn:aws:states:::s3:listObjectsV2"
	file    readerResource = "arn:aws:states:::s3:getObject"
)

// inputType is the format of a file of items.
type inputType string

const (
	jsonLines inputType = "JSONL"
	manifest  inputType = "MANIFEST" // of an S3 Inventory in CSV
)

// The states of the machine and of its children.
const (
	defaults    = "Defaults"
	choose      = "Choose"
	refuse      = "Refuse"
	ofPrefix    = "Prefix"
	ofList      = "List"
	ofInventory = "Inventory"

	anyKeys  = "AnyKeys"
	noKeys   = "NoKeys"
	read     = "Read"
	complete = "Complete"
	cutShort = "CutShort"
	toLines  = "ToLines"
)

// definition is the state machine: a Distributed Map over the keys below a
// prefix of bucket, over those of a list in results or, unless inventory is
// empty, over those of an S3 Inventory in that bucket. Its children call the
// function with a batch of keys each.
//
// A child gives an array: the answer without its lists, and then, for each key
// that failed or was left unread, an object with it as Key. FLATTEN writes them
// as a line each, so a file of results is a list of keys for another execution,
// whose children leave out what has no Key.
func definition(bucket, results, inventory, functionARN string, by event.Execution) machine {
	over := func(label string, r itemReader, s any) distributedMap {
		return distributedMap{
			Type:         "Map",
			Label:        label,
			ItemReader:   r,
			ItemSelector: s,
			ItemBatcher: itemBatcher{
				MaxItemsPerBatch:      input("batch"),
				MaxInputBytesPerBatch: platform.ItemsBytes,
				BatchInput:            batchInput{Strategy: input("strategy"), Concurrency: input("concurrency"), OnFailure: event.Report},
			},
			MaxConcurrency:             input("children"),
			ToleratedFailurePercentage: input("toleratedFailurePercentage"),
			ItemProcessor:              itemProcessor{processorConfig{"DISTRIBUTED", "EXPRESS"}, children(label, functionARN)},
			ResultWriter: resultWriter{
				Resource:     "arn:aws:states:::s3:putObject",
				Arguments:    location{Bucket: results, Prefix: expression("'" + resultsPrefix + "/' & $states.context.Execution.Name")},
				WriterConfig: writerConfig{Transformation: "FLATTEN", OutputType: "JSONL"},
			},
			End: true,
		}
	}
	// What the function needs of an item of a listing; the rest would take the
	// room of other keys.
	selected := map[string]expression{}
	for _, field := range []string{"Key", "Size", "StorageClass"} {
		selected[field] = expression("$states.context.Map.Item.Value." + field)
	}
	fields := []string{"prefix", "keysFrom", "strategy", "concurrency", "batch", "children", "toleratedFailurePercentage"}
	choices := []rule{{Condition: "$exists($states.input.keysFrom)", Next: ofList}}
	all := map[string]any{
		// A plan knows no prefix, and writes an empty one: the role may list the
		// configured one alone.
		defaults: pass{Type: "Pass", Next: choose, Output: "$merge([" + literal(by) +
			", $sift($states.input, function($v, $k) { $not($k = 'prefix' and $v = '') })])"},
		ofPrefix: over(ofPrefix, itemReader{Resource: listing, Arguments: location{Bucket: bucket, Prefix: input("prefix")}}, selected),
		ofList: over(ofList, itemReader{Resource: file, Arguments: location{Bucket: results, Key: input("keysFrom")},
			ReaderConfig: &readerConfig{jsonLines}}, nil),
	}
	if inventory != "" {
		fields = append(fields, "inventory")
		choices = append(choices, rule{Condition: "$exists($states.input.inventory)", Next: ofInventory})
		all[ofInventory] = over(ofInventory, itemReader{Resource: file, Arguments: location{Bucket: inventory, Key: input("inventory")},
			ReaderConfig: &readerConfig{manifest}}, map[string]expression{
			// All of it is text, which fields there are was somebody's choice, and keys are
			// encoded as in a URL (Amazon S3 User Guide, "Amazon S3 Inventory list"); that
			// Step Functions decodes them is said nowhere. The size of a delete marker is
			// empty, which is no number: the function reads sizes as they come.
			"Key":          "$decodeUrlComponent($replace($states.context.Map.Item.Value.Key, '+', ' '))",
			"Size":         "$exists($states.context.Map.Item.Value.Size) ? $states.context.Map.Item.Value.Size : -1",
			"StorageClass": "$exists($states.context.Map.Item.Value.StorageClass) ? $states.context.Map.Item.Value.StorageClass : 'STANDARD'",
		})
	}
	all[choose] = choice{Type: "Choice", Choices: append([]rule{{Condition: unusable(fields), Next: refuse}}, choices...), Default: ofPrefix}
	all[refuse] = fail{Type: "Fail", Error: "Input", Cause: "the fields are " + strings.Join(fields, ", ") +
		fmt.Sprintf("; batch and children are whole numbers from 1 to %d", platform.MaxChildren)}
	return machine{
		Comment:       "Reads many objects, a batch of them in each call of the function",
		QueryLanguage: "JSONata",
		states:        states{StartAt: defaults, States: all},
	}
}

// unusable says that a field is none of these, so that its default would hold
// without a word, or that a number means no limit: 0 children are 10,000.
func unusable(fields []string) expression {
	known, err := json.Marshal(fields)
	if err != nil {
		panic(err) // strings have no error
	}
	return expression(fmt.Sprintf("$count($keys($states.input)[$not($ in %s)]) > 0"+
		" or $count([$states.input.batch, $states.input.children][$ < 1 or $ > %d or $ != $floor($)]) > 0", known, platform.MaxChildren))
}

// children is what becomes of one batch. A call that fails, or whose answer
// cannot name all that it has left out, fails the batch: a redrive runs it
// again. No two states of a machine may have the same name, so these begin with
// the map's.
func children(label, functionARN string) states {
	named := func(state string) string { return label + state }
	return states{StartAt: named(anyKeys), States: map[string]any{
		named(anyKeys): choice{
			Type:    "Choice",
			Choices: []rule{{Condition: "$exists($states.input.Items.Key)", Next: named(read)}},
			Default: named(noKeys),
		},
		named(noKeys): pass{Type: "Pass", Output: "[]", End: true},
		named(read): task{
			Type:     "Task",
			Resource: "arn:aws:states:::lambda:invoke",
			Arguments: call{
				FunctionName: functionARN,
				Payload:      payload{BatchInput: input("BatchInput"), Items: "[$states.input.Items[$exists(Key)]]"},
			},
			Retry: []retry{{
				// Source: AWS Step Functions Developer Guide, "Handle transient Lambda
				// service exceptions".
				ErrorEquals: []string{"Lambda.ClientExecutionTimeoutException", "Lambda.TooManyRequestsException", "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException"},
				// 91 s in all, of the 300 that an EXPRESS child has.
				IntervalSeconds: 1, BackoffRate: 2, MaxDelaySeconds: 20, MaxAttempts: 8, JitterStrategy: "FULL",
			}},
			Output: "$states.result.Payload",
			Next:   named(complete),
		},
		named(complete): choice{
			Type:    "Choice",
			Choices: []rule{{Condition: "$exists($states.input.truncated)", Next: named(cutShort)}},
			Default: named(toLines),
		},
		named(cutShort): fail{
			Type: "Fail", Error: "Truncated",
			Cause: "so many objects of the batch failed that the answer cannot name the rest: start again with a smaller batch",
		},
		named(toLines): pass{Type: "Pass", Output: "[$sift($states.input, function($v, $k) { $not($k in ['failures', 'unread_keys']) }), " +
			"$states.input.failures.{'Key': key, 'Size': size, 'StorageClass': storage_class, 'Error': error, 'Attempts': attempts}, $states.input.unread_keys.{'Key': $}]", End: true},
	}}
}

func input(field string) expression { return expression("$states.input." + field) }

// expression is one of JSONata.
type expression string

func (e expression) MarshalText() ([]byte, error) {
	return []byte("{% " + string(e) + " %}"), nil
}

// text is the definition as Step Functions takes it.
func (m machine) text() (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // people read it in the console
	err := e.Encode(m)
	return b.String(), err
}
