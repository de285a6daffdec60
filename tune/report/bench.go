package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"lambda-parallel-io/tune/comparison"
)

// Bench is results.txt in Go's benchmark format, a line a run, for
//
//	benchstat -col /strategy -row /memory results.txt
//
// Of a run on AWS a line stands for all runs of a cell, with their mean, as
// the format's count of iterations allows. Durations are the one unit: costs,
// which are whole milliseconds times a price, are often equal in all runs, of
// which benchstat would warn.
func Bench(c *comparison.Comparison) View {
	return func(w io.Writer) error {
		var b strings.Builder
		r := c.Run
		for _, kv := range [][2]string{
			{"mode", c.Mode}, {"arch", r.Arch}, {"region", r.Region}, {"os", r.OS}, {"go", r.Versions["go"]},
			{"function", r.Function}, {"object", r.ObjectKey}, {"repeat", strconv.Itoa(r.Repeat)}, {"latency", r.Latency},
		} {
			if value := clean(kv[1], maxMessage); value != "" {
				fmt.Fprintf(&b, "%s: %s\n", kv[0], value)
			}
		}
		b.WriteString("\n")
		for i := range c.Variants {
			v := &c.Variants[i]
			for j := range v.Cells {
				cell := &v.Cells[j]
				summary, ok := c.Summarize(cell)
				if !ok {
					continue
				}
				durations, iterations := cell.DurationsMS, 1
				if c.Mode == comparison.AWS {
					durations, iterations = []float64{summary.DurationMS}, max(r.Num, 1)
				}
				for _, ms := range durations {
					fmt.Fprintf(&b, "Benchmark%s %d %.0f ns/op\n", benchName(v, cell.Power), iterations, ms*1e6)
				}
			}
		}
		_, err := io.WriteString(w, b.String())
		return err
	}
}

func benchName(v *comparison.Result, power int) string {
	name := "Read/strategy=" + benchWord(v.Strategy)
	if v.Concurrency != nil {
		name += fmt.Sprintf("/concurrency=%d", *v.Concurrency)
	}
	return name + fmt.Sprintf("/memory=%d", power)
}

// benchWord makes one part of a benchmark's name of a strategy's.
func benchWord(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == '.':
			return r
		}
		return '_'
	}, clean(s, maxName))
}
