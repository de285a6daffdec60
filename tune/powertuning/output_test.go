package powertuning

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"
)

const exampleOutput = `{"power":512,"cost":6.188e-05,"duration":9100.5,` +
	`"stateMachine":{"executionCost":0.00038,"lambdaCost":0.001879,"visualization":"https://lambda-power-tuning.show/#AAI=;ADIORg==;ksWBOA=="},` +
	`"stats":[{"value":512,"averagePrice":6.188e-05,"averageDuration":9100.5}]}`

func TestOutputIsRead(t *testing.T) {
	want := Output{Power: 512, Cost: 6.188e-05, Duration: 9100.5, Stats: []Stat{{512, 6.188e-05, 9100.5}}}
	want.StateMachine.ExecutionCost, want.StateMachine.LambdaCost = 0.00038, 0.001879
	want.StateMachine.Visualization = "https://lambda-power-tuning.show/#AAI=;ADIORg==;ksWBOA=="
	for _, raw := range []string{
		exampleOutput,
		strings.ReplaceAll(exampleOutput, `:512,`, `:"512",`),
		strings.Replace(exampleOutput, `{`, `{"new": [1],`, 1),
	} {
		if got, err := ParseOutput([]byte(raw)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("ParseOutput(%s) = %+v, %v, want %+v", raw, got, err, want)
		}
	}
}

func TestGarbageIsRefused(t *testing.T) {
	change := func(old, new string) string {
		if !strings.Contains(exampleOutput, old) {
			t.Fatalf("the example has no %s", old)
		}
		return strings.Replace(exampleOutput, old, new, 1)
	}
	const missing = "power, stateMachine.visualization or the value of a stat is missing"
	for raw, want := range map[string]string{
		`{}`: missing, `{"power":512}`: missing,
		``: "must be a JSON object, got nothing", `null`: "must be a JSON object", `[]`: "must be a JSON object", `{"power"`: "not valid JSON",
		exampleOutput + `1`:                                     "not valid JSON",
		change(`"power"`, `"Power"`):                            missing,
		change(`:512`, `:"big"`):                                `power must be a whole number from 128 to 10240, got "big"`,
		change(`:512`, `:-1`):                                   "got -1",
		change(`6.188e-05`, `"0"`):                              `cost must be a number of at least 0, got "0"`,
		change(`6.188e-05`, `-1`):                               "cost must be a number of at least 0, got -1",
		change(`9100.5`, `1e999`):                               "duration must be a number of at least 0, got 1e999",
		change(`9100.5`, `null`):                                "duration must be a number of at least 0, got null",
		change(`0.001879`, `true`):                              "stateMachine.lambdaCost must be a number",
		change(`"visualization"`, `"x"`):                        missing,
		change(`https://`, `javascript://`):                     "stateMachine.visualization must be an https or http link",
		change(`https://`, ``):                                  "must be an https or http link",
		change(`.show/`, `.show/\u001b[2J`):                     "must be an https or http link",
		change(`https://`, `https:`):                            "must be an https or http link",
		change(`#AAI`, `#\u202e`):                               "must be an https or http link",
		change(`#AAI`, `#<script>`):                             "must be an https or http link",
		change(`[{`, `{"a":[{`) + `}`:                           "stats must be a list",
		change(`[{`, `[null,{`):                                 "stats[0] must be a JSON object, got null",
		change(`"value":512`, `"value":1.5`):                    "stats[0].value must be a whole number from 128 to 10240, got 1.5",
		change(`"stateMachine":{`, `"stateMachine":null,"x":{`): "stateMachine must be a JSON object, got null",
		change(`:[{`, `:null,"a":[{`):                           "stats must be a list, got null",
		change(`"value"`, `"v"`):                                missing,
		change(`"stateMachine":{`, `"x":{`):                     missing,
		change(`"stateMachine":`, `"stateMachine":1,"x":`):      "stateMachine must be a JSON object, got 1",
	} {
		out, err := ParseOutput([]byte(raw))
		if err == nil || !strings.Contains(err.Error(), want) || !reflect.DeepEqual(out, Output{}) {
			t.Errorf("ParseOutput(%s) = %+v, %v, want an error with %q", raw, out, err, want)
		}
	}
}

// An output survives being written and read again, and is safe to show.
func FuzzParseOutput(f *testing.F) {
	f.Add([]byte(exampleOutput))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, err := ParseOutput(raw)
		if err != nil {
			if long, ugly := len(err.Error()) > 600, strings.ContainsFunc(err.Error(), unicode.IsControl); long || ugly {
				t.Errorf("ParseOutput(%q): unreadable error %q", raw, err)
			}
			return
		}
		written, err := json.Marshal(out)
		if err != nil {
			t.Fatalf("ParseOutput(%q) = %+v, which does not marshal: %v", raw, out, err)
		}
		again, err := ParseOutput(written)
		if len(out.Stats) == 0 {
			out.Stats = nil // an empty list is left out
		}
		if err != nil || !reflect.DeepEqual(out, again) {
			t.Errorf("ParseOutput(%q) = %+v, written and read %+v, %v", raw, out, again, err)
		}
		if link := out.StateMachine.Visualization; !strings.HasPrefix(strings.ToLower(link), "http") || strings.ContainsFunc(link, hostile) {
			t.Errorf("ParseOutput(%q) lets the link %q through", raw, link)
		}
		if _, err := draw(hash(out.Stats)); err != nil {
			t.Errorf("ParseOutput(%q): the chart of its stats: %v", raw, err)
		}
	})
}

func hostile(r rune) bool { return r < 0x21 || r > 0x7e || strings.ContainsRune("\"'<>`\\", r) }
