// Package event defines the function's input and output: the payload with its
// defaults, limits and decoder, and the answer. It has no side effects, so that
// the tuner and the deployment can use the same code as the function.
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
	DefaultConcurrency = 30 // of a comparison; a function's default is at least this: [DefaultWorkers]
	DefaultRepeat      = 10_000
	DefaultMaxObjects  = 100_000

	MaxConcurrency = 900 // one connection each: Lambda allows 1,024 file descriptors
	MaxRepeat      = 1_000_000
	MaxObjects     = 1_000_000 // more than three minutes at S3's 5,500 GETs a second
)

// Values of OnFailure. The empty one means Fail.
const (
	Fail   = "fail"   // the first object to fail ends the call with its error
	Report = "report" // the call continues, and the answer names the objects that failed
)

// Payload says which objects one invocation reads, and by which strategy. It names
// the objects in one of four ways: with ObjectKey, with Keys, with Prefix, or with
// the Items that Step Functions' Distributed Map sends and that become Keys.
type Payload struct {
	Strategy    string `json:"strategy"`
	Concurrency int    `json:"concurrency,omitzero"` // for strategies with a bound; by default the function's MAX_WORKERS

	Repeat    int    `json:"repeat,omitzero"` // how often to read ObjectKey
	ObjectKey string `json:"objectKey,omitzero"`

	Keys []string `json:"keys,omitzero"` // read these objects, in this order

	Prefix     *string `json:"prefix,omitzero"`     // read the objects below it; "" means the whole bucket
	Suffix     string  `json:"suffix,omitzero"`     // and only those whose keys have this suffix
	MaxObjects int     `json:"maxObjects,omitzero"` // more objects than this are an error

	// StartAfter is the last key that an earlier call has handled, in the order of
	// Keys or in S3's order of the keys below Prefix.
	StartAfter string `json:"startAfter,omitzero"`

	OnFailure string `json:"onFailure,omitzero"` // Fail or Report; ObjectKey does not allow Report

	Batch   bool    `json:"-"` // whether a Distributed Map sent the payload
	Listed  []Item  `json:"-"` // the items of Keys, in the same order
	Skipped Skipped `json:"-"` // counts the items that are not in Keys
}

// ways lists the fields that name the objects, and for each the other fields that
// may be used with it.
var ways = []struct {
	name string
	with []string
}{
	{"objectKey", []string{"strategy", "concurrency", "onFailure", "repeat"}},
	{"keys", []string{"strategy", "concurrency", "onFailure", "startAfter"}},
	{"prefix", []string{"strategy", "concurrency", "onFailure", "suffix", "maxObjects", "startAfter"}},
	{"Items", []string{"BatchInput"}},
}

// complete checks the combination of fields and completes the payload with
// defaults. workers is the default concurrency.
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
		return fmt.Errorf("%s cannot be combined: exactly one of objectKey, keys, prefix and Items must name the objects", strings.Join(named, " and "))
	}
	for _, name := range given {
		if name != named[0] && !slices.Contains(with, name) {
			return fmt.Errorf("%s cannot be used with %s, which allows only %s", name, named[0], strings.Join(with, ", "))
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
			return errors.New(`onFailure "report" cannot be used with objectKey: it lists the objects that failed, and objectKey names only one`)
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

// unique returns an error for a repeated key in keys, because a person chose them.
// It drops and counts repeated keys in Items, because Items may come from merged
// lists.
func (r *request) unique() error {
	p := &r.Payload
	seen := make(map[string]struct{}, len(p.Keys)+len(r.Items))
	for _, key := range p.Keys {
		if _, twice := seen[key]; twice {
			return fmt.Errorf("the key %.60q appears twice: each object is read once", key)
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

// Rest returns the keys of Keys after StartAfter, or nil if Keys lacks StartAfter.
func (p *Payload) Rest() []string {
	if p.StartAfter == "" {
		return p.Keys
	}
	if i := slices.Index(p.Keys, p.StartAfter); i >= 0 {
		return p.Keys[i+1:]
	}
	return nil
}

// DefaultWorkers returns the default concurrency of a function of a memory size in
// MB: 100 per vCPU, from 30 to MaxConcurrency. The best concurrency depends on the
// CPU that a size buys, on the CPU time of a read and on S3's latency. For reads
// of 9 KB, DefaultWorkers is near the best, while 30 is a half or a third of the
// best above 1,024 MB: docs/decisions/adaptive-concurrency.md has the measurements.
func DefaultWorkers(memoryMB int) int {
	return min(max(DefaultConcurrency, 100*memoryMB/platform.MemoryPerVCPU), MaxConcurrency)
}

// Workers returns the concurrency that the environment's MAX_WORKERS sets. An empty
// value means DefaultWorkers. An error says which values are allowed.
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
