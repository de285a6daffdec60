// Package event is what the function is asked and what it answers: the
// payload with its defaults and limits, its decoder, and the answer. It is
// pure, so that the tuner and the deployment use the very code that the
// function does.
package event

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/handler/strictjson"
)

// The defaults and limits of a payload.
const (
	DefaultStrategy    = "pool"
	DefaultConcurrency = 30 // of a comparison, and of a function at the least: [DefaultWorkers]
	DefaultRepeat      = 10_000
	DefaultMaxObjects  = 100_000

	MaxConcurrency = 900 // connections: Lambda grants 1,024 file descriptors
	MaxRepeat      = 1_000_000
	MaxObjects     = 1_000_000 // at S3's 5,500 GETs a second more than three minutes
)

// Values of OnFailure. The empty one means Fail.
const (
	Fail   = "fail"   // the first object that fails ends the call with its error
	Report = "report" // the rest goes on, and the answer names what failed
)

// Payload is what one invocation is asked to do: to read objects by the
// strategy of that name. It names them in one of four ways: by ObjectKey, by
// Keys, by Prefix, or as a child of Step Functions' Distributed Map, whose
// Items become Keys.
type Payload struct {
	Strategy    string `json:"strategy"`
	Concurrency int    `json:"concurrency,omitzero"` // of the strategies that it bounds; left out, the function's MAX_WORKERS holds

	Repeat    int    `json:"repeat,omitzero"` // how often the object is read
	ObjectKey string `json:"objectKey,omitzero"`

	Keys []string `json:"keys,omitzero"` // these objects, in this order

	Prefix     *string `json:"prefix,omitzero"`     // what S3 lists below it; "" is the whole bucket
	Suffix     string  `json:"suffix,omitzero"`     // and whose keys end like this
	MaxObjects int     `json:"maxObjects,omitzero"` // more are an error

	// StartAfter is the last key that an earlier call has dealt with: of Keys,
	// or in S3's order of those below Prefix.
	StartAfter string `json:"startAfter,omitzero"`

	OnFailure string `json:"onFailure,omitzero"` // Fail or Report, which does not go with ObjectKey

	Batch   bool    `json:"-"` // whether a Distributed Map sent the payload
	Listed  []Item  `json:"-"` // its Items that Keys names, in its order
	Skipped Skipped `json:"-"` // those of them that are not in Keys
}

// ways are the fields that name the objects, each with the fields that go
// with it alone.
var ways = []struct {
	name string
	with []string
}{
	{"objectKey", []string{"strategy", "concurrency", "onFailure", "repeat"}},
	{"keys", []string{"strategy", "concurrency", "onFailure", "startAfter"}},
	{"prefix", []string{"strategy", "concurrency", "onFailure", "suffix", "maxObjects", "startAfter"}},
	{"Items", []string{"BatchInput"}},
}

// complete checks that the fields go together, and makes the payload of them.
func (r *request) complete(workers int) error {
	given := strictjson.Given(r)
	var named, with []string
	for _, way := range ways {
		if slices.Contains(given, way.name) {
			named, with = append(named, way.name), way.with
		}
	}
	switch len(named) {
	case 0:
		return errors.New(`objectKey is missing: it must be the key of the object to read, as in {"objectKey": "sample.json"}; keys, prefix or Items name several objects`)
	case 1:
	default:
		return fmt.Errorf("%s stand together: exactly one of objectKey, keys, prefix and Items must name the objects", strings.Join(named, " and "))
	}
	for _, name := range given {
		if name != named[0] && !slices.Contains(with, name) {
			return fmt.Errorf("%s does not go with %s: beside it may stand %s", name, named[0], strings.Join(with, ", "))
		}
	}
	p := &r.Payload
	if p.Batch = r.Items != nil; r.BatchInput != nil {
		p.Strategy, p.Concurrency, p.OnFailure, p.StartAfter = r.BatchInput.Strategy, r.BatchInput.Concurrency, r.BatchInput.OnFailure, r.BatchInput.StartAfter
	}
	p.Strategy, p.Concurrency = cmp.Or(p.Strategy, DefaultStrategy), cmp.Or(p.Concurrency, workers)
	switch {
	case p.ObjectKey != "":
		if p.OnFailure == Report {
			return errors.New(`onFailure "report" does not go with objectKey: it names objects that failed, and here is one`)
		}
		p.Repeat = cmp.Or(p.Repeat, DefaultRepeat)
		return nil
	case p.Prefix != nil:
		p.MaxObjects = cmp.Or(p.MaxObjects, DefaultMaxObjects)
		return nil
	case len(p.Keys)+len(r.Items) == 0:
		return fmt.Errorf("%s must name at least one object, got []", named[0])
	}
	if err := r.unique(); err != nil {
		return err
	}
	if p.StartAfter != "" && len(p.Rest()) == 0 {
		return fmt.Errorf("startAfter %.60q must be one of the keys, and not the last", p.StartAfter)
	}
	return nil
}

// unique refuses a key that stands twice among keys, since somebody chose them.
// Among Items it is read once, and counted: they come from lists that were put
// together.
func (r *request) unique() error {
	p := &r.Payload
	seen := make(map[string]struct{}, len(p.Keys)+len(r.Items))
	for _, key := range p.Keys {
		if _, twice := seen[key]; twice {
			return fmt.Errorf("the key %.60q stands twice: each object is read once", key)
		}
		seen[key] = struct{}{}
	}
	for _, item := range r.Items {
		if _, twice := seen[item.Key]; twice {
			p.Skipped.Duplicates++
		} else if !p.Skipped.Skip(item.Key, int64(item.Size), string(item.StorageClass)) {
			p.Keys, p.Listed = append(p.Keys, item.Key), append(p.Listed, item)
		}
		seen[item.Key] = struct{}{}
	}
	return nil
}

// Rest returns those of Keys that come after StartAfter.
func (p *Payload) Rest() []string {
	if p.StartAfter == "" {
		return p.Keys
	}
	if i := slices.Index(p.Keys, p.StartAfter); i >= 0 {
		return p.Keys[i+1:]
	}
	return nil
}

// DefaultWorkers is the concurrency of a payload that names none, in a function
// of that memory size in MB: 100 for each vCPU, and 30 at least. The best one
// depends on the processor that a size buys, on what a read takes of it and on
// S3's latency. For reads of 9 KB this is near it, and 30 is half or a third of
// it above 1,024 MB: docs/decisions/adaptive-concurrency.md has both measured.
func DefaultWorkers(memoryMB int) int {
	return min(max(DefaultConcurrency, 100*memoryMB/platform.MemoryPerVCPU), MaxConcurrency)
}

// Workers reads the environment's MAX_WORKERS. An empty value means
// DefaultWorkers.
func Workers(value string, memoryMB int) (int, error) {
	if value == "" {
		return DefaultWorkers(memoryMB), nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > MaxConcurrency {
		return 0, fmt.Errorf("MAX_WORKERS must be a whole number from 1 to %d, got %.60q", MaxConcurrency, value)
	}
	return n, nil
}
