package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
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
		if len(v.Cells) != len(c.Run.PowerValues) {
			ts.Fatalf("%s has %d cells of %d", v.Label(), len(v.Cells), len(c.Run.PowerValues))
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
}

// mapped FILE REPEAT checks the model of a map: a calibration in which work costs
// something, an answer that is one of its points, and the computed cells of it.
func mapped(ts *testscript.TestScript, neg bool, args []string) {
	var c comparison.Comparison
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	dec.DisallowUnknownFields()
	ts.Check(dec.Decode(&c))
	cal, m := c.Calibration, c.Map
	if cal == nil || m == nil || m.Answer == nil || fmt.Sprint(c.Run.Repeat) != args[1] {
		ts.Fatalf("calibration %v, map %v, %d reads", cal, m, c.Run.Repeat)
	}
	for _, r := range cal.Reads {
		if f := r.CPU; !(f.Value > 0 && f.Low <= f.Value && f.Value <= f.High && f.Unit == "ms") {
			ts.Fatalf("a read by %s costs %+v", r.Strategy, f)
		}
	}
	if p := m.At(m.Answer.Place); p == nil || !p.Usable() || c.Recommendation == nil || c.Recommendation.Power != p.Power {
		ts.Fatalf("the answer %+v is no point of the map, or not what is recommended: %+v", m.Answer.Place, c.Recommendation)
	}
	for _, k := range c.Checks {
		if ratio := k.MeasuredMS / k.ComputedMS; k.Unchecked == "" && !(ratio > 0.2 && ratio < 5) {
			ts.Fatalf("a check says neither what was measured, near to what was computed, nor why it was not: %+v", k)
		}
	}
}

// points FILE N checks how many points a map has.
func points(ts *testscript.TestScript, neg bool, args []string) {
	var c comparison.Comparison
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &c))
	if fmt.Sprint(len(c.Map.Points)) != args[1] {
		ts.Fatalf("%d points, want %s", len(c.Map.Points), args[1])
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
