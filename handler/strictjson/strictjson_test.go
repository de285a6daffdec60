package strictjson_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lambda-parallel-io/handler/strictjson"
)

type common struct {
	Name string `json:"name"`
}

type inner struct {
	On *bool `json:"on"`
}

type settings struct {
	common
	Sizes  []int          `json:"sizes"`
	Words  []string       `json:"words"`
	Inner  *inner         `json:"inner"`
	List   []inner        `json:"list"`
	Share  *float64       `json:"share"`
	Custom jsontext.Value `json:"custom"`
	Hidden string         `json:"-"`
}

var even = strictjson.Rule(func(name string, v jsontext.Value, n *int) (string, bool) {
	return "an even number" + name, json.Unmarshal(v, n) == nil && *n%2 == 0
})

func TestWhatIsWrongIsSaidWithFieldValueAndWhatIsAllowed(t *testing.T) {
	for raw, want := range map[string]string{
		``:                        "it must be a JSON object, got nothing",
		` [1] `:                   "it must be a JSON object, got [1]",
		`{"name": "n"} {}`:        "it is not valid JSON: ",
		`{"name": "n"`:            "it is not valid JSON: ",
		`{"name": `:               "it is not valid JSON: ",
		`{"name": 'n'}`:           "it is not valid JSON: ",
		`{"name": "a", "name":1}`: "duplicate",
		`{"Name": "n"}`:           `unknown field "Name": the fields are name, sizes, words, inner, list, share, custom`,
		`{"Hidden": "n"}`:         `unknown field "Hidden"`,
		`{"inner": {"off": 1}}`:   `unknown field "inner.off": the fields are on`,
		`{"name": null}`:          "name must be a string, got null",
		`{"name": 5}`:             "name must be a string, got 5",
		`{"share": null}`:         "share must be a number, got null",
		`{"share": "1"}`:          `share must be a number, got "1"`,
		`{"inner": null}`:         "inner must be a JSON object, got null",
		`{"inner": []}`:           "inner must be a JSON object, got []",
		`{"inner": {"on": 1}}`:    "inner.on must be true or false, got 1",
		`{"list": [{}, null]}`:    "list[1] must be a JSON object, got null",
		`{"list": [{"on": ""}]}`:  `list[0].on must be true or false, got ""`,
		`{"words": null}`:         "words must be a list of strings, got null",
		`{"words": ["a", 5]}`:     "words[1] must be a string, got 5",
		`{"sizes": {}}`:           "sizes must be a list, got {}",
		`{"sizes": [2, 3]}`:       "sizes[1] must be an even number, got 3",
		`{"name": ["` + strings.Repeat("\u202e\n", 1e6) + `"]}`: "it is not valid JSON",
		`{"name": ["` + strings.Repeat("ä", 1e6) + `"]}`:        `name must be a string, got ["ää`,
		`{"` + strings.Repeat("ä", 1e6) + `": 1}`:               `unknown field "ää`,
	} {
		err := strictjson.Unmarshal([]byte(raw), new(settings), even)
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 500 || strings.ContainsAny(err.Error(), "\n\u202e") {
			t.Errorf("Unmarshal(%.60s) = %.600v, want a line with %q", raw, err, want)
		}
	}
}

func TestWhatIsAllowedIsRead(t *testing.T) {
	const raw = "\ufeff" + ` {"name": "\u00e4", "sizes": [2, 4], "inner": {"on": false}, "share": 0, "custom": null}`
	off, share := false, 0.0
	want := settings{common: common{"ä"}, Sizes: []int{2, 4}, Inner: &inner{&off}, Share: &share, Custom: jsontext.Value("null")}
	var got settings
	if err := strictjson.Unmarshal([]byte(raw), &got, even); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Unmarshal(%s) = %+v, %v; want %+v", raw, got, err, want)
	}
	if given, want := strictjson.Given(&got), []string{"name", "sizes", "inner", "share", "custom"}; !slices.Equal(given, want) {
		t.Errorf("Given = %v, want %v", given, want)
	}
	if err := strictjson.Unmarshal([]byte(`{"another": 1, "name": "n"}`), &got, nil, json.RejectUnknownMembers(false)); err != nil || got.Name != "n" {
		t.Errorf("with other fields allowed: %+v, %v", got, err)
	}
}
