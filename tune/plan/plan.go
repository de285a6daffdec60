// Package plan computes how Step Functions' Distributed Map should read very many objects with this project's
// function, and the time and cost of that. It simulates the children from a calibration, and does not scale
// it to another object size or other work.
package plan

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/simulate"
)

// Limits of a plan. Those of the platform are in AWS's documentation of the quotas of Step Functions and Lambda.
const (
	share         = 0.95 // of a prefix's GETs: the rest covers the calibration's uncertainty
	refusedOf     = 200  // S3 may refuse one read in this many
	memoryShare   = 0.9  // of the memory size, for the peak
	readsInFlight = 10   // batches of a child's concurrency, at least: below that, ramp-up and tail dominate
	draws         = 3    // of latencies, for each batch

	childSec  = 240      // of the 300 that an EXPRESS child may last
	itemBytes = 100 + 60 // a key of assumed length, and {"Key", "Size", "StorageClass"} around it
	maxBatch  = platform.ItemsBytes / itemBytes

	// pauseSec is the longest time that a child's place is assumed to stay empty. AWS does not publish the
	// rate at which children start.
	pauseSec = 0.5
)

// Job is the job to plan, and its flags.
type Job struct {
	// 1 to 10,000,000,000.
	Objects int `json:"objects" required:"" placeholder:"N" help:"Number of objects to read."`
	// 1 to 10,000, each with GETs of its own.
	Prefixes int `json:"prefixes" placeholder:"N" default:"1" help:"Number of prefixes over which the objects are spread evenly (1)."`
	// 1 to 1,000,000.
	ConcurrencyLimit int `json:"-" placeholder:"N" default:"1000" help:"Concurrent executions that the account allows (1000; a new account has 10)."`
}

// Check returns an error that names the flag of the first value that is not allowed.
func (j Job) Check() error {
	for _, f := range []struct {
		flag    string
		n, most int
	}{{"objects", j.Objects, 1e10}, {"prefixes", j.Prefixes, 1e4}, {"concurrency-limit", j.ConcurrencyLimit, 1e6}} {
		if f.n < 1 || f.n > f.most {
			return fmt.Errorf("--%s %d: it must be from 1 to %d", f.flag, f.n, f.most)
		}
	}
	return nil
}

// Plan is how to do the job. Its JSON is for programs.
type Plan struct {
	Job
	Memory       int             `json:"memory"` // MB
	Strategy     string          `json:"strategy"`
	Concurrency  int             `json:"concurrency"`
	Batch        int             `json:"batch"`    // objects per child
	Children     int             `json:"children"` // at once, over all prefixes
	Binds        string          `json:"binds"`    // the limits that keep it from being faster, joined by ", "
	Seconds      Seconds         `json:"seconds"`
	Dollars      Dollars         `json:"dollars"`
	Alternatives []Alternative   `json:"alternatives"`
	Input        event.Execution `json:"input"`

	compared   *comparison.Comparison
	place      comparison.Place // of a child
	child      simulate.Invocation
	alone      simulate.Result // of the largest batch, by the only child of a prefix
	rate       float64         // reads a second, alone
	draws      []simulate.Draw
	executions int // of the state machine at once: one per prefix
	each       int // objects per prefix, at most
	most       int // objects per batch, at most
}

// Seconds is the least time of the job, and its time if every child starts as late as is assumed.
type Seconds struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// New plans the job with the strategy, concurrency and memory size of a calibrated comparison that minimize
// dollars x seconds. Within a twentieth of that it takes the fewest children, because less then depends on how
// they start.
func New(c *comparison.Comparison, job Job) (*Plan, error) {
	s3, err := profile.Parse(c.Run.Latency)
	if err = cmp.Or(job.Check(), err); err != nil {
		return nil, err
	}
	// Keys are listed in order, so one execution would read one prefix after another: each prefix gets its own.
	blank := Plan{Job: job, compared: c, executions: min(job.Prefixes, job.ConcurrencyLimit), each: ceil(job.Objects, job.Prefixes),
		draws: simulate.Draws(s3, c.Run.Seed, draws, maxBatch)}
	var all, plans []*Plan
	for _, place := range compute.Places(c.Run.Variants, c.Run.PowerValues) {
		bounded := comparison.Variant{Strategy: place.Strategy, Concurrency: place.Concurrency}.Bounded()
		if !bounded || readsInFlight**place.Concurrency > maxBatch { // a million unbounded reads would fill any memory
			continue
		}
		p := blank
		p.place, p.Memory, p.Strategy, p.Concurrency = place, place.Power, place.Strategy, *place.Concurrency
		p.child = compute.OnLambda(c, place, s3, maxBatch, compute.Middle)
		p.alone = p.simulated(1, maxBatch)
		p.rate = 1e3 * float64(p.alone.Reads) / p.alone.DurationMS
		all = append(all, &p)
		if p.fit() {
			plans = append(plans, &p)
		}
	}
	full := func(p *Plan) bool { return p.alone.PeakMB > memoryShare*float64(p.Memory) }
	roomy := slices.DeleteFunc(slices.Clone(plans), full)
	if len(roomy) == 0 {
		return nil, fmt.Errorf("there is no setting to plan with: it takes a strategy and a concurrency that bounds it, of at most %d, "+
			"that reads fewer than %.0f objects a second and leaves a tenth of the memory free\n"+
			"name such ones: go run ./tune map FILE --strategies pool --power 512,1024,2048, and plan with tune-map/results.json", maxBatch/readsInFlight, share*s3.GetsPerSecond)
	}
	p := best(roomy)
	if p != best(plans) {
		p.Binds += ", memory"
	}
	lone := func(p *Plan) float64 { return p.read() * p.dollars(0, p.alone.Reads, p.alone.DurationMS/1e3).Total }
	p.Alternatives = p.alternatives(slices.MinFunc(all, func(a, b *Plan) int { return cmp.Compare(lone(a), lone(b)) }))
	return p, nil
}

// read is the least time of a read, in seconds, if nobody else reads the prefix.
func (p *Plan) read() float64 { return 1 / min(p.rate, p.child.S3.GetsPerSecond) }

// best is the plan that New takes.
func best(plans []*Plan) *Plan {
	product := func(p *Plan) float64 { return p.Dollars.Total * (p.Seconds.Low + p.Seconds.High) }
	by := func(a, b *Plan) int { return cmp.Compare(product(a), product(b)) }
	most := 1.05 * product(slices.MinFunc(plans, by))
	near := slices.DeleteFunc(slices.Clone(plans), func(p *Plan) bool { return product(p) > most })
	return slices.MinFunc(near, func(a, b *Plan) int { return cmp.Or(cmp.Compare(a.Children, b.Children), by(a, b)) })
}

// limit is how many of something are allowed, and by what.
type limit struct {
	n    int
	name string
}

func least(limits ...limit) limit {
	return slices.MinFunc(limits, func(a, b limit) int { return cmp.Compare(a.n, b.n) })
}

// fit sets the batch and the children to the most that every limit allows, and names the limits. It reports
// whether there can be a child at all.
func (p *Plan) fit() bool {
	batch := least(limit{p.each, ""}, limit{int(childSec * p.rate), "child duration"}, limit{maxBatch, "batch input"})
	if p.most = batch.n; p.most == 0 {
		return false
	}
	// Children that Lambda starts only when the job is over are useless. It starts n at once, and then perSec a
	// second, until the work is done.
	n, perSec, work := float64(platform.Environments), platform.Environments/platform.EnvironmentsEvery.Seconds(), float64(p.Objects)/p.rate
	children := least(limit{p.ConcurrencyLimit / p.executions, "Lambda concurrency"},
		limit{max(1, int(math.Sqrt(n*n+2*perSec*work))/p.executions), "Lambda ramp"},
		limit{platform.MaxChildren, "Step Functions children"},
		limit{max(ceil(p.each, p.most), p.each/(readsInFlight*p.Concurrency)), "objects"})
	gets := sort.Search(min(children.n, int(share*p.child.S3.GetsPerSecond/p.rate)), func(i int) bool {
		return p.simulated(i+1, p.batch(i+1)).Retries*refusedOf > p.batch(i+1)
	})
	children = least(children, limit{gets, "prefix GETs"})
	if children.n == 0 {
		return false
	}
	p.Batch, p.Children, p.Binds = p.batch(children.n), p.executions*children.n, children.name
	if p.each > children.n*p.most {
		p.Binds += ", " + batch.name
	}
	if p.alone.Binds() == simulate.Bandwidth {
		p.Binds += ", " + simulate.Bandwidth
	}
	p.Input = event.Execution{Strategy: p.Strategy, Concurrency: p.Concurrency, Batch: p.Batch, Children: children.n}
	p.Seconds, p.Dollars = p.with(p.Children)
	return true
}

// batch is how many objects each of n children of an execution reads at a time: the most possible, or less
// where that fills the last wave.
func (p *Plan) batch(n int) int {
	waves := ceil(p.each, n*p.most)
	return ceil(p.each, waves*n)
}

// simulated reads a batch with an nth of what S3 gives a prefix.
func (p *Plan) simulated(n, batch int) simulate.Result {
	child := p.child
	child.Reads, child.S3 = batch, child.S3.Shared(n)
	return simulate.Summarize(child.Runs(p.draws)).Result
}

// lasts returns how long a batch takes, in seconds, at least, while n children read a prefix: more children than
// S3 serves are no faster.
func (p *Plan) lasts(n, batch int) float64 {
	return max(p.simulated(1, batch).DurationMS/1e3, float64(n*batch)/p.child.S3.GetsPerSecond)
}

// with returns the time and the price of the job with that many children at once.
func (p *Plan) with(children int) (Seconds, Dollars) {
	n := max(1, children/p.executions)
	batch := p.batch(n)
	seconds := p.lasts(n, batch)
	waves := float64(ceil(p.each, n*batch) * ceil(p.Prefixes, p.executions))
	useful := min(float64(children), p.granted()/p.rate) // the rest wait for S3
	late := max(0, useful-platform.Environments)         // still to be started by Lambda
	ramp := late * late * platform.EnvironmentsEvery.Seconds() / (2 * platform.Environments * useful)
	return Seconds{up(waves*seconds + ramp), up(waves*(seconds+pauseSec) + ramp)}, p.dollars(p.Prefixes*ceil(p.each, batch), batch, seconds)
}

// granted is how many GETs a second S3 grants all executions together.
func (p *Plan) granted() float64 { return float64(p.executions) * p.child.S3.GetsPerSecond }

func ceil(a, b int) int { return (a + b - 1) / b }

// up rounds up to a tenth, so that a plan never promises less than it computes.
func up(seconds float64) float64 { return math.Ceil(seconds*10) / 10 }
