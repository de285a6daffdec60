package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
)

// mapRun is a run of a Distributed Map in one execution.
type mapRun struct {
	children  []*childRun
	tolerated float64
}

type childRun struct {
	input  any
	status string // PENDING, SUCCEEDED or FAILED
	output any
	err    error
}

func (c *childRun) items() int { return len(c.input.(map[string]any)["Items"].([]any)) }

// intolerable reports whether failed children hold more than the tolerated share of
// the items.
func (r *mapRun) intolerable(failed int) bool {
	all := 0
	for _, c := range r.children {
		all += c.items()
	}
	return float64(failed*100) > r.tolerated*float64(all)
}

func (s *stepFunctions) distributed(ctx context.Context, state aslState, execution string, vars map[string]any) (any, error) {
	if c := state.ItemProcessor.ProcessorConfig; c.Mode != "DISTRIBUTED" || c.ExecutionType != "EXPRESS" || len(state.Label) > 40 {
		return nil, &failure{"States.Runtime", fmt.Sprintf("%+v, label %s", c, state.Label)}
	}
	values, err := s.jsonata.evaluate(map[string]any{
		"children": state.MaxConcurrency, "tolerated": state.ToleratedFailurePercentage, "batch": state.ItemBatcher.MaxItemsPerBatch,
		"from": state.ItemReader.Arguments, "to": state.ResultWriter.Arguments, "input": state.ItemBatcher.BatchInput,
	}, vars)
	if err != nil {
		return nil, err
	}
	v := values.(map[string]any)
	run := s.maps[execution]
	if run == nil { // otherwise it is a redrive
		items, err := s.items(state, v["from"].(map[string]any), vars)
		if err != nil {
			return nil, err
		}
		run = &mapRun{tolerated: v["tolerated"].(float64)}
		for _, b := range batches(items, int(v["batch"].(float64)), state.ItemBatcher.MaxInputBytesPerBatch) {
			run.children = append(run.children, &childRun{map[string]any{"BatchInput": v["input"], "Items": b}, "PENDING", nil, nil})
		}
		s.maps[execution] = run
	}
	if err := s.runChildren(ctx, state.ItemProcessor.aslStates, execution, run, int(v["children"].(float64))); err != nil {
		return nil, err
	}
	return s.results(state, execution, v["to"].(map[string]any), run)
}

// runChildren runs the children that have not succeeded yet, until more have failed
// than are tolerated.
func (s *stepFunctions) runChildren(ctx context.Context, of aslStates, execution string, run *mapRun, atOnce int) error {
	var todo []*childRun
	for _, c := range run.children {
		if c.status != "SUCCEEDED" {
			c.status, c.err = "PENDING", nil
			todo = append(todo, c)
		}
	}
	if atOnce == 0 {
		atOnce = 10_000
	}
	var g errgroup.Group
	g.SetLimit(atOnce)
	failed := 0
	for _, c := range todo {
		g.Go(func() error {
			s.mu.Lock()
			over := run.intolerable(failed)
			s.mu.Unlock()
			if over {
				return nil
			}
			c.status = "SUCCEEDED"
			if c.err = fits(c.input); c.err == nil {
				c.output, c.err = s.states(ctx, of, execution, c.input)
			}
			if c.err != nil {
				c.status = "FAILED"
				s.mu.Lock()
				failed += c.items()
				s.mu.Unlock()
			}
			var known *failure
			if c.err != nil && !errors.As(c.err, &known) {
				return c.err // an error of the interpreter itself
			}
			return nil
		})
	}
	return g.Wait()
}

// results writes the results of the children. It returns an error if the map failed.
func (s *stepFunctions) results(state aslState, execution string, to map[string]any, run *mapRun) (any, error) {
	if w := state.ResultWriter; w.Resource != "arn:aws:states:::s3:putObject" || w.WriterConfig.Transformation != "FLATTEN" || w.WriterConfig.OutputType != "JSONL" {
		return nil, fmt.Errorf("a result writer %+v", w)
	}
	bucket, folder := to["Bucket"].(string), to["Prefix"].(string)+"/5c3e"
	files, manifest := map[string]*bytes.Buffer{}, map[string]any{}
	for _, c := range run.children {
		if files[c.status] == nil {
			files[c.status] = &bytes.Buffer{}
			manifest[c.status] = []any{map[string]any{"Key": folder + "/" + c.status + "_0.jsonl"}}
		}
		list, ok := c.output.([]any)
		if c.status != "SUCCEEDED" { // failed results are not flattened
			in, err := json.Marshal(c.input)
			if err != nil {
				return nil, err
			}
			list, ok = []any{map[string]any{"Input": string(in), "Status": c.status, "Error": fmt.Sprint(c.err)}}, true
		}
		if !ok {
			list = []any{c.output}
		}
		for _, element := range list {
			if err := json.NewEncoder(files[c.status]).Encode(element); err != nil {
				return nil, err
			}
		}
	}
	for status, content := range files {
		if err := s.put(bucket, folder+"/"+status+"_0.jsonl", content.Bytes()); err != nil {
			return nil, err
		}
	}
	b, err := json.Marshal(map[string]any{"DestinationBucket": bucket, "ResultFiles": manifest})
	if err != nil {
		return nil, err
	}
	if err := s.put(bucket, folder+"/manifest.json", b); err != nil {
		return nil, err
	}
	failed := 0
	for _, c := range run.children {
		if c.status == "FAILED" {
			failed += c.items()
		}
	}
	if run.intolerable(failed) {
		return nil, &failure{"States.ExceedToleratedFailureThreshold", fmt.Sprintf("%d items failed", failed)}
	}
	name := strings.TrimSuffix(folder, "/5c3e")
	return map[string]any{"MapRunArn": name, "ResultWriterDetails": map[string]any{"Bucket": bucket, "Key": folder + "/manifest.json"}}, nil
}
