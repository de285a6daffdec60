package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"lambda-parallel-io/tune/comparison"
)

// selection holds the flags that say what to compare, here and on AWS.
type selection struct {
	Strategies  []string      `first:"" placeholder:"LIST" help:"${strategies} (all), or ${none}: send the payload as it is."`
	Concurrency concurrencies `placeholder:"LIST" help:"Concurrency of ${bounded}, 1 to ${max_concurrency} (the best of each size; with --measure and on AWS ${concurrency}). Each of a list is a variant."`
	Power       []int         `first:"" aliases:"memory" placeholder:"LIST" help:"Memory sizes, 128 to 10240 MB, such as 512,1769 (docs/defaults.md)."`
	Num         *int          `placeholder:"N" xor:"max,for" help:"Exact number of invocations per cell (on AWS ${num}). Fewer than 6 cannot tell noise from a difference."`
	Repeat      *int          `first:"" placeholder:"N" help:"Reads per invocation (${map_repeat}; with --measure and on AWS ${repeat})."`
	Payload     string        `first:"" placeholder:"JSON" xor:"payload" help:"JSON payload, in which the flags above set fields."`
	Arch        string        `placeholder:"ARCH" help:"Architecture, arm64 or x86_64, for prices and speed (arm64; on AWS the function's)."`
	Timeout     time.Duration `placeholder:"D" help:"Timeout of an invocation, 1s to 900s (600s; on AWS the function's)."`
}

// request returns the request of these flags, to which the caller adds where it runs.
func (s *selection) request() comparison.Request {
	return comparison.Request{
		Strategies: s.Strategies, Concurrency: s.Concurrency, Num: s.Num, Repeat: s.Repeat, Payload: json.RawMessage(s.Payload),
		Spec: comparison.Spec{PowerValues: s.Power, Arch: s.Arch, TimeoutSec: s.Timeout.Seconds()},
	}
}

// concurrencies is a list of whole numbers: 10,30,64.
type concurrencies []int

func (c *concurrencies) UnmarshalText(raw []byte) error {
	if err := json.Unmarshal(fmt.Appendf(nil, "[%s]", raw), (*[]int)(c)); err != nil || len(*c) == 0 {
		return fmt.Errorf("%.40q: it must be a list of whole numbers, such as 10,30", raw)
	}
	return nil
}

// asFlag turns the error of a field into one of the flag with its name.
func asFlag(err error) error {
	if _, ok := errors.AsType[*comparison.FieldError](err); ok {
		return usagef("--%w", err)
	}
	return err
}
