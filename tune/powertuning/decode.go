package powertuning

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"lambda-parallel-io/handler/platform"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lambda-parallel-io/handler/strictjson"
)

// fields are the rules of an Input's and an Output's fields; a payload is left
// alone.
var fields = json.JoinUnmarshalers(
	strictjson.Rule(readAll), strictjson.Rule(readString), strictjson.Rule(readShare),
	strictjson.Rule(readNumber), strictjson.Rule(readWhole),
)

func readAll(_ string, v jsontext.Value, sizes *[]int) (want string, ok bool) {
	for mb := platform.MinMemory; mb <= 3008; mb += 64 {
		*sizes = append(*sizes, mb)
	}
	return `a list of MB or "ALL"`, string(v) == `"ALL"`
}

// The fields of which not every string is allowed.
var stringFields = map[string]struct {
	want    string
	allowed func(string) bool
}{
	"lambdaARN":     {"of the form " + functionARNForm, functionARN.MatchString},
	"payloadS3":     {"of the form s3://BUCKET/KEY", regexp.MustCompile(`^s3://[^/]+/.+$`).MatchString},
	"strategy":      {goals, func(s string) bool { return slices.Contains([]string{"", Cost, Speed, Balanced}, s) }}, // "" is the tool's default
	"visualization": {"an https or http link", isLink},
}

func readString(name string, v jsontext.Value, s *string) (want string, ok bool) {
	if v.Kind() != '"' || json.Unmarshal(v, s) != nil {
		return "a string", false
	}
	if f, ok := stringFields[name]; ok {
		return f.want, f.allowed(*s)
	}
	return "", true
}

// isLink says whether a browser may be sent there. No link of the tool's has
// the characters that may harm the view that shows it.
func isLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'<>`\\", r) })
}

// readShare reads a share, which may be beyond its limits: the tool takes the
// limit for it.
func readShare(name string, v jsontext.Value, share **float64) (want string, ok bool) {
	*share = new(float64)
	most := map[string]float64{"balancedWeight": 1, "discardTopBottom": MaxDiscardTopBottom}[name]
	return fmt.Sprintf("a number from 0 to %g", most), json.Unmarshal(v, *share) == nil && v.Kind() == '0'
}

// readNumber reads dollars or ms.
func readNumber(_ string, v jsontext.Value, number *float64) (want string, ok bool) {
	return "a number of at least 0", json.Unmarshal(v, number) == nil && v.Kind() == '0' && *number >= 0
}

// readWhole reads a whole number: a count, ms, or else a power value. It may
// stand in a string: the tool takes both, and its own power values are
// strings.
func readWhole(name string, v jsontext.Value, number *int) (want string, ok bool) {
	least, most, want := platform.MinMemory, platform.MaxMemory, fmt.Sprintf("a whole number from %d to %d", platform.MinMemory, platform.MaxMemory)
	if l, ok := map[string]int{"num": MinNum, "sleepBetweenRunsMs": 0}[name]; ok {
		least, most, want = l, math.MaxInt32, fmt.Sprintf("a whole number of at least %d", l)
	}
	if v.Kind() == '"' {
		v = v[1 : len(v)-1]
	}
	f, err := strconv.ParseFloat(string(v), 64) // which takes more than JSON's numbers
	*number = int(f)
	return want, err == nil && v.IsValid() && f == math.Trunc(f) && f >= float64(least) && f <= float64(most)
}
