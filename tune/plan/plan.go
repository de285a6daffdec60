// Package plan says how Step Functions' Distributed Map should read very many
// objects with this project's function: which memory size and strategy, how
// many objects a child and how many children at once, and what that takes and
// costs. It reckons from what a comparison has measured, and scales no
// measurement to another size of object or other work.
package plan

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local/s3"
	"lambda-parallel-io/tune/prose"
)

// The limits that a plan keeps. The names are those in [Plan.Binds].
const (
	// share of a prefix's GETs is what children may ask for together: measured
	// rates scatter by as much as is left.
	share = 0.95
	// maxBurst is the share of a job's reads that may meet SlowDown while all
	// children begin at once.
	maxBurst = 0.005

	maxChildren     = 10_000 // of one map run at once
	maxChildSec     = 240    // of the 5 minutes that an EXPRESS execution may last
	environments    = 1_000  // that Lambda starts at once, and then in every
	environmentsSec = 10     // seconds
	memoryShare     = 0.9    // of a size, that the measured peak may fill

	// maxInput is how many bytes of Items the deployment gives a child: of the
	// 256 KiB, as many as an answer can name again. An item is a key, whose
	// length is assumed, and {"Key", "Size", "StorageClass"} around it.
	maxInput  = 200_000
	keyBytes  = 100
	itemBytes = 60

	// readsInFlight is how many reads a measured invocation has to have done
	// for each that is in flight at once: a shorter one shows its beginning and
	// its end.
	readsInFlight = 10

	// pauseSec is the longest that a child's place is taken to stay empty until
	// the next one reads. AWS does not publish the rate at which children start:
	// the shortest is taken to be 0.
	pauseSec = 0.5
)

// Job is what is to be planned.
type Job struct {
	Objects          int // 1 to 10,000,000,000, spread evenly over the prefixes
	Prefixes         int // 1 to 10,000, each of which S3 grants 5,500 GETs a second
	ConcurrencyLimit int // of the account's Lambda functions in the region, 1 to 1,000,000
}

// Validate says which flag's value is not allowed.
func (j Job) Validate() error {
	for _, f := range []struct {
		name      string
		got, most int
	}{{"objects", j.Objects, 10_000_000_000}, {"prefixes", j.Prefixes, 10_000}, {"concurrency-limit", j.ConcurrencyLimit, 1_000_000}} {
		if f.got < 1 || f.got > f.most {
			return fmt.Errorf("--%s %d: it must be from 1 to %d", f.name, f.got, f.most)
		}
	}
	return nil
}

// Plan is how the job should be done. Its JSON is for programs.
type Plan struct {
	Objects      int           `json:"objects"`
	Prefixes     int           `json:"prefixes"`
	Memory       int           `json:"memory"` // MB
	Strategy     string        `json:"strategy"`
	Concurrency  int           `json:"concurrency"`
	Batch        int           `json:"batch"`    // objects a child
	Children     int           `json:"children"` // at once, over all prefixes
	Binds        string        `json:"binds"`    // the limits that keep it from being faster, joined by ", "
	Seconds      Seconds       `json:"seconds"`
	Dollars      Dollars       `json:"dollars"`
	Alternatives []Alternative `json:"alternatives"`
	Input        Input         `json:"input"`

	job        Job
	run        comparison.Run
	child      worker
	executions int     // of the state machine at once: a prefix each
	one        *worker // the fastest single function
}

// Seconds are the least that the job takes, and what it takes when the next
// child always starts as late as is assumed.
type Seconds struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Input starts the state machine of the deployment.
type Input struct {
	Prefix                     string `json:"prefix"` // "" is all that the deployment may read
	Strategy                   string `json:"strategy"`
	Concurrency                int    `json:"concurrency"`
	Batch                      int    `json:"batch"`
	Children                   int    `json:"children"` // of one execution
	ToleratedFailurePercentage int    `json:"toleratedFailurePercentage"`
}

// worker is a cell of the comparison at work: one invocation after the other,
// each as it was measured.
type worker struct {
	comparison.Variant
	cell    *comparison.Cell
	reads   int     // an invocation
	seconds float64 // of an invocation
	compute float64 // dollars a read
	lone    float64 // seconds of an invocation that reads one object
}

func (w worker) rate() float64 { return float64(w.reads) / w.seconds } // reads a second

// alone is how long a read takes where nobody else reads the prefix.
func (w worker) alone() float64 { return 1 / min(w.rate(), s3.GetsPerSecond) }

// New plans the job with one of the comparison's cells: that with the least
// dollars x seconds. Of those that are within a twentieth of it the one with
// the fewest children is taken, as little as depends on how these start.
func New(c *comparison.Comparison, job Job) (*Plan, error) {
	if err := job.Validate(); err != nil {
		return nil, err
	}
	if c.Run.Repeat == 0 {
		return nil, fmt.Errorf("the comparison is of %s, whose reads are not known: compare this project's function", c.Run.Function)
	}
	var plans, roomy []*Plan
	var one *worker
	for _, w := range workers(c) {
		if !w.Bounded() { // a whole batch would be asked for at once, and a million reads would fill any memory
			continue
		}
		if one == nil || cmp.Or(cmp.Compare(one.alone(), w.alone()), cmp.Compare(one.compute, w.compute)) > 0 {
			one = &w
		}
		p := &Plan{Objects: job.Objects, Prefixes: job.Prefixes, job: job, run: c.Run, child: w}
		if w.reads < readsInFlight**w.Concurrency || !p.fit() {
			continue
		}
		plans = append(plans, p)
		if float64(w.cell.MaxMemoryMB) <= memoryShare*float64(w.cell.Power) {
			roomy = append(roomy, p)
		}
	}
	if len(roomy) == 0 {
		err := fmt.Errorf("no cell of the comparison can be planned with: it must be of a strategy that a concurrency bounds, "+
			"of an invocation with %d reads for each in flight (here --repeat is %d), read at most %.0f objects a second, "+
			"and leave a tenth of its memory free\nmeasure such cells: go run ./tune --strategies pool --concurrency 30,60 --power 512,1024,1769 --repeat 1000",
			readsInFlight, c.Run.Repeat, share*s3.GetsPerSecond)
		for _, r := range c.Variants {
			for _, cell := range r.Cells {
				if cell.Error != "" {
					return nil, fmt.Errorf("%s at %d MB: %s\n%w", r.Label(), cell.Power, prose.OneLine(cell.Error, 400), err)
				}
			}
		}
		return nil, err
	}
	p := best(roomy)
	if p != best(plans) {
		p.Binds += ", memory"
	}
	p.one = one
	p.Alternatives = p.alternatives()
	return p, nil
}

// workers are the cells that were measured, but for those that Lambda would
// give more processors than this machine has.
func workers(c *comparison.Comparison) (all []worker) {
	lone := map[int]float64{} // by memory, from reading one object after the other
	for i := range c.Variants {
		for j := range c.Variants[i].Cells {
			cell := &c.Variants[i].Cells[j]
			s, ok := c.Summarize(cell)
			if !ok || cell.Capped {
				continue
			}
			w := worker{Variant: c.Variants[i].Variant, cell: cell, reads: c.Run.Repeat, seconds: s.DurationMS / 1e3}
			w.compute = computeCost(c.Run.Arch, cell.Power, s.BilledMS/1e3) / float64(w.reads)
			if w.Sequential() {
				lone[cell.Power] = w.seconds / float64(w.reads)
			} else if w.Concurrency != nil {
				w.lone = float64(*w.Concurrency) / w.rate() // Little's law: at most this
			}
			all = append(all, w)
		}
	}
	for i := range all {
		all[i].lone = cmp.Or(lone[all[i].cell.Power], all[i].lone)
	}
	return all
}

// best returns the plan that New takes of several.
func best(plans []*Plan) *Plan {
	product := func(p *Plan) float64 { return p.Dollars.Total * p.Seconds.Low }
	least := slices.MinFunc(plans, func(a, b *Plan) int { return cmp.Compare(product(a), product(b)) })
	near := slices.DeleteFunc(slices.Clone(plans), func(p *Plan) bool { return product(p) > 1.05*product(least) })
	return slices.MinFunc(near, func(a, b *Plan) int {
		return cmp.Or(cmp.Compare(a.Children, b.Children), cmp.Compare(product(a), product(b)))
	})
}

// fit sets the batch and the children to the most that every limit allows, and
// says which one that is. It reports whether there can be a child at all.
func (p *Plan) fit() bool {
	w, concurrency := p.child, *p.child.Concurrency
	batch, shorter := least(limits{
		{w.reads, ""}, // as measured
		{int(maxChildSec * w.rate()), "child duration"},
		{maxInput / (itemBytes + keyBytes), "batch input"},
	})
	// Keys are listed in their order, so an execution over several prefixes
	// would read one after the other: each gets an execution of its own.
	p.executions = min(p.job.Prefixes, p.job.ConcurrencyLimit)
	each := ceil(p.job.Objects, p.job.Prefixes)
	if batch == 0 {
		return false
	}
	children, binds := least(limits{
		{int(share * s3.GetsPerSecond / w.rate()), "prefix GETs"},
		{(s3.Burst + int(maxBurst*float64(each))) / concurrency, "prefix GETs"},
		{p.job.ConcurrencyLimit / p.executions, "Lambda concurrency"},
		{maxChildren, "Step Functions children"},
		{ceil(each, batch), "objects"},
	})
	// Of more environments than Lambda starts at once the last are of no use
	// to a job that has ended before they begin.
	work := float64(p.job.Objects) / w.rate() // seconds of all children together
	perSec := float64(environments) / environmentsSec
	ended := (math.Sqrt(environments*environments+2*perSec*work) - environments) / perSec
	if started := environments + int(perSec*ended); p.executions*children > started {
		children, binds = max(1, started/p.executions), "Lambda ramp"
	}
	if children == 0 {
		return false
	}
	if shorter != "" {
		binds += ", " + shorter
	}
	p.Memory, p.Strategy, p.Concurrency = w.cell.Power, w.Strategy, concurrency
	p.Batch, p.Children, p.Binds = batch, p.executions*children, binds
	p.Seconds, p.Dollars = p.with(p.Children)
	p.Input = Input{Strategy: p.Strategy, Concurrency: concurrency, Batch: batch, Children: children}
	return true
}

// with returns what the job takes and costs with so many children at once.
// More of them than S3 serves are no faster: each of them takes as much longer,
// and Lambda bills that.
func (p *Plan) with(children int) (Seconds, Dollars) {
	w, n := p.child, float64(children)
	slower := max(1, n*w.rate()/p.granted())
	batches := p.job.Prefixes * ceil(ceil(p.job.Objects, p.job.Prefixes), p.Batch)
	waves := float64(ceil(batches, children))
	batch := slower * float64(p.Batch) / w.rate()
	late := max(0, n-environments)
	ramp := late * late * environmentsSec / (2 * environments * n)
	low := max(waves*batch+ramp, float64(p.job.Objects)/p.granted())
	return Seconds{up(low), up(max(low, waves*(batch+pauseSec)+ramp))}, p.dollars(batches, batch, slower*w.compute)
}

// granted is how many GETs a second S3 grants the executions at once.
func (p *Plan) granted() float64 { return float64(p.executions) * s3.GetsPerSecond }

// limits are how much each of several things allows.
type limits []struct {
	n    int
	name string
}

// least returns the first of those that allow the least.
func least(all limits) (n int, name string) {
	n = math.MaxInt
	for _, l := range all {
		if l.n < n {
			n, name = l.n, l.name
		}
	}
	return n, name
}

func ceil(a, b int) int { return (a + b - 1) / b }

// up rounds up to a tenth: a plan promises no less than it reckons.
func up(seconds float64) float64 { return math.Ceil(seconds*10) / 10 }
