package comparison

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"lambda-parallel-io/handler/platform"
)

// The limits of what is measured, and of its file.
const (
	maxMS     = 3_600_000            // Lambda's timeout is at most 900 s
	maxNumber = 1 << 40              // of anything else
	maxAnswer = platform.MaxResponse // bytes of a response: older files hold whole responses
	maxPoints = 100_000              // of a map
	maxBytes  = 256 << 20            // more than any valid comparison takes

	MinFactor, MaxFactor = 0.1, 20.0 // vCPUs per core
)

// Factor clamps f to the range of a CPU's factor or scale, and rounds it to a hundredth.
func Factor(f float64) float64 { return math.Round(100*min(max(f, MinFactor), MaxFactor)) / 100 }

// Write writes results.json.
func (c *Comparison) Write(w io.Writer) error { return WriteJSON(w, c) }

// WriteJSON writes a value as this program's files and --json show it.
func WriteJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// Read reads a results.json. If no run could have written it, the error says in a sentence what is wrong with it.
func Read(r io.Reader) (*Comparison, error) {
	c, err := read(r)
	if err != nil {
		return nil, fmt.Errorf("reading results: %w", err)
	}
	c.Conclude() // the file may be older, or hold wrong conclusions
	return c, nil
}

func read(r io.Reader) (*Comparison, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("more than %d MB: no comparison is that large", maxBytes>>20)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // a byte order mark, which editors write
	var compact json.RawMessage                     // so that payloads and responses look the same however the file was indented
	if err := json.Unmarshal(data, &compact); err != nil {
		syntax, _ := errors.AsType[*json.SyntaxError](err) // its message lacks the position
		return nil, fmt.Errorf("not valid JSON at byte %d: %w", syntax.Offset, err)
	}
	data, _ = json.Marshal(compact)
	var c Comparison
	switch err := json.Unmarshal(data, &c); { // which goes on after a wrong type: another schema has others
	case c.Schema != 0 && c.Schema != Schema:
		return nil, fmt.Errorf("schema %d: this version reads schema %d", c.Schema, Schema)
	case err != nil:
		return nil, err
	case c.Schema == 0:
		return nil, errors.New("no schema: this is not a results.json of this tool")
	}
	for _, r := range c.Variants {
		c.Run.Variants = append(c.Run.Variants, r.Variant)
	}
	return &c, c.Validate()
}

// Validate reports the first thing in a comparison that no run could have written. The views rely on what it checks.
func (c *Comparison) Validate() error {
	checked := c.Map != nil || c.Mode == AWS && c.Calibration != nil
	err := cmp.Or(
		unless(c.Mode == Local && !c.Run.AWS() || c.Mode == AWS && c.Run.AWS(),
			"mode", "must be %s, or %s with a state machine, got %.40q", Local, AWS, c.Mode),
		unless(c.Map == nil || c.Calibration != nil, "calibration", "is missing: the map was computed from one"),
		plausible("", reflect.ValueOf(*c)), within("run: time's year", c.Run.Time.Year(), 1, 9999),
		unless(len(c.Checks) == 0 || checked && len(c.Checks) <= maxCells, "checks", "without a map, or too many"))
	for i, r := range c.Variants {
		err = cmp.Or(err, c.checkExecution(r.Execution))
		last, field := 0, fmt.Sprintf("variant %d: cell", i+1)
		for _, cell := range r.Cells {
			p := cmp.Or(cell.Computed, &Point{Place: Place{Power: cell.Power}})
			err = cmp.Or(err,
				unless(cell.Power > last && slices.Contains(c.Run.PowerValues, cell.Power),
					field, "of %d MB: the cells must be of the run's power values, in ascending order", cell.Power),
				unless((cell.Computed != nil) == (c.Map != nil) && p.Power == cell.Power,
					field, "of %d MB: the cells of a map, and no others, have their computed point", cell.Power))
			last = cell.Power
		}
	}
	for _, k := range c.Checks {
		err = cmp.Or(err, c.checkExecution(k.Execution))
	}
	return cmp.Or(err, unless(c.Recommendation == nil || c.Recommended() != nil, "the recommendation", "names no cell that was measured"))
}

// checkExecution checks an execution's ARN, which ends up in commands for a shell.
func (c *Comparison) checkExecution(arn string) error {
	name, ours := strings.CutPrefix(arn, strings.Replace(c.Run.StateMachine, ":stateMachine:", ":execution:", 1)+":")
	return unless(arn == "" || ours && executionName.MatchString(name),
		"execution", "%.200q is none of the state machine %s", arn, c.Run.StateMachine)
}

// executionName is what Step Functions allows.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
var executionName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// plausible checks everything below v that JSON holds: no number is negative or absurdly large, no text is longer
// than maxText, and each struct passes [check].
func plausible(name string, v reflect.Value) (err error) {
	most := float64(maxNumber)
	if strings.HasSuffix(name, "ms") {
		most = maxMS
	}
	switch v.Kind() {
	case reflect.Int:
		err = within(name, int(v.Int()), 0, int(most))
	case reflect.Float64:
		err = within(name, v.Float(), 0, most)
	case reflect.String:
		err = within("length of "+name, v.Len(), 0, maxText)
	case reflect.Pointer:
		if !v.IsNil() {
			err = plausible(name, v.Elem())
		}
	case reflect.Slice, reflect.Map:
		if v.Type().Elem().Kind() == reflect.Uint8 { // JSON
			return nil
		}
		for key, value := range v.Seq2() {
			if err = cmp.Or(plausible("a key", key), plausible(name, value)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		err = check(v.Interface())
		for field, value := range v.Fields() {
			if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); field.IsExported() && tag != "-" {
				err = cmp.Or(err, plausible(tag, value))
			}
		}
		if err != nil && name != "" {
			err = fmt.Errorf("%s: %w", name, err)
		}
	}
	return err
}

// unless returns a [*FieldError] unless the condition of a field holds.
func unless(holds bool, field, problem string, args ...any) error {
	if holds {
		return nil
	}
	return &FieldError{field, fmt.Sprintf(problem, args...)}
}

func within[N int | float64](name string, got, least, most N) error {
	if got >= least && got <= most {
		return nil
	}
	kind := ""
	if _, whole := any(got).(int); whole {
		kind = "a whole number "
	}
	return unless(false, name, "%v: it must be %sfrom %v to %v", got, kind, least, most)
}

// check checks what is special to a struct.
func check(of any) error {
	switch x := of.(type) {
	case Spec:
		return x.check()
	case CPU:
		return cmp.Or(within("factor", x.Factor, MinFactor, MaxFactor), within("scale", x.Scale, 0, MaxFactor),
			within("low", x.Low, 0, x.Factor), within("high", x.High, x.Low, MaxFactor))
	case Cell:
		n, billed := len(x.DurationsMS), len(x.BilledMS)
		err := cmp.Or(within("size of the response", len(x.Response), 0, maxAnswer), unless(n == billed && n <= MaxNum,
			"it", "has %d durations and %d billed durations: there must be as many, at most %d", n, billed, MaxNum))
		for _, d := range x.DurationsMS {
			if err == nil {
				err = within("duration", d, 1e-6, maxMS)
			}
		}
		return err
	case Place:
		return cmp.Or(within("length of the strategy", len(x.Strategy), 1, maxText),
			within("concurrency", *cmp.Or(x.Concurrency, new(1)), 1, maxConcurrency),
			within("power", x.Power, platform.MinMemory, platform.MaxMemory))
	case Map:
		return within("number of points", len(x.Points), 1, maxPoints)
	case Point:
		return cmp.Or(within("duration_ms", x.DurationMS, 1e-6, maxMS), within("cost_per_million", x.CostPerMillion, 1e-6, maxNumber),
			within("low_ms", x.LowMS, 0, x.DurationMS), within("high_ms", x.HighMS, x.DurationMS, maxMS))
	case Figure:
		return cmp.Or(within("low", x.Low, 0, x.Value), within("high", x.High, x.Value, maxMS))
	case Calibration:
		ascending := slices.IsSortedFunc(x.Crowd, func(a, b CrowdCost) int { return a.InFlight - b.InFlight })
		return cmp.Or(within("number of strategies", len(x.Reads), 1, maxVariants),
			unless(ascending, "crowd", "%v: it must be in ascending order", x.Crowd))
	}
	return nil
}
