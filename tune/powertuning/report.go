package powertuning

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Report is the line with which Lambda ends the log of an invocation.
type Report struct {
	RequestID   string
	DurationMS  float64
	BilledMS    int // of a cold start INIT is part of it
	MemoryMB    int
	MaxMemoryMB int
	InitMS      float64 // 0 unless it was a cold start
}

// String is the line as Lambda writes it to a text log, tabs included and
// without the line's end.
func (r Report) String() string {
	s := fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t",
		r.RequestID, r.DurationMS, r.BilledMS, r.MemoryMB, r.MaxMemoryMB)
	if r.InitMS > 0 {
		s += fmt.Sprintf("Init Duration: %.2f ms\t", r.InitMS)
	}
	return s
}

// TotalMS is what the tool takes for the invocation's duration.
func (r Report) TotalMS() float64 { return r.DurationMS + r.InitMS }

// The tool's own expressions. It applies each to the whole log, and takes the
// first match wherever it stands.
var (
	reportLine = regexp.MustCompile(`REPORT RequestId: (\S*)`)
	duration   = regexp.MustCompile(`\tDuration: (\d+\.\d+) ms`)
	billed     = regexp.MustCompile(`\tBilled Duration: (\d+) ms`)
	initTime   = regexp.MustCompile(`\tInit Duration: (\d+\.\d+) ms`)
	memory     = regexp.MustCompile(`\tMemory Size: (\d+) MB`)
	maxMemory  = regexp.MustCompile(`\tMax Memory Used: (\d+) MB`)
)

// ParseReport finds the report in a log and reads it as the tool does. It
// returns an error where the tool fails, or reads 0 and goes on without a
// word: a log that begins with a brace, which it takes for JSON, one without
// a REPORT line, and a line without one of its figures. SnapStart's durations
// are not read: Go has none.
func ParseReport(log string) (Report, error) {
	if strings.HasPrefix(log, "{") {
		return Report{}, errors.New("the log begins with {: Power Tuning takes it for a JSON log, of which it can not read the durations: use text logs, and begin no line with {")
	}
	id := reportLine.FindStringSubmatch(log)
	if id == nil {
		return Report{}, errors.New("the log has no REPORT line: only its last 4 KB are read")
	}
	var errs [5]error
	r := Report{RequestID: id[1]}
	r.DurationMS, errs[0] = float("Duration", duration, log)
	r.BilledMS, errs[1] = integer("Billed Duration", billed, log)
	r.MemoryMB, errs[2] = integer("Memory Size", memory, log)
	r.MaxMemoryMB, errs[3] = integer("Max Memory Used", maxMemory, log)
	if initTime.MatchString(log) {
		r.InitMS, errs[4] = float("Init Duration", initTime, log)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return Report{}, fmt.Errorf("REPORT line: %w", err)
	}
	return r, nil
}

func float(name string, re *regexp.Regexp, log string) (float64, error) {
	s, err := find(name, re, log)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(s, 64)
}

func integer(name string, re *regexp.Regexp, log string) (int, error) {
	s, err := find(name, re, log)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(s)
}

func find(name string, re *regexp.Regexp, log string) (string, error) {
	m := re.FindStringSubmatch(log)
	if m == nil {
		return "", fmt.Errorf("it has no %s in the form that Lambda writes", name)
	}
	return m[1], nil
}
