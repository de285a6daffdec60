package main

import (
	"encoding/json"
	"math"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// shape FILE REPEAT checks the model of a local run of this project's function
// that succeeded, from what it says of itself.
func shape(ts *testscript.TestScript, neg bool, args []string) {
	var c comparison.Comparison
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	dec.DisallowUnknownFields()
	ts.Check(dec.Decode(&c))
	if dec.More() {
		ts.Fatalf("something follows the model")
	}
	if c.Schema != 1 || c.Mode != "local" || c.Recommendation == nil {
		ts.Fatalf("schema %d, mode %q, recommendation %v", c.Schema, c.Mode, c.Recommendation)
	}
	for _, v := range c.Variants {
		if len(v.Cells) != len(c.Run.PowerValues) || v.Tuning == nil || len(v.Tuning.Stats) != len(v.Cells) {
			ts.Fatalf("%s has %d cells of %d, tuning %+v", v.Label(), len(v.Cells), len(c.Run.PowerValues), v.Tuning)
		}
		for _, cell := range v.Cells {
			checkCell(ts, &c, &v, &cell)
		}
	}
}

func checkCell(ts *testscript.TestScript, c *comparison.Comparison, v *comparison.Result, cell *comparison.Cell) {
	if cell.Error != "" || len(cell.DurationsMS) != c.Run.Num || len(cell.BilledMS) != c.Run.Num || cell.WarmUp == nil || cell.InitMS <= 0 {
		ts.Fatalf("%s at %d MB: %+v", v.Label(), cell.Power, cell)
	}
	for i, ms := range cell.DurationsMS {
		if float64(cell.BilledMS[i]) != math.Ceil(ms) && math.Abs(float64(cell.BilledMS[i])-ms) > 1.01 {
			ts.Fatalf("%s at %d MB: %v ms were billed as %d", v.Label(), cell.Power, ms, cell.BilledMS[i])
		}
	}
	var a event.Answer
	ts.Check(json.Unmarshal(cell.Response, &a))
	if a.ObjectsRead != c.Run.Repeat || a.RecordsRead != int64(c.Run.Repeat*43) || a.Strategy != v.Strategy {
		ts.Fatalf("%s at %d MB: %+v", v.Label(), cell.Power, a)
	}
	base := powertuning.BaseCost(c.Run.Region, c.Run.Arch)
	trimmed := powertuning.TrimmedMean(cell.DurationsMS, c.Run.DiscardTopBottom)
	if math.Abs(cell.AverageMS-trimmed) > 1e-9 || cell.AverageCost < powertuning.Price(base, cell.Power, trimmed)*0.9 {
		ts.Fatalf("%s at %d MB: average %v ms for %v, cost %v", v.Label(), cell.Power, cell.AverageMS, cell.DurationsMS, cell.AverageCost)
	}
}

// limits DIR ARGS ... runs tune into DIR, where every cell must have been
// measured or must say that it was out of memory.
func limits(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec("tune", append([]string{"-o", args[0]}, args[1:]...)...)
	var c comparison.Comparison
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0]+"/results.json")), &c))
	for _, v := range c.Variants {
		if len(v.Cells) != len(c.Run.PowerValues) {
			ts.Fatalf("%s has %d cells: %v", v.Label(), len(v.Cells), err)
		}
		for _, cell := range v.Cells {
			if whole := cell.Error == "" && len(cell.DurationsMS) == c.Run.Num; !whole && !strings.Contains(cell.Error, "out of memory") {
				ts.Fatalf("%s at %d MB: %q", v.Label(), cell.Power, cell.Error)
			}
			ts.Logf("%s at %d MB: %v ms, %d MB, %s", v.Label(), cell.Power, cell.DurationsMS, cell.MaxMemoryMB, cell.Error)
		}
	}
}
