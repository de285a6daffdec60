package plan

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/prose"
	"lambda-parallel-io/tune/report"
)

// Settings are the deployment's settings that make a plan its default, in the
// order in which they are told: a key of Pulumi.yaml and its value.
func (p *Plan) Settings() [][2]string {
	return [][2]string{
		{"memorySize", strconv.Itoa(p.Memory)},
		{"architecture", p.run.Arch},
		{"batchStrategy", p.Strategy},
		{"batchConcurrency", strconv.Itoa(p.Concurrency)},
		{"batchSize", strconv.Itoa(p.Batch)},
		{"batchChildren", strconv.Itoa(p.Input.Children)},
	}
}

// reasons say in a sentence what a limit in Binds means.
var reasons = map[string]string{
	"prefix GETs":             "one child more would ask for more than S3 gives",
	"Lambda concurrency":      "the account runs no more functions at once; AWS raises that on request",
	"Lambda ramp":             "of 1,000 environments, and 1,000 more every 10 s, more come too late",
	"Step Functions children": "a map run has at most 10,000 children at once",
	"objects":                 "there are no more batches than that",
	"child duration":          "a child ends after 5 minutes, so its batch is planned for 4",
	"batch input":             "a child's input is 256 KB; keys are taken to have 100 bytes",
	"memory":                  "a smaller size would do, and has less than a tenth of it left",
}

// Text prints the plan for people.
func (p *Plan) Text(w io.Writer) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "  "+format+"\n", args...) }
	row := func(name, format string, args ...any) { line("%-16s %s", name, fmt.Sprintf(format, args...)) }
	b.WriteString("\n")
	line("%s\n", p.verdict())
	each := ""
	if p.run.ObjectBytes > 0 {
		each = fmt.Sprintf(" of %s KB", prose.Thousands(float64(p.run.ObjectBytes)/1e3, 1))
	}
	line("%s objects%s, prefixes: %d. By Step Functions in %s, for %s\n", prose.Thousands(p.Objects, 0), each, p.Prefixes, p.Seconds, dollars(p.Dollars.Total))
	row("memory", "%s MB", prose.Thousands(p.Memory, 0))
	row("strategy", "%s: one function reads %s objects a second", p.child.Label(), prose.Thousands(p.child.rate(), 0))
	row("objects a child", "%s, in %s s", prose.Thousands(p.Batch, 0), prose.Thousands(float64(p.Batch)/p.child.rate(), 1))
	row("children at once", "%d, which read %s objects a second; S3 gives %s", p.Children,
		prose.Thousands(float64(p.Children)*p.child.rate(), 0), prose.Thousands(p.granted(), 0))
	for _, name := range strings.Split(p.Binds, ", ") {
		row("what binds", "%s: %s", name, reasons[name])
	}
	b.WriteString("\n")
	d := p.Dollars
	for _, l := range []struct {
		name    string
		dollars float64
		basis   string
	}{
		{"S3 GET", d.Get, "   list price"}, {"S3 LIST", d.List, "   list price"}, {"Lambda compute", d.Compute, "   measured time at list price"},
		{"Lambda requests", d.Requests, "   list price"}, {"Step Functions", d.StepFunctions, "   list price; EXPRESS in 64 MB is assumed"}, {"total", d.Total, ""},
	} {
		line("%-16s %9s%s", l.name, dollars(l.dollars), l.basis)
	}
	b.WriteString("\n")
	line("%-20s %11s %9s", "The same job", "at least", "costs")
	for _, a := range p.Alternatives {
		seconds, cost := "not known", "-"
		if a.Seconds != nil {
			seconds = prose.Thousands(*a.Seconds, 1) + " s"
		}
		if a.Dollars != nil {
			cost = dollars(*a.Dollars)
		}
		line("%-20s %11s %9s   %s", a.Name, seconds, cost, a.note)
	}
	b.WriteString("\n")
	line("Measured: what one function reads in a second, %s.", p.where())
	line("List prices: AWS's of %s, %s, without free tier.", powertuning.PricesRegion, powertuning.PricesDate)
	line("Assumed: the rate at which children start is not published; a child's place is")
	line("empty for 0 to %g s until the next one reads. Listing keeps up with reading.", pauseSec)
	if p.Prefixes > 1 {
		line("Objects are spread evenly over the prefixes.")
	}
	b.WriteString("\n")
	for _, s := range p.Settings() {
		line("pulumi config set %s %s", s[0], s[1])
	}
	b.WriteString("\n")
	if p.Prefixes > 1 {
		line("Start it once for each prefix, %d at once: keys are listed in their order, so", p.executions)
		line("one execution over all would read one prefix after the other.\n")
	}
	input, err := json.Marshal(p.Input)
	if err != nil {
		return fmt.Errorf("encoding the execution's input: %w", err)
	}
	line(`aws stepfunctions start-execution --state-machine-arn "$(pulumi stack output batchStateMachineArn)" --input '%s'`, input)
	_, err = io.WriteString(w, b.String())
	return err
}

// verdict says whether one function does the job as fast.
func (p *Plan) verdict() string {
	one := p.Alternatives[0]
	if one.Seconds == nil {
		return "One function cannot do it: " + one.note + "."
	}
	says := "One function is enough, without a state machine"
	if *one.Seconds > p.Seconds.High {
		says = "One function is slower"
	} else if *one.Seconds > 1.05*p.Seconds.Low {
		says = "One function may be as fast, without a state machine"
	}
	return fmt.Sprintf("%s: %s, %s s, %s.", says, one.note, prose.Thousands(*one.Seconds, 1), dollars(*one.Dollars))
}

func (p *Plan) where() string {
	if p.run.AWS() {
		return "on AWS"
	}
	return fmt.Sprintf("under the local model (latency %s)", p.run.Latency)
}

// String is "199 to 366 s".
func (s Seconds) String() string {
	return fmt.Sprintf("%s to %s s", prose.Thousands(math.Ceil(s.Low), 0), prose.Thousands(math.Ceil(s.High), 0))
}

func dollars(d float64) string {
	if d < 10 {
		return "$" + strconv.FormatFloat(d, 'f', 4, 64)
	}
	return "$" + prose.Thousands(d, 2)
}

// Title is the plan in a line.
func (p *Plan) Title() string {
	return fmt.Sprintf("%s objects by %s at %s MB, %d children at once: %s", prose.Thousands(p.Objects, 0), p.child.Label(),
		prose.Thousands(p.Memory, 0), p.Children, p.Seconds)
}

// Curve is what the job takes at least and costs with fewer children and with
// more.
func (p *Plan) Curve() report.Curve {
	c := report.Curve{Planned: p.Children}
	batches := p.job.Prefixes * ceil(ceil(p.job.Objects, p.job.Prefixes), p.Batch)
	for n := p.executions; n <= min(64*p.Children, batches); n *= 2 {
		c.Children = append(c.Children, n)
	}
	c.Children = append(c.Children, p.Children)
	slices.Sort(c.Children)
	c.Children = slices.Compact(c.Children)
	for _, n := range c.Children {
		seconds, dollars := p.with(n)
		c.Seconds, c.Dollars = append(c.Seconds, seconds.Low), append(c.Dollars, dollars.Total)
	}
	return c
}
