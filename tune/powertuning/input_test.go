package powertuning

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
)

const exampleARN = "arn:aws:lambda:us-east-1:123456789012:function:parallel"

func TestInputMarshalsToWhatTheStateMachineTakes(t *testing.T) {
	weight := 0.0
	in := Input{
		LambdaARN: exampleARN, Num: 5, PowerValues: []int{512, 1024},
		Payload: json.RawMessage(`{"strategy": "pool"}`), Strategy: Balanced, BalancedWeight: &weight, IncludeOutputResults: true,
	}
	got, err := json.Marshal(in)
	want := `{"lambdaARN":"` + exampleARN + `","powerValues":[512,1024],"num":5,"payload":{"strategy":"pool"},` +
		`"strategy":"balanced","balancedWeight":0,"includeOutputResults":true}`
	if err != nil || string(got) != want {
		t.Errorf("Marshal = %s, %v, want %s", got, err, want)
	}
}

// The input has every field.
func TestEveryFieldIsRead(t *testing.T) {
	raw := `{"lambdaARN":"` + exampleARN + `","powerValues":[512,1024],"num":7,"payload":{"a":1},"payloadS3":"s3://b/k",` +
		`"strategy":"speed","balancedWeight":0.3,"discardTopBottom":0.1,"sleepBetweenRunsMs":20,` +
		`"parallelInvocation":true,"onlyColdStarts":true,"includeOutputResults":true,"disablePayloadLogs":true,"dryRun":true,` +
		`"allowedExceptions":["E"],"preProcessorARN":"pre","postProcessorARN":"post","autoOptimize":true,"autoOptimizeAlias":"live"}`
	in, err := ParseInput([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(in); err != nil || string(got) != raw {
		t.Errorf("ParseInput and Marshal = %s, %v, want %s", got, err, raw)
	}
	for i, field := 0, reflect.ValueOf(in); i < field.NumField(); i++ {
		if field.Field(i).IsZero() {
			t.Errorf("ParseInput read no %s", field.Type().Field(i).Name)
		}
	}
}

func TestTheErrorForAnUnknownFieldListsTheFields(t *testing.T) {
	want := `power tuning input: unknown field "repeat": the fields are lambdaARN, powerValues, num, payload, payloadS3, ` +
		"strategy, balancedWeight, discardTopBottom, sleepBetweenRunsMs, " +
		"parallelInvocation, onlyColdStarts, includeOutputResults, disablePayloadLogs, dryRun, " +
		"allowedExceptions, preProcessorARN, postProcessorARN, autoOptimize, autoOptimizeAlias"
	if in, err := ParseInput([]byte(`{"repeat": 5}`)); err == nil || err.Error() != want {
		t.Errorf("ParseInput = %+v, %v, want %s", in, err, want)
	}
}

type goals struct {
	strategy        string
	weight, discard float64
}

func goal(in Input) (g goals) {
	g.strategy, g.weight, g.discard = in.Goal()
	return g
}

func TestInputIsReadAsByTheTool(t *testing.T) {
	in, err := ParseInput([]byte(`{"num": "10", "powerValues": ["512", 1024.0, 3e3], "sleepBetweenRunsMs": 5e1, "strategy": ""}`))
	if err != nil || in.Num != 10 || in.SleepBetweenMS != 50 || !slices.Equal(in.PowerValues, []int{512, 1024, 3000}) || goal(in).strategy != Cost {
		t.Errorf("numbers as strings: %+v, %v", in, err)
	}
	in, err = ParseInput([]byte(`{"powerValues": [], "balancedWeight": -3, "discardTopBottom": 0.5}`))
	if want := (goals{Cost, 0, 0.4}); err != nil || len(in.PowerValues) != 0 || goal(in) != want {
		t.Errorf("beyond the limits: %+v, %v, want %+v", goal(in), err, want)
	}
	if got, want := goal(Input{}), (goals{Cost, 0.5, 0.2}); got != want {
		t.Errorf("Input{}.Goal() = %+v, want %+v", got, want)
	}
	if in, err = ParseInput([]byte("\ufeff" + `{"num": 10}`)); err != nil || in.Num != 10 {
		t.Errorf("after a byte order mark: %+v, %v", in, err)
	}
	share := 0.3
	if got := goal(Input{OnlyColdStarts: true, DiscardTopBottom: &share}).discard; got != 0 {
		t.Errorf("onlyColdStarts trims %g, want 0", got)
	}
}

func TestErrorsNameTheFieldTheValueAndWhatIsAllowed(t *testing.T) {
	for raw, want := range map[string]string{
		``:                       "it must be a JSON object",
		`null`:                   "it must be a JSON object, got null",
		`[1]`:                    "it must be a JSON object, got [1]",
		"\x1b[2J\u202e":          "got \uFFFD[2J\uFFFD",
		`nonsense`:               "got nonsense",
		`{"num": 5`:              "not valid JSON",
		`{"num": 5} {}`:          "not valid JSON",
		`{"num": 5, "num": 6}`:   "duplicate",
		`{"Num": 5}`:             `unknown field "Num": the fields are lambdaARN, `,
		`{"powervalues": [512]}`: `unknown field "powervalues"`,
		`{"num": 4}`:             "num must be a whole number of at least 5, got 4",
		`{"num": 5.5}`:           "got 5.5",
		`{"num": "0x10"}`:        `got "0x10"`,
		`{"balancedWeight": 0.5, "payload": {}, "dryRun": null}`: "dryRun must be true or false, got null",
		`{"payloadS3": null}`:                                     "payloadS3 must be a string, got null",
		`{"payloadS3": ""}`:                                       `payloadS3 must be of the form s3://BUCKET/KEY, got ""`,
		`{"lambdaARN": ""}`:                                       `lambdaARN must be of the form`,
		`{"allowedExceptions": ["E", null]}`:                      "allowedExceptions[1] must be a string, got null",
		`{"allowedExceptions": null}`:                             "allowedExceptions must be a list of strings, got null",
		`{"num": "0x8p4"}`:                                        `got "0x8p4"`,
		`{"num": "` + "\u202e" + strings.Repeat("5", 1000) + `"}`: "got \"\uFFFD555",
		`{"powerValues": null}`:                                   `powerValues must be a list of MB or "ALL", got null`,
		`{"powerValues": "all"}`:                                  `powerValues must be a list of MB or "ALL", got "all"`,
		`{"num": 0}`:                                              "of at least 5, got 0",
		`{"num": 1e10}`:                                           "got 1e10",
		`{"num": "Inf"}`:                                          `got "Inf"`,
		`{"num": " 5"}`:                                           `got " 5"`,
		`{"num": true}`:                                           `got true`,
		`{"num": null}`:                                           "num must be a whole number of at least 5, got null",
		`{"powerValues": 512}`:                                    `powerValues must be a list of MB or "ALL", got 512`,
		`{"powerValues": "512,1024"}`:                             `powerValues must be a list of MB or "ALL"`,
		`{"powerValues": [127]}`:                                  "powerValues[0] must be a whole number from 128 to 10240, got 127",
		`{"powerValues": ["10241"]}`:                              `from 128 to 10240, got "10241"`,
		`{"powerValues": [512, null]}`:                            "got null",
		`{"powerValues": [512, "512"]}`:                           `powerValues: 512 is repeated`,
		`{"strategy": "Balanced"}`:                                `strategy must be cost, speed or balanced, got "Balanced"`,
		`{"strategy": 1}`:                                         "strategy must be a string, got 1",
		`{"balancedWeight": "0.5"}`:                               `balancedWeight must be a number from 0 to 1, got "0.5"`,
		`{"discardTopBottom": null}`:                              "discardTopBottom must be a number from 0 to 0.4, got null",
		`{"balancedWeight": 1e999}`:                               "balancedWeight must be a number from 0 to 1, got 1e999",
		`{"sleepBetweenRunsMs": -1}`:                              "sleepBetweenRunsMs must be a whole number of at least 0, got -1",
		`{"parallelInvocation": "true"}`:                          `parallelInvocation must be true or false, got "true"`,
		`{"allowedExceptions": "E"}`:                              `allowedExceptions must be a list of strings, got "E"`,
		`{"payloadS3": "https://bucket/key"}`:                     "payloadS3 must be of the form s3://BUCKET/KEY",
		`{"lambdaARN": "parallel"}`:                               `lambdaARN must be of the form arn:aws:lambda:REGION:ACCOUNT:function:NAME, without version or alias, got "parallel"`,
		`{"lambdaARN": "` + exampleARN + `:1"}`:                   "without version or alias",
		`{"payload": {"` + strings.Repeat("z", 5000) + `": }}`:    "not valid JSON",
		`{"payload": {"` + strings.Repeat("z", 5000) + `": 1, "` + strings.Repeat("z", 5000) + `": 1}}`: "not valid JSON",
		`"` + strings.Repeat("z", 5000): "must be a JSON object",
		`{"payload": "` + strings.Repeat("x", 100) + `", "` + strings.Repeat("y", 100) + `": 1}`: "…",
	} {
		in, err := ParseInput([]byte(raw))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "power tuning input: ") || len(err.Error()) > 500 {
			t.Errorf("ParseInput(%.300s) = %+v, %v, want an error with %q", raw, in, err, want)
		}
	}
}

func TestFunctionARNs(t *testing.T) {
	for arn, ok := range map[string]bool{
		exampleARN: true,
		"arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:a_b-C1": true,
		"arn:aws-cn:lambda:cn-north-1:123456789012:function:f":             true,
		exampleARN + ":live": false,
		"arn:aws:states:us-east-1:123456789012:stateMachine:x": false,
		"": false,
	} {
		if err := CheckFunctionARN(arn); (err == nil) != ok {
			t.Errorf("CheckFunctionARN(%q) = %v, want fine %t", arn, err, ok)
		}
	}
}

func TestEventIsWhatTheToolSends(t *testing.T) {
	for payload, want := range map[string]string{
		``: `null`, `null`: `null`, `false`: `null`, `0`: `null`, `-0.0`: `null`, `""`: `null`,
		`true`: `true`, `[ 1, 2 ]`: `[1,2]`, `{ "a": 1 }`: `{"a":1}`,
		`"text"`: `"text"`, `"{\"a\": 1}"`: `{"a": 1}`, `"12"`: `12`,
	} {
		if got := string(Input{Payload: json.RawMessage(payload)}.Event()); got != want {
			t.Errorf("payload %s: event %s, want %s", payload, got, want)
		}
	}
}

func TestAPayloadThatPowerTuningAltersIsReported(t *testing.T) {
	rounds := func(number, to string) string {
		return "Power Tuning rounds " + number + " in the payload to " + to + ": write it as a string"
	}
	for payload, want := range map[string]string{
		`0`: "Power Tuning sends null in place of the payload 0", `""`: `Power Tuning sends null in place of the payload ""`,
		` false `:                      "Power Tuning sends null in place of the payload false",
		`"{\"a\": 1}"`:                 `Power Tuning sends {"a": 1} in place of the payload "{\"a\": 1}"`,
		`9007199254740993`:             rounds("9007199254740993", "9007199254740992"), // 2^53 + 1
		`{"a": [1, 9007199254740995]}`: rounds("9007199254740995", "9007199254740996"),
		`[-18446744073709551616]`:      rounds("-18446744073709551616", "-18446744073709552000"), // 2^64 as JavaScript writes it
		``:                             "", `null`: "", `true`: "", `[]`: "", `1`: "", `"text"`: "", `{ "a": 0, "b": "" }`: "",
		`[9007199254740992, 9007199254740994, -9007199254740991, 0.1, 1.5e300, -0]`: "",
		`{"id": "9007199254740993"}`:        "",
		`{"id": 1, "id": 9007199254740993}`: rounds("9007199254740993", "9007199254740992"),
		"{\"\xff\": 9007199254740993}":      rounds("9007199254740993", "9007199254740992"),
	} {
		if got := (Input{Payload: json.RawMessage(payload)}).Alters(); got != want {
			t.Errorf("payload %s: Alters() = %q, want %q", payload, got, want)
		}
	}
}

// An input survives being written and read again, and its goal is within the limits.
func FuzzParseInput(f *testing.F) {
	c := load(f)
	for _, e := range c.Initializer {
		f.Add([]byte(e.Input))
	}
	for _, e := range c.GeneratePayloads {
		raw, err := json.Marshal(Input{Num: e.Input.Num, Payload: e.Input.Payload})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"powerValues":"ALL","num":"7","payloadS3":"s3://b/k","strategy":"balanced","balancedWeight":7,"discardTopBottom":-1,"sleepBetweenRunsMs":1e3,"onlyColdStarts":true}`))
	f.Add([]byte(`{"autoOptimizeAlias":"\u0000","allowedExceptions":["E"],"dryRun":true,"payload":"{\"a\":1}"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := ParseInput(raw)
		if err != nil {
			if long, ugly := len(err.Error()) > 600, strings.ContainsFunc(err.Error(), unicode.IsControl); long || ugly {
				t.Errorf("ParseInput(%q): unreadable error %q", raw, err)
			}
			return
		}
		once, err := json.Marshal(in)
		if err != nil {
			t.Fatalf("ParseInput(%q) = %+v, which does not marshal: %v", raw, in, err)
		}
		again, err := ParseInput(once)
		if err != nil {
			t.Fatalf("ParseInput(%q), written as %s: %v", raw, once, err)
		}
		if twice, err := json.Marshal(again); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("ParseInput(%q), written as %s, then as %s, %v", raw, once, twice, err)
		}
		if goal(in) != goal(again) {
			t.Errorf("ParseInput(%q) = %+v, written and read %+v", raw, in, again)
		}
		if g := goal(in); g.weight < 0 || g.weight > 1 || g.discard < 0 || g.discard > MaxDiscardTopBottom {
			t.Errorf("ParseInput(%q).Goal() = %+v", raw, g)
		}
		if e := in.Event(); !json.Valid(e) {
			t.Errorf("ParseInput(%q).Event() = %q, which is not JSON", raw, e)
		}
	})
}
