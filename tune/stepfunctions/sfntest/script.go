package sfntest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The faults of a connection. Any other fault is the code of an error that is
// answered in place of the operation.
const (
	cut   = "cut"   // the connection is closed without an answer
	half  = "half"  // it is closed in the middle of the answer
	lost  = "lost"  // the operation is done, then the connection closed without an answer
	stall = "stall" // no answer comes
)

// The ends of an execution.
const (
	ok       = "ok"
	empty    = "empty"     // SUCCEEDED with {}: an invocation failed at the first power value
	timeout  = "timeout"   // SUCCEEDED with {}: an executor outlasted totalExecutionTimeout
	publish  = "publish"   // SUCCEEDED with {}: publishing the second version failed
	failed   = "failed"    // FAILED in the clean-up after the initializer failed
	timedOut = "timed-out" // TIMED_OUT
	aborted  = "aborted"   // ABORTED by a person
	running  = "running"   // it does not end
	dropped  = "dropped"   // as ok, but the first power value is missing from the answer
)

var ends = []string{ok, empty, timeout, publish, failed, timedOut, aborted, running, dropped}

// Script says how a Server behaves. The zero value lets everything succeed.
type Script struct {
	ends   map[string]string // by the payload's strategy
	looks  int               // looks at an execution that find it running
	busy   []string          // functions for which an execution of someone else runs
	faults []fault
}

type fault struct {
	operation, kind string
	after, times    int
}

// Parse reads a script, words of the form
//
//	STRATEGY=END               how the execution of that payload ends: ok, empty, timeout, publish,
//	                           failed, timed-out, aborted, running, dropped
//	OPERATION=FAULT:N@M        N requests (1) of the operation fail, after the first M (0): cut, half, lost,
//	                           stall, or the code of an error, as in DescribeExecution=ThrottlingException:3@1
//	looks=N                    how many looks at an execution find it running (1)
//	busy=ARN                   someone else's execution runs for that function
func Parse(words string) (Script, error) {
	s := Script{ends: map[string]string{}, looks: 1}
	for _, word := range strings.Fields(words) {
		key, value, _ := strings.Cut(word, "=")
		var err error
		switch {
		case key == "looks":
			s.looks, err = strconv.Atoi(value)
		case key == "busy":
			s.busy = append(s.busy, value)
		case strings.HasSuffix(key, "Execution") || strings.HasSuffix(key, "Executions") || key == "GetExecutionHistory":
			var f fault
			f, err = parseFault(key, value)
			s.faults = append(s.faults, f)
		case slices.Contains(ends, value):
			s.ends[key] = value
		default:
			err = fmt.Errorf("an execution's end is one of %s", strings.Join(ends, ", "))
		}
		if err != nil {
			return Script{}, fmt.Errorf("script: %s: %w", word, err)
		}
	}
	return s, nil
}

func parseFault(operation, s string) (fault, error) {
	f := fault{operation: operation, times: 1}
	var err error
	if before, after, ok := strings.Cut(s, "@"); ok {
		if f.after, err = strconv.Atoi(after); err != nil {
			return f, err
		}
		s = before
	}
	kind, times, ok := strings.Cut(s, ":")
	f.kind = kind
	if ok {
		f.times, err = strconv.Atoi(times)
	}
	return f, err
}

// next returns the fault of the next request of the operation; empty for none.
func (s *Script) next(operation string) string {
	for i := range s.faults {
		f := &s.faults[i]
		switch {
		case f.operation != operation:
		case f.after > 0:
			f.after--
		case f.times > 0:
			f.times--
			return f.kind
		}
	}
	return ""
}

func (s *Script) end(strategy string) string {
	if end := s.ends[strategy]; end != "" {
		return end
	}
	return ok
}
