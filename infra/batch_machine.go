package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
)

// The source for Step Functions' limits and formats in this file is the AWS Step
// Functions Developer Guide, "Service quotas", "Map state in Distributed mode",
// "ItemReader", "ItemBatcher" and "ResultWriter".
const (
	maxBatch = 10_000 // objects: this project's choice, because the limit in bytes is reached much earlier

	// resultsPrefix is the prefix of the results. Each execution writes into a folder
	// below it, with the execution's name.
	resultsPrefix = "runs"
)

// readerResource is the action by which a Distributed Map reads its items.
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

// The names of the states of the machine and of its children.
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

// definition returns the state machine: a Distributed Map over the keys below a
// prefix of bucket, over the keys of a list in results or, unless inventory is
// empty, over the keys of an S3 Inventory in that bucket. Each child execution calls
// the function with a batch of keys. by has the defaults of the input.
//
// A child returns an array: the answer without its lists, and then an object with a
// Key for each key that failed or was left unread. FLATTEN writes each element as a
// line. So a file of results can be the list of keys for another execution, whose
// children ignore elements without a Key.
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
	// The fields that the function needs of an item of a listing. Other fields would
	// take the room of more keys.
	selected := map[string]expression{}
	for _, field := range []string{"Key", "Size", "StorageClass"} {
		selected[field] = expression("$states.context.Map.Item.Value." + field)
	}
	fields := []string{"prefix", "keysFrom", "strategy", "concurrency", "batch", "children", "toleratedFailurePercentage"}
	choices := []rule{{Condition: "$exists($states.input.keysFrom)", Next: ofList}}
	all := map[string]any{
		// A plan does not know the prefix and writes an empty one. Replace it by the
		// configured one, because the role may list only below that.
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
			// All values are text, keys are URL-encoded, and fields are optional (Amazon S3
			// User Guide, "Amazon S3 Inventory list"). No documentation says that Step
			// Functions decodes keys. The size of a delete marker is empty and not a number,
			// so the function parses the sizes.
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

// unusable is true for an unknown field, because the default of the intended field
// would silently apply, and for a number out of range: 0 children would mean 10,000.
func unusable(fields []string) expression {
	known, err := json.Marshal(fields)
	if err != nil {
		panic(err) // strings cannot fail
	}
	return expression(fmt.Sprintf("$count($keys($states.input)[$not($ in %s)]) > 0"+
		" or $count([$states.input.batch, $states.input.children][$ < 1 or $ > %d or $ != $floor($)]) > 0", known, platform.MaxChildren))
}

// children returns the states that process one batch. The batch fails if the call
// fails or if the answer cannot name every unread key; a redrive runs the batch
// again. No two states of a machine may have the same name, so these names begin
// with that of the map.
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
				// 91 s in total, of the 300 s that an EXPRESS child has.
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
			Cause: "too many objects of the batch failed for the answer to name the unread ones: start again with a smaller batch",
		},
		named(toLines): pass{Type: "Pass", Output: "[$sift($states.input, function($v, $k) { $not($k in ['failures', 'unread_keys']) }), " +
			"$states.input.failures.{'Key': key, 'Size': size, 'StorageClass': storage_class, 'Error': error, 'Attempts': attempts}, $states.input.unread_keys.{'Key': $}]", End: true},
	}}
}

// input returns the expression for a field of a state's input.
func input(field string) expression { return expression("$states.input." + field) }

// expression is a JSONata expression.
type expression string

// MarshalText returns the expression with the delimiters of a definition.
func (e expression) MarshalText() ([]byte, error) {
	return []byte("{% " + string(e) + " %}"), nil
}

// text returns the definition in Step Functions' format.
func (m machine) text() (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // people read it in the console
	err := e.Encode(m)
	return b.String(), err
}
