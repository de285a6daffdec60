// Package plan says how Step Functions' Distributed Map should read very many
// objects with this project's function, what that takes, and what it costs. It
// reckons from what a comparison has measured, and scales no measurement to
// another size of object or other work.
package plan

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/profile"
)

// What a plan keeps to. The platform's limits are those of AWS's
// documentation of Step Functions' and Lambda's quotas.
const (
	share         = 0.95  // of a prefix's GETs: measured rates scatter by the rest
	burstShare    = 0.005 // of the reads, that may meet SlowDown where all children begin at once
	memoryShare   = 0.9   // of a size, that the measured peak may fill
	readsInFlight = 10    // a shorter invocation shows its beginning and its end

	childSec = 240 // of the 300 that an EXPRESS child may last

	// An item is a key, whose length is assumed, and the {"Key", "Size",
	// "StorageClass"} around it. Of a child's 256 KiB the deployment gives
	// items [platform.ItemsBytes].
	itemBytes = 100 + 60

	// pauseSec is the longest that a child's place is taken to stay empty. AWS
	// does not publish the rate at which children start.
	pauseSec = 0.5
)

// Job is what is to be planned.
type Job struct {
	Objects          int `json:"objects"`  // 1 to 10,000,000,000, spread evenly over the prefixes
	Prefixes         int `json:"prefixes"` // 1 to 10,000, each with GETs of its own
	ConcurrencyLimit int `json:"-"`        // of the account's Lambda functions, 1 to 1,000,000
}

// Validate says which value is not allowed, by its flag.
func (j Job) Validate() error {
	within := func(flag string, n, most int) (err error) {
		if n < 1 || n > most {
			err = fmt.Errorf("--%s %d: it must be from 1 to %d", flag, n, most)
		}
		return err
	}
	return cmp.Or(
		within("objects", j.Objects, 1e10),
		within("prefixes", j.Prefixes, 1e4),
		within("concurrency-limit", j.ConcurrencyLimit, 1e6),
	)
}

// Plan is how the job should be done. Its JSON is for programs.
type Plan struct {
	Job
	Memory       int             `json:"memory"` // MB
	Strategy     string          `json:"strategy"`
	Concurrency  int             `json:"concurrency"`
	Batch        int             `json:"batch"`    // objects a child
	Children     int             `json:"children"` // at once, over all prefixes
	Binds        string          `json:"binds"`    // the limits that keep it from being faster, joined by ", "
	Seconds      Seconds         `json:"seconds"`
	Dollars      Dollars         `json:"dollars"`
	Alternatives []Alternative   `json:"alternatives"`
	Input        event.Execution `json:"input"`

	compared   *comparison.Comparison
	child      worker
	executions int // of the state machine at once: one a prefix
	batches    int
}

// Seconds are the least that the job takes, and what it takes where every
// child starts as late as is assumed.
type Seconds struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// worker is a function that does nothing but what a cell has measured.
type worker struct {
	comparison.Variant
	power   int
	rate    float64 // reads a second
	compute float64 // dollars a read
}

// alone is how long a read takes where nobody else reads the prefix.
func (w worker) alone() float64 { return 1 / min(w.rate, platform.GetsPerSecond) }

// New plans the job with the cell of the comparison that makes the least of
// dollars x seconds, or with one within a twentieth of that: the fewer
// children, the less depends on how they start.
func New(c *comparison.Comparison, job Job) (*Plan, error) {
	if err := job.Validate(); err != nil {
		return nil, err
	}
	if c.Run.AWS() && c.Run.Lists() > 0 {
		return nil, errors.New("the comparison has read what is below a prefix on AWS, at most so many objects as maxObjects says: nobody has counted them, so how fast they were read is not known\n" +
			"compare with one object, or give as many keys by --payload, and plan with the results.json of that")
	}
	var plans, roomy []*Plan
	var workers []worker
	for _, v := range c.Variants {
		for _, cell := range v.Cells {
			s, ok := c.Summarize(&cell)
			if !ok || cell.Capped || c.Run.Repeat == 0 || !v.Bounded() { // unbounded, a million reads would fill any memory
				continue
			}
			reads := float64(c.Run.Repeat)
			w := worker{v.Variant, cell.Power, 1e3 * reads / s.DurationMS,
				platform.ComputeCost(c.Run.Arch, cell.Power, s.BilledMS) / reads}
			workers = append(workers, w)
			p := &Plan{Job: job, compared: c, child: w}
			if c.Run.Repeat < readsInFlight**v.Concurrency || !p.fit() {
				continue
			}
			plans = append(plans, p)
			if float64(cell.MaxMemoryMB) <= memoryShare*float64(cell.Power) {
				roomy = append(roomy, p)
			}
		}
	}
	if len(roomy) == 0 {
		return nil, fmt.Errorf("the comparison has no cell to plan with: it takes one of this project's function and of a strategy that a concurrency bounds, "+
			"with %d reads for each in flight (--repeat is %d), not above %.0f objects a second, and with a tenth of its memory free\n"+
			"measure such cells: go run ./tune --strategies pool --power 512,1024,2304 --repeat 1000",
			readsInFlight, c.Run.Repeat, share*platform.GetsPerSecond)
	}
	p := best(roomy)
	if p != best(plans) {
		p.Binds += ", memory"
	}
	p.Alternatives = p.alternatives(slices.MinFunc(workers, func(a, b worker) int {
		return cmp.Or(cmp.Compare(a.alone(), b.alone()), cmp.Compare(a.compute, b.compute))
	}))
	return p, nil
}

// best is which of several plans New takes.
func best(plans []*Plan) *Plan {
	product := func(p *Plan) float64 { return p.Dollars.Total * p.Seconds.Low }
	by := func(a, b *Plan) int { return cmp.Compare(product(a), product(b)) }
	most := 1.05 * product(slices.MinFunc(plans, by))
	near := slices.DeleteFunc(slices.Clone(plans), func(p *Plan) bool { return product(p) > most })
	return slices.MinFunc(near, func(a, b *Plan) int { return cmp.Or(cmp.Compare(a.Children, b.Children), by(a, b)) })
}

// fit sets the batch and the children to the most that every limit allows, and
// names the limits. It reports whether there can be a child at all.
func (p *Plan) fit() bool {
	w, concurrency := p.child, *p.child.Concurrency
	batch, shorter := least(
		limit{p.compared.Run.Repeat, ""}, // as it was measured
		limit{int(childSec * w.rate), "child duration"},
		limit{platform.ItemsBytes / itemBytes, "batch input"},
	)
	if batch == 0 {
		return false
	}
	// Keys are listed in their order, so an execution over several prefixes
	// would read one after the other: each gets an execution of its own.
	p.executions = min(p.Prefixes, p.ConcurrencyLimit)
	each := ceil(p.Objects, p.Prefixes)
	p.batches = p.Prefixes * ceil(each, batch)
	// What Lambda starts only when the job is over is of no use: n begin at
	// once, and perSec in each second after that, until the work is done.
	n, perSec, work := float64(platform.Environments), platform.Environments/platform.EnvironmentsEvery.Seconds(), float64(p.Objects)/w.rate
	children, binds := least(
		limit{int(share * platform.GetsPerSecond / w.rate), "prefix GETs"},
		limit{(profile.Burst + int(burstShare*float64(each))) / concurrency, "prefix GETs"},
		limit{p.ConcurrencyLimit / p.executions, "Lambda concurrency"},
		limit{max(1, int(math.Sqrt(n*n+2*perSec*work))/p.executions), "Lambda ramp"},
		limit{platform.MaxChildren, "Step Functions children"},
		limit{ceil(each, batch), "objects"},
	)
	p.Memory, p.Strategy, p.Concurrency = w.power, w.Strategy, concurrency
	p.Batch, p.Children, p.Binds = batch, p.executions*children, strings.TrimSuffix(binds+", "+shorter, ", ")
	p.Input = event.Execution{Strategy: p.Strategy, Concurrency: concurrency, Batch: batch, Children: children}
	if children > 0 {
		p.Seconds, p.Dollars = p.with(p.Children)
	}
	return children > 0
}

// with returns what the job takes and costs with so many children at once.
// More of them than S3 serves are no faster: each takes as much longer, and
// Lambda bills that.
func (p *Plan) with(children int) (Seconds, Dollars) {
	n := float64(children)
	slower := max(1, n*p.child.rate/p.granted())
	batch := slower * float64(p.Batch) / p.child.rate
	waves := float64(ceil(p.batches, children))
	useful := n / slower
	late := max(0, useful-platform.Environments) // those that wait for Lambda to start them
	ramp := late * late * platform.EnvironmentsEvery.Seconds() / (2 * platform.Environments * useful)
	return Seconds{up(waves*batch + ramp), up(waves*(batch+pauseSec) + ramp)}, p.dollars(p.batches, batch, slower*p.child.compute)
}

// granted is how many GETs a second S3 grants the executions at once.
func (p *Plan) granted() float64 { return float64(p.executions) * platform.GetsPerSecond }

// limit is how much something allows.
type limit struct {
	n    int
	name string
}

// least returns the first of the limits that allow the least.
func least(limits ...limit) (int, string) {
	l := slices.MinFunc(limits, func(a, b limit) int { return cmp.Compare(a.n, b.n) })
	return l.n, l.name
}

func ceil(a, b int) int { return (a + b - 1) / b }

// up rounds up to a tenth: a plan promises no less than it reckons.
func up(seconds float64) float64 { return math.Ceil(seconds*10) / 10 }
