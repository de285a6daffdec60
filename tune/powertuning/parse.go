package powertuning

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

var fieldNames = []string{
	"lambdaARN", "powerValues", "num", "payload", "payloadS3",
	"strategy", "balancedWeight", "discardTopBottom", "sleepBetweenRunsMs",
	"parallelInvocation", "onlyColdStarts", "includeOutputResults", "disablePayloadLogs", "dryRun", "allowedExceptions",
	"preProcessorARN", "postProcessorARN", "autoOptimize", "autoOptimizeAlias",
}

// ParseInput reads the input of an execution, a JSON object. It takes what
// the tool takes: whole numbers also as strings, powerValues also as "ALL"
// (128 to 3,008 in steps of 64), a balancedWeight or discardTopBottom beyond
// its limits as the limit. It is stricter where the tool would fail later or
// go on without a word: an unknown field, a wrong type, a power value that
// Lambda does not have or that stands twice. An error names the field, its
// value and what is allowed.
//
// lambdaARN and num, which the tool requires, may be absent: a run on one
// machine needs no ARN, and a caller has its own defaults.
func ParseInput(raw []byte) (Input, error) {
	in, err := parseInput(raw)
	if err != nil {
		return Input{}, fmt.Errorf("power tuning input: %w", err)
	}
	return in, nil
}

func parseInput(raw []byte) (in Input, err error) {
	members, err := object(raw)
	if err != nil {
		return Input{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if err := in.set(name, members[name]); err != nil {
			return Input{}, err
		}
	}
	return in, in.checkWeights()
}

func (in *Input) set(name string, v jsontext.Value) (err error) {
	switch name {
	case "lambdaARN":
		in.LambdaARN, err = arn(name, v)
	case "powerValues":
		in.PowerValues, err = powers(v)
	case "num":
		in.Num, err = whole(name, v, MinNum, noLimit)
	case "payload":
		in.Payload = json.RawMessage(v)
	case "payloadS3":
		if in.PayloadS3, err = text(name, v); err == nil && !s3Link.MatchString(in.PayloadS3) {
			err = fmt.Errorf("payloadS3 must be of the form s3://BUCKET/KEY, got %s", shorten(string(v)))
		}
	case "strategy":
		in.Strategy, err = goalName(v)
	case "balancedWeight":
		in.BalancedWeight, err = clamped(name, v, 1)
	case "discardTopBottom":
		in.DiscardTopBottom, err = clamped(name, v, MaxDiscardTopBottom)
	case "sleepBetweenRunsMs":
		in.SleepBetweenMS, err = whole(name, v, 0, noLimit)
	case "parallelInvocation":
		in.ParallelInvocation, err = boolean(name, v)
	case "onlyColdStarts":
		in.OnlyColdStarts, err = boolean(name, v)
	case "includeOutputResults":
		in.IncludeOutputResults, err = boolean(name, v)
	case "disablePayloadLogs":
		in.DisablePayloadLogs, err = boolean(name, v)
	case "dryRun":
		in.DryRun, err = boolean(name, v)
	case "allowedExceptions":
		if v.Kind() != '[' || json.Unmarshal(v, &in.AllowedExceptions) != nil {
			err = fmt.Errorf("allowedExceptions must be a list of strings, got %s", shorten(string(v)))
		}
	case "preProcessorARN":
		in.PreProcessorARN, err = text(name, v)
	case "postProcessorARN":
		in.PostProcessorARN, err = text(name, v)
	case "autoOptimize":
		in.AutoOptimize, err = boolean(name, v)
	case "autoOptimizeAlias":
		in.AutoOptimizeAlias, err = text(name, v)
	default:
		err = fmt.Errorf("unknown field %q: the fields are %s", shorten(name), strings.Join(fieldNames, ", "))
	}
	return err
}

var (
	s3Link      = regexp.MustCompile(`^s3://[^/]+/.+$`)
	functionARN = regexp.MustCompile(`^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+$`)
)

// CheckFunctionARN returns an error unless arn is that of a Lambda function
// without version or alias, the only form that the tool takes.
func CheckFunctionARN(arn string) error {
	if !functionARN.MatchString(arn) {
		return fmt.Errorf("%q is not the ARN of a function: it must be of the form arn:aws:lambda:REGION:ACCOUNT:function:NAME, without version or alias", shorten(arn))
	}
	return nil
}

func arn(name string, v jsontext.Value) (string, error) {
	s, err := text(name, v)
	if err == nil {
		err = CheckFunctionARN(s)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

func goalName(v jsontext.Value) (string, error) {
	s, err := text("strategy", v)
	if err == nil && s != "" { // the tool takes "" for its default
		err = checkStrategy(s)
	}
	return s, err
}

func checkStrategy(s string) error {
	if s != Cost && s != Speed && s != Balanced {
		return fmt.Errorf("strategy must be %s, %s or %s, got %q", Cost, Speed, Balanced, shorten(s))
	}
	return nil
}

func clamped(name string, v jsontext.Value, most float64) (*float64, error) {
	f, err := number(name, v)
	if err != nil {
		return nil, fmt.Errorf("%w: it must be one from 0 to %g", err, most)
	}
	f = clamp(f, most)
	return &f, nil
}

func powers(v jsontext.Value) ([]int, error) {
	if string(v) == `"ALL"` {
		return allPowers(), nil
	}
	var list []jsontext.Value
	if v.Kind() != '[' || json.Unmarshal(v, &list) != nil {
		return nil, fmt.Errorf(`powerValues must be a list of MB or "ALL", got %s`, shorten(string(v)))
	}
	var mb []int
	for _, e := range list {
		p, err := whole("powerValues: each", e, MinPower, MaxPower)
		if err != nil {
			return nil, err
		}
		if slices.Contains(mb, p) {
			return nil, errors.New("powerValues: " + shorten(string(e)) + " stands twice")
		}
		mb = append(mb, p)
	}
	return mb, nil
}

// allPowers is what the tool takes "ALL" for.
func allPowers() (mb []int) {
	for p := MinPower; p <= 3008; p += 64 {
		mb = append(mb, p)
	}
	return mb
}
