package plan

import (
	"fmt"
	"math"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/prose"
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

// Alternative is another way to do the job. Seconds are the least that it
// takes; they are null where they are not known, and both are null where it
// cannot be done in this way.
type Alternative struct {
	Name    string   `json:"name"`
	Seconds *float64 `json:"seconds"`
	Dollars *float64 `json:"dollars"`
	note    string
}

// Of S3 Batch Operations, Lambda and Step Functions.
const (
	keysAPage   = 1_000
	maxCallSec  = 900         // Lambda's longest invocation
	expressSec  = 0.1         // the steps in which an EXPRESS execution is billed,
	expressGB   = 64. / 1_024 // and the memory; a child's input is taken to fit one step
	expressEnds = 300         // seconds
)

func computeCost(arch string, powerMB int, seconds float64) float64 {
	return powertuning.ComputeCost(arch, powerMB, 1e3*seconds)
}

// dollars returns what the job costs in so many children, each of so many
// seconds, at so much compute a read.
func (p *Plan) dollars(children int, seconds, compute float64) Dollars {
	objects, n := float64(p.job.Objects), float64(children)
	express := math.Ceil(seconds/expressSec) * expressSec * expressGB
	return Dollars{
		Get:      objects * powertuning.PricePerThousandGets / 1e3,
		List:     float64(ceil(p.job.Objects, keysAPage)) * powertuning.PricePerThousandLists / 1e3,
		Compute:  objects * compute,
		Requests: n * powertuning.PricePerMillionRequests / 1e6,
		StepFunctions: n * (powertuning.PricePerThousandTransitions/1e3 + powertuning.PricePerMillionExpress/1e6 +
			express*powertuning.PricePerGBSecondExpress),
	}.sum()
}

func (d Dollars) sum() Dollars {
	d.Total = d.Get + d.List + d.Compute + d.Requests + d.StepFunctions
	return d
}

// alternatives are the same job in one function, with one object a child, as
// Step Functions would do it by default, and by S3 Batch Operations.
func (p *Plan) alternatives() []Alternative {
	return []Alternative{p.single(), p.lone(), p.storm(), p.batchOperations()}
}

// single is the job in one invocation, which lists its prefix itself. It reads
// prefix after prefix, so it gets the GETs of one.
func (p *Plan) single() Alternative {
	a := Alternative{Name: "one function"}
	seconds := up(float64(p.job.Objects) * p.one.alone())
	if p.job.Objects > event.MaxObjects || seconds > maxCallSec {
		a.note = fmt.Sprintf("%s s of at most %d, and %s objects of at most %s in a call",
			prose.Thousands(seconds, 0), maxCallSec, prose.Thousands(p.job.Objects, 0), prose.Thousands(event.MaxObjects, 0))
		return a
	}
	d := p.dollars(0, 0, p.one.compute*p.one.alone()*p.one.rate())
	d.Requests = powertuning.PricePerMillionRequests / 1e6
	total := d.sum().Total
	a.Seconds, a.Dollars = &seconds, &total
	a.note = fmt.Sprintf("%s at %s MB", p.one.Label(), prose.Thousands(p.one.cell.Power, 0))
	return a
}

// one object a child: as many children as S3 serves.
func (p *Plan) lone() Alternative {
	children, _ := least(limits{
		{int(share * p.granted() * p.child.lone), ""}, {p.job.ConcurrencyLimit, ""}, {p.executions * maxChildren, ""}})
	seconds := up(float64(p.job.Objects) / min(float64(max(1, children))/p.child.lone, p.granted()))
	d := p.dollars(p.job.Objects, p.child.lone, computeCost(p.run.Arch, p.Memory, p.child.lone))
	return Alternative{"one object a child", &seconds, &d.Total, fmt.Sprintf("%s at once", prose.Thousands(max(1, children), 0))}
}

// storm is the plan with Step Functions' default of 10,000 children at once:
// nearly all answers are 503 SlowDown, the function asks again until its
// deadline, and Lambda bills the waiting.
func (p *Plan) storm() Alternative {
	batches := p.job.Prefixes * ceil(ceil(p.job.Objects, p.job.Prefixes), p.Batch)
	children, _ := least(limits{{p.executions * maxChildren, ""}, {p.job.ConcurrencyLimit, ""}, {batches, ""}})
	a := Alternative{Name: "10,000 children", note: prose.Thousands(children, 0) + " at once"}
	if asked := float64(children) * p.child.rate(); asked > p.granted() {
		a.note = fmt.Sprintf("a storm: %s at once ask for %s times what S3 gives", prose.Thousands(children, 0), prose.Thousands(asked/p.granted(), 0))
		if float64(children)/p.granted()*float64(p.Batch) > expressEnds {
			a.note += "; none ends within its 5 minutes"
			return a
		}
	}
	s, d := p.with(children)
	a.Seconds, a.Dollars = &s.Low, &d.Total
	return a
}

// batchOperations invokes the function once an object. How fast is not
// published.
func (p *Plan) batchOperations() Alternative {
	objects := float64(p.job.Objects)
	d := p.dollars(0, 0, computeCost(p.run.Arch, p.Memory, p.child.lone))
	total := d.Total + objects*powertuning.PricePerMillionRequests/1e6 +
		powertuning.PricePerBatchOperationsJob + objects*powertuning.PricePerMillionBatchOperations/1e6
	return Alternative{"S3 Batch Operations", nil, &total, "its prices are from memory"}
}
