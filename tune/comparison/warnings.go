package comparison

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/prose"
)

// Warning says which figures are doubtful or missing, and ends in what to do.
type Warning struct {
	Kind  string  `json:"kind"` // few-pairs, open, busy, unread, retried, missing or check
	Cells []Place `json:"cells,omitempty"`
	Most  float64 `json:"most,omitempty"` // the greatest figure of the cells: cores, objects or attempts
	Text  string  `json:"text"`
}

// BusyCores is how many cores a function's threads may wait for before its duration is doubted. At half a core it took
// some 5 % longer than the same function in slow motion.
const BusyCores = 0.5

// maxLabel is the length in characters to which a warning cuts names.
const maxLabel = 24

// warn sets Warnings.
func (c *Comparison) warn() {
	c.Warnings = nil
	add := func(kind string, cells []Place, most float64, format string, args ...any) {
		c.Warnings = append(c.Warnings, Warning{kind, cells, most, fmt.Sprintf(format, args...)})
	}
	slower := "in slower motion, "
	if c.Run.Slow.Times() < 2 {
		slower = "in slow motion (--slow 4), "
	}
	if few, _ := c.above(0, func(k *Cell) float64 { return truth(k.Against != nil && k.Against.Low == 0) }); few != nil && c.Run.ForSec == 0 {
		add("few-pairs", few, 0, "~ without an interval: so few pairs tell nothing. Use --num 6 or more.")
	}
	if open, _ := c.above(0, func(k *Cell) float64 { return truth(k.Against != nil && k.Against.Verdict == Open) }); open != nil && c.Run.ForSec > 0 {
		d := time.Duration(c.Run.ForSec * float64(time.Second))
		add("open", open, 0, "~ %s open after %s and up to %s a cell. Measure longer: --for %s --max %d.",
			prose.Count(len(open), "comparison is", "comparisons are"), d, prose.Count(c.Run.Num, "invocation", "invocations"), 2*d, 2*c.Run.Num)
	}
	if busy, most := c.above(BusyCores, (*Cell).Starved); busy != nil {
		remedy := "Close other programs"
		if c.Run.CPULimit != "" {
			remedy = "Raise " + prose.OneLine(c.Run.CPULimit, maxLabel)
		}
		add("busy", busy, most, "! This machine could not keep up with %s, whose threads waited for up to %.1f cores: it may be faster on Lambda. %s, measure %sor use more than %s. A memory size that buys more CPU than this machine has is not recommended from such a cell.",
			someOf(busy), most, remedy, slower, c.Run.Cores())
	}
	if unread, most := c.above(0, func(k *Cell) float64 { return float64(cmp.Or(c.Answer(k), &event.Answer{}).Failed) }); unread != nil {
		add("unread", unread, most, "Not every object was read, up to %.0f failed an invocation: %s. The response of a cell in results.json names them.", most, someOf(unread))
	}
	if retried, most := c.above(0, func(k *Cell) float64 { return float64(cmp.Or(c.Answer(k), &event.Answer{}).Retries) }); retried != nil {
		add("retried", retried, most, "Reads were tried again, up to %s an invocation: %s. S3 gives about 5,500 GETs a second: lower the concurrency.",
			prose.Count(int(most), "attempt", "attempts"), someOf(retried))
	}
	if begun, all := c.Measured(); begun < all && c.Map == nil {
		why := "the run has no answer for them"
		if c.Run.Interrupted {
			why = "the run was stopped before them"
		}
		add("missing", nil, float64(all-begun), "– %s not measured: %s.", prose.Count(all-begun, "cell", "cells"), why)
	}
	var far []Place
	var most float64
	var distrust []string // each step once
	for _, k := range c.Checks {
		if step := cmp.Or(steps[k.Why], "the calibration"); k.Far() {
			far, most = append(far, k.Place), max(most, math.Abs(k.Off()))
			if !slices.Contains(distrust, step) {
				distrust = append(distrust, step)
			}
		}
	}
	switch {
	case far != nil && c.Calibration != nil && c.Calibration.Fit != nil:
		add("check", far, most, "! Measured up to %.0f %% beyond what the fit gives: %s. No single CPU speed and S3 latency explain all that was measured. To measure every cell: go run ./tune aws", 100*most, someOf(far))
	case far != nil:
		add("check", far, most, "! Measured up to %.0f %% beyond what was computed: %s. Distrust %s. To measure every cell: go run ./tune --measure",
			100*most, someOf(far), prose.List(distrust))
	}
}

// steps names what to distrust if a check disagrees, by its Why. Otherwise it is the calibration.
var steps = map[string]string{
	"processor":  "the CPU time of a read, which the calibration measured",
	"sequential": "S3's latency as this machine keeps it",
}

// above returns the cells with a figure above the limit, size by size, and the greatest figure.
func (c *Comparison) above(limit float64, figure func(*Cell) float64) (places []Place, most float64) {
	for _, power := range c.Run.PowerValues {
		for i := range c.Variants {
			cell := c.Variants[i].Cell(power)
			if _, ok := c.Summarize(cell); !ok {
				continue
			}
			if f := figure(cell); f > limit {
				places, most = append(places, c.Variants[i].Place(power)), max(most, f)
			}
		}
	}
	return places, most
}

func truth(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

// Starved is how many cores of this machine the cell's threads waited for.
func (c *Cell) Starved() float64 { return cmp.Or(c.CPUShare, &CPUShare{}).Starved }

// Busy reports whether this machine may have made the cell slower.
func (c *Cell) Busy() bool { return c.Starved() > BusyCores }

// Beyond reports whether this machine has less CPU than the cell's memory size buys, and could not keep up with it.
func (c *Comparison) Beyond(cell *Cell) bool {
	return cell.Busy() && cell.CPUShare.Target > c.Run.VCPUs(c.Run.CPUs)
}

// Answer returns the answer of a cell's last invocation, or nil if it is not that of this project's function.
func (c *Comparison) Answer(cell *Cell) *event.Answer {
	var a event.Answer
	if c.Run.Repeat == 0 || json.Unmarshal(cell.Response, &a) != nil || a.ObjectsRead+a.Failed != c.Run.Repeat || !(a.TimeSec > 0) {
		return nil
	}
	return &a
}

// Name names a cell: "pool (30) at 512 MB", or "512 MB" without a strategy.
func (p Place) Name() string {
	if p.Strategy == None {
		return prose.Thousands(p.Power, 0) + " MB"
	}
	return fmt.Sprintf("%s at %s MB", prose.OneLine(p.Label(), maxLabel), prose.Thousands(p.Power, 0))
}

// someOf names the first of the cells, and counts the others.
func someOf(places []Place) string {
	var names []string
	for _, p := range places {
		names = append(names, p.Name())
	}
	if n := len(names) - 2; n > 1 {
		return strings.Join(names[:2], ", ") + fmt.Sprintf(" and %d more", n)
	}
	return prose.List(names)
}
