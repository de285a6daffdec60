// Package plan says how Step Functions' Distributed Map should read very many
// objects with this project's function, what that takes, and what it costs. Its
// children are simulated from a calibration, which it scales to no other size of
// object and to no other work.
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

// What a plan keeps to. The platform's limits are those of AWS's
// documentation of Step Functions' and Lambda's quotas.
const (
	share         = 0.95 // of a prefix's GETs: the rest is for what a calibration leaves open
	refusedOf     = 200  // reads S3 may refuse one
	memoryShare   = 0.9  // of a size, that the peak may fill
	readsInFlight = 10   // at least: a shorter invocation shows its beginning and its end
	draws         = 3    // of latencies, for each batch

	childSec  = 240      // of the 300 that an EXPRESS child may last
	itemBytes = 100 + 60 // a key, whose length is assumed, and the {"Key", "Size", "StorageClass"} around it
	maxBatch  = platform.ItemsBytes / itemBytes

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
	place      comparison.Place // of a child
	child      simulate.Invocation
	alone      simulate.Result // of the largest batch, where nobody else reads the prefix
	rate       float64         // reads a second, alone
	lone       float64         // dollars of compute a read, alone
	draws      []simulate.Draw
	executions int // of the state machine at once: one a prefix
	each       int // objects of a prefix, at most
	most       int // objects that a batch can have
}

// Seconds are the least that the job takes, and what it takes where every
// child starts as late as is assumed.
type Seconds struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// New plans the job with the strategy, concurrency and memory size of the
// comparison, which must have a calibration, that make the least of dollars x
// seconds, or with those within a twentieth of that: the fewer children, the less
// depends on how they start.
func New(c *comparison.Comparison, job Job) (*Plan, error) {
	s3, err := profile.Parse(c.Run.Latency)
	if err = cmp.Or(job.Validate(), err); err != nil {
		return nil, err
	}
	// Keys are listed in their order, so an execution over several prefixes
	// would read one after the other: each gets an execution of its own.
	blank := Plan{Job: job, compared: c, executions: min(job.Prefixes, job.ConcurrencyLimit), each: ceil(job.Objects, job.Prefixes)}
	for k := range uint64(draws) {
		blank.draws = append(blank.draws, simulate.NewDraw(s3, c.Run.Seed, k+1, maxBatch))
	}
	var all, plans, roomy []*Plan
	for _, place := range compute.Places(c.Run.Variants, c.Run.PowerValues) {
		bounded := comparison.Variant{Strategy: place.Strategy, Concurrency: place.Concurrency}.Bounded()
		if !bounded || readsInFlight**place.Concurrency > maxBatch { // unbounded, a million reads would fill any memory
			continue
		}
		p := blank
		p.place, p.Memory, p.Strategy, p.Concurrency = place, place.Power, place.Strategy, *place.Concurrency
		costs := compute.OnLambda(compute.Costs(c.Calibration, p.Strategy, compute.Middle), c.Calibration.OnLambda())
		p.child = compute.Invocation(place, costs, s3, c.Run.Arch, maxBatch)
		p.alone = p.simulated(1, maxBatch)
		p.rate = 1e3 * float64(p.alone.Reads) / p.alone.DurationMS
		p.lone = p.compute(p.alone.DurationMS) / float64(p.alone.Reads)
		all = append(all, &p)
		if p.fit() {
			plans = append(plans, &p)
			if p.alone.PeakMB <= memoryShare*float64(p.Memory) {
				roomy = append(roomy, &p)
			}
		}
	}
	if len(roomy) == 0 {
		return nil, fmt.Errorf("there is no setting to plan with: it takes a strategy and a concurrency that bounds it, of at most %d, "+
			"that reads fewer than %.0f objects a second and leaves a tenth of the memory free\n"+
			"name such ones: go run ./tune map FILE --strategies pool --power 512,1024,2048, and plan with tune-map/results.json", maxBatch/readsInFlight, share*s3.GetsPerSecond)
	}
	p := best(roomy)
	if p != best(plans) {
		p.Binds += ", memory"
	}
	p.Alternatives = p.alternatives(slices.MinFunc(all, func(a, b *Plan) int {
		return cmp.Compare(a.read()*a.dollars(0, 0, a.lone).Total, b.read()*b.dollars(0, 0, b.lone).Total)
	}))
	return p, nil
}

// read is how long a read takes at least where nobody else reads the prefix, in seconds.
func (p *Plan) read() float64 { return 1 / min(p.rate, p.child.S3.GetsPerSecond) }

// compute is what a child costs that lasts so long, its requests apart, in dollars.
func (p *Plan) compute(ms float64) float64 {
	return platform.ComputeCost(p.compared.Run.Arch, p.Memory, math.Ceil(ms))
}

// best is which of several plans New takes.
func best(plans []*Plan) *Plan {
	product := func(p *Plan) float64 { return p.Dollars.Total * (p.Seconds.Low + p.Seconds.High) }
	by := func(a, b *Plan) int { return cmp.Compare(product(a), product(b)) }
	most := 1.05 * product(slices.MinFunc(plans, by))
	near := slices.DeleteFunc(slices.Clone(plans), func(p *Plan) bool { return product(p) > most })
	return slices.MinFunc(near, func(a, b *Plan) int { return cmp.Or(cmp.Compare(a.Children, b.Children), by(a, b)) })
}

// limit is the least that several things allow, and which of them does.
type limit struct {
	n    int
	name string
}

func (l *limit) to(n int, name string) {
	if n < l.n {
		*l = limit{n, name}
	}
}

// fit sets the batch and the children to the most that every limit allows, and
// names the limits. It reports whether there can be a child at all.
func (p *Plan) fit() bool {
	batch := limit{p.each, ""}
	batch.to(int(childSec*p.rate), "child duration")
	batch.to(maxBatch, "batch input")
	if p.most = batch.n; p.most == 0 {
		return false
	}
	children := limit{p.ConcurrencyLimit / p.executions, "Lambda concurrency"}
	// What Lambda starts only when the job is over is of no use: n begin at
	// once, and perSec in each second after that, until the work is done.
	n, perSec, work := float64(platform.Environments), platform.Environments/platform.EnvironmentsEvery.Seconds(), float64(p.Objects)/p.rate
	children.to(max(1, int(math.Sqrt(n*n+2*perSec*work))/p.executions), "Lambda ramp")
	children.to(platform.MaxChildren, "Step Functions children")
	children.to(max(ceil(p.each, p.most), p.each/(readsInFlight*p.Concurrency)), "objects")
	children.to(sort.Search(min(children.n, int(share*p.child.S3.GetsPerSecond/p.rate)), func(i int) bool {
		return p.simulated(i+1, p.batch(i+1)).Retries*refusedOf > p.batch(i+1)
	}), "prefix GETs")
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

// batch is how many objects each of n children of an execution reads at a time:
// the most that it can, or less where that fills the last wave.
func (p *Plan) batch(n int) int {
	waves := ceil(p.each, n*p.most)
	return ceil(p.each, waves*n)
}

// simulated returns how a child reads a batch while it gets an nth of what S3 gives
// a prefix.
func (p *Plan) simulated(n, batch int) simulate.Result {
	child := p.child
	child.Reads, child.S3 = batch, child.S3.Shared(n)
	return simulate.Summarize(simulate.Sweep([]simulate.Invocation{child}, p.draws)[0]).Result
}

// lasts returns how long a batch takes at least where n children read a prefix, in
// seconds: more of them than S3 serves are no faster.
func (p *Plan) lasts(n, batch int) float64 {
	return max(p.simulated(1, batch).DurationMS/1e3, float64(n*batch)/p.child.S3.GetsPerSecond)
}

// with returns what the job takes and costs with so many children at once.
func (p *Plan) with(children int) (Seconds, Dollars) {
	n := max(1, children/p.executions)
	batch := p.batch(n)
	seconds := p.lasts(n, batch)
	waves := float64(ceil(p.each, n*batch) * ceil(p.Prefixes, p.executions))
	useful := min(float64(children), p.granted()/p.rate) // the others wait for S3
	late := max(0, useful-platform.Environments)         // those that wait for Lambda to start them
	ramp := late * late * platform.EnvironmentsEvery.Seconds() / (2 * platform.Environments * useful)
	return Seconds{up(waves*seconds + ramp), up(waves*(seconds+pauseSec) + ramp)}, p.dollars(p.Prefixes*ceil(p.each, batch), seconds, p.compute(1e3*seconds)/float64(batch))
}

// granted is how many GETs a second S3 grants the executions at once.
func (p *Plan) granted() float64 { return float64(p.executions) * p.child.S3.GetsPerSecond }

func ceil(a, b int) int { return (a + b - 1) / b }

// up rounds up to a tenth: a plan promises no less than it computes.
func up(seconds float64) float64 { return math.Ceil(seconds*10) / 10 }
