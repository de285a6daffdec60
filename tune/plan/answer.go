package plan

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"text/template"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/report"
	"lambda-parallel-io/tune/simulate"
)

// Dollars are what a job costs at list price, line by line.
type Dollars struct {
	Get           float64 `json:"get"`
	List          float64 `json:"list"`
	Compute       float64 `json:"compute"`
	Requests      float64 `json:"requests"`
	StepFunctions float64 `json:"stepFunctions"`
	Total         float64 `json:"total"`
}

// Alternative is another way to do the job. Seconds is the least time, null if not known. If the job cannot be done
// in this way, Dollars is null too.
type Alternative struct {
	Name    string   `json:"name"`
	Seconds *float64 `json:"seconds"`
	Dollars *float64 `json:"dollars"`
	Note    string   `json:"-"`
}

// dollars is the price of the job by so many children, each of which reads a batch in the given seconds. Without
// children it is that of the reads alone.
func (p *Plan) dollars(children, batch int, seconds float64) Dollars {
	objects, n := float64(p.Objects), float64(children)
	d := Dollars{
		Get:      objects * platform.PricePerThousandGets / 1e3,
		List:     float64(ceil(p.Objects, platform.KeysPerPage)) * platform.PricePerThousandLists / 1e3,
		Compute:  objects * (platform.ComputeCost(p.compared.Run.Arch, p.Memory, math.Ceil(1e3*seconds)) / float64(batch)),
		Requests: n * platform.PricePerMillionRequests / 1e6,
		StepFunctions: n * (platform.PricePerThousandTransitions/1e3 + platform.PricePerMillionExpress/1e6 +
			math.Ceil(seconds/platform.ExpressStep.Seconds())*platform.ExpressStep.Seconds()*platform.ExpressStepGB*platform.PricePerGBSecondExpress),
	}
	d.Total = d.Get + d.List + d.Compute + d.Requests + d.StepFunctions
	return d
}

// alternatives are the same job in one function, with one object per child, with Step Functions' default of
// children, and by S3 Batch Operations. one is the plan whose single function is best.
func (p *Plan) alternatives(one *Plan) []Alternative {
	objects := float64(p.Objects)

	// One call lists the prefixes itself and reads one after another, so it gets the GETs of one prefix.
	single := Alternative{Name: "one function"}
	if seconds := objects * one.read(); p.Objects > event.MaxObjects || seconds > platform.MaxTimeout.Seconds() {
		single.Note = fmt.Sprintf("needs %s s for %s objects; a call has at most %g s and %s objects",
			prose.Thousands(seconds, 0), prose.Thousands(p.Objects, 0), platform.MaxTimeout.Seconds(), prose.Thousands(event.MaxObjects, 0))
	} else {
		whole := *one
		whole.draws = simulate.Draws(one.child.S3, p.compared.Run.Seed, 1, p.Objects)
		seconds = whole.lasts(1, p.Objects)
		total := one.dollars(0, p.Objects, seconds).Total + platform.PricePerMillionRequests/1e6
		single.Seconds, single.Dollars = new(up(seconds)), &total
		single.Note = fmt.Sprintf("%s at %s MB", one.place.Label(), prose.Thousands(one.Memory, 0))
	}

	// Children that run at once, and that Lambda has started by the time that S3 needs for the job.
	running := min(p.executions*platform.MaxChildren, p.ConcurrencyLimit,
		platform.Environments+int(objects/p.granted()*platform.Environments/platform.EnvironmentsEvery.Seconds()))
	read := p.lasts(1, 1)
	children := min(running, max(1, int(p.granted()*read)))
	each := Alternative{"one object a child", new(up(objects * max(read/float64(children), 1/p.granted()))),
		new(p.dollars(p.Objects, 1, read).Total), prose.Thousands(children, 0) + " at once"}

	// Nearly all answers are SlowDown. The function retries until its deadline, and Lambda bills the waiting.
	children = min(running, p.Prefixes*ceil(p.each, p.Batch))
	storm := Alternative{Name: "10,000 children", Note: prose.Thousands(children, 0) + " at once"}
	if asked := float64(children) * p.rate / p.granted(); asked > 1 {
		storm.Note = fmt.Sprintf("a storm: %s ask for %s times what S3 gives", storm.Note, prose.Thousands(asked, 1))
	}
	if p.lasts(ceil(children, p.executions), p.Batch) > platform.MaxExpress.Seconds() {
		storm.Note += "; none ends within its 5 minutes"
	} else {
		s, d := p.with(children)
		storm.Seconds, storm.Dollars = &s.Low, &d.Total
	}

	operations := p.dollars(0, 1, read).Total + platform.PricePerBatchOperationsJob +
		objects/1e6*(platform.PricePerMillionRequests+platform.PricePerMillionBatchOperations)
	return []Alternative{single, each, storm,
		{"S3 Batch Operations", nil, &operations, "its speed is not published, and its prices are not verified"}}
}

//go:embed plan.tmpl
var layout string

var text = template.Must(template.New("").Funcs(template.FuncMap{
	"n":    func(n int) string { return prose.Thousands(n, 0) },
	"f":    func(f float64) string { return prose.Thousands(math.Ceil(f), 0) },
	"usd":  dollars,
	"json": json.Marshal,
}).Parse(layout))

func dollars(d float64) string {
	if d < 10 {
		return "$" + prose.Thousands(d, 4)
	}
	return "$" + prose.Thousands(d, 2)
}

// String is "199 to 366 s".
func (s Seconds) String() string {
	return fmt.Sprintf("%s to %s s", prose.Thousands(math.Ceil(s.Low), 0), prose.Thousands(math.Ceil(s.High), 0))
}

// Write draws the plan's curve into dir, and prints the plan as JSON or for the terminal.
func (p *Plan) Write(w io.Writer, dir string, asJSON bool) error {
	picture, err := report.WriteCurve(dir, p.Curve)
	if err != nil {
		return err
	}
	if asJSON {
		return comparison.WriteJSON(w, p)
	}
	return p.Text(w, picture)
}

// Text prints the plan for the terminal, with the name of its picture.
func (p *Plan) Text(w io.Writer, picture string) error {
	return text.Execute(w, struct {
		*Plan
		Picture, Verdict, Label, Source, Region, Date string
		Rate, Reads, Granted, Pause                   float64
		Executions                                    int
		Run                                           comparison.Run
	}{p, picture, p.verdict(), p.place.Label(), p.compared.Calibration.Source, platform.PricesRegion, platform.PricesDate,
		p.rate, float64(p.Children) * p.rate, p.granted(), pauseSec, p.executions, p.compared.Run})
}

// verdict says whether one function is as fast.
func (p *Plan) verdict() string {
	one, says := p.Alternatives[0], "One function is enough, without a state machine"
	switch {
	case one.Seconds == nil:
		return "One function cannot do it: it " + one.Note + "."
	case *one.Seconds > p.Seconds.High:
		says = "One function is slower"
	case *one.Seconds > 1.05*p.Seconds.Low:
		says = "One function may be as fast, without a state machine"
	}
	return fmt.Sprintf("%s: %s, %s s, %s.", says, one.Note,
		prose.Thousands(math.Ceil(*one.Seconds), 0), dollars(*one.Dollars))
}

// Curve is the job's least time and its price with fewer and with more children, and the title of their picture.
func (p *Plan) Curve() (title string, c report.Curve) {
	children := []int{p.Children}
	for n := p.executions; n <= min(64*p.Children, p.Prefixes*ceil(p.each, p.Batch)); n *= 2 {
		children = append(children, n)
	}
	c.Planned, c.Children = p.Children, slices.Compact(slices.Sorted(slices.Values(children)))
	for _, n := range c.Children {
		seconds, dollars := p.with(n)
		c.Seconds, c.Dollars = append(c.Seconds, seconds.Low), append(c.Dollars, dollars.Total)
	}
	return fmt.Sprintf("%s objects by %s at %s MB, %d children at once: %s", prose.Thousands(p.Objects, 0),
		p.place.Label(), prose.Thousands(p.Memory, 0), p.Children, p.Seconds), c
}
