package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
)

// items reads the items of a map and selects the fields that the child gets.
func (s *stepFunctions) items(state aslState, from, vars map[string]any) (items []any, err error) {
	bucket, _ := from["Bucket"].(string)
	switch r := state.ItemReader; r.Resource + " " + r.ReaderConfig.InputType {
	case "arn:aws:states:::s3:listObjectsV2 ":
		items, err = s.list(bucket, from["Prefix"].(string))
	case "arn:aws:states:::s3:getObject JSONL":
		var content []byte
		content, err = s.get(bucket, from["Key"].(string))
		for line := range bytes.Lines(content) {
			var item any
			if err := json.Unmarshal(line, &item); err != nil {
				return nil, &failure{"States.ItemReaderFailed", err.Error()}
			}
			items = append(items, item)
		}
	case "arn:aws:states:::s3:getObject MANIFEST":
		items, err = s.inventory(bucket, from["Key"].(string))
	default:
		err = fmt.Errorf("an item reader %+v", r)
	}
	if err != nil || state.ItemSelector == nil {
		return items, err
	}
	of := make([]map[string]any, len(items))
	for i, item := range items {
		of[i] = map[string]any{"input": vars["input"], "context": map[string]any{"Map": map[string]any{"Item": map[string]any{"Index": i, "Value": item}}}}
	}
	return s.jsonata.each(state.ItemSelector, of)
}

// inventory reads the lines of an S3 Inventory; all fields are text.
func (s *stepFunctions) inventory(bucket, key string) (items []any, err error) {
	content, err := s.get(bucket, key)
	if err != nil {
		return nil, err
	}
	var manifest struct {
		FileSchema string
		Files      []struct{ Key string }
	}
	if err := json.Unmarshal(content, &manifest); err != nil {
		return nil, err
	}
	for _, f := range manifest.Files {
		packed, err := s.get(bucket, f.Key)
		if err != nil {
			return nil, err
		}
		unpacked, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, err
		}
		lines, err := csv.NewReader(unpacked).ReadAll()
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			item := map[string]any{}
			for i, name := range strings.Split(manifest.FileSchema, ", ") {
				item[name] = line[i]
			}
			items = append(items, item)
		}
	}
	return items, nil
}

// batches splits items into lists with a maximum of items and of bytes.
func batches(items []any, most, mostBytes int) (all [][]any) {
	size := 0
	for _, item := range items {
		b, err := json.Marshal(item)
		if err != nil {
			panic(err) // JSON values cannot fail
		}
		if n := len(all); n == 0 || len(all[n-1]) == most || size+len(b)+1 > mostBytes {
			all, size = append(all, nil), 2
		}
		all[len(all)-1] = append(all[len(all)-1], item)
		size += len(b) + 1
	}
	return all
}
