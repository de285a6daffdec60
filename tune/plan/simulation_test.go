package plan_test

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/plan"
	"lambda-parallel-io/tune/profile"
)

// simulation is a job in virtual time: children read one batch after another, all from one prefix of the model
// of S3. Each of a child's workers waits for S3 and then for the child's processor.
type simulation struct {
	objects, batch, children, concurrency int
	latency                               profile.S3
	cpu                                   time.Duration // of a read, at the child's memory size

	limit     *rate.Limiter // shared by all
	random    *rand.Rand
	events    events
	left      int // objects in no batch yet
	slots     []slot
	gets      uint64
	slowDowns int
}

// slot is a running child.
type slot struct {
	unread, unfinished int           // of the batch
	busy               time.Duration // until then the processor has work
}

// event is the next step of a worker of a slot.
type event struct {
	at      time.Duration
	slot    int
	what    func(event)
	attempt int // of the GET
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// run returns how long the job takes, and the share of S3's answers that are
// SlowDown.
func (s *simulation) run() (took time.Duration, slowDown float64) {
	s.limit = rate.NewLimiter(platform.GetsPerSecond, platform.GetsPerSecond/10)
	s.random = rand.New(rand.NewPCG(1, 2))
	s.left, s.slots = s.objects, make([]slot, s.children)
	for i := range s.slots {
		s.begin(i, 0)
	}
	for len(s.events) > 0 {
		e := heap.Pop(&s.events).(event)
		took = e.at
		e.what(e)
	}
	return took, float64(s.slowDowns) / float64(s.gets)
}

func (s *simulation) then(at time.Duration, slot int, what func(event), attempt int) {
	heap.Push(&s.events, event{at, slot, what, attempt})
}

// begin starts a child on the next batch, if there is one.
func (s *simulation) begin(i int, at time.Duration) {
	n := min(s.batch, s.left)
	s.left -= n
	workers := min(s.concurrency, n)
	s.slots[i].unread, s.slots[i].unfinished = n-workers, n
	for range workers {
		s.then(at, i, s.ask, 1)
	}
}

// ask is a GET: S3 accepts or refuses it on arrival, and answers after its latency. The function backs off like
// its retryer, by full jitter from 50 ms to 2 s.
func (s *simulation) ask(e event) {
	s.gets++
	answer := e.at + s.latency.Draw(1, 1, s.gets)
	if !s.limit.AllowN(time.Unix(0, 0).Add(e.at), 1) {
		s.slowDowns++
		most := min(2*time.Second, 50*time.Millisecond<<min(e.attempt-1, 6))
		s.then(answer+time.Duration(s.random.Int64N(int64(most))), e.slot, s.ask, e.attempt+1)
		return
	}
	s.then(answer, e.slot, s.decode, 1)
}

// decode takes processor time, after the objects before it.
func (s *simulation) decode(e event) {
	child := &s.slots[e.slot]
	child.busy = max(child.busy, e.at) + s.cpu
	s.then(child.busy, e.slot, s.done, 1)
}

// done ends a read: the worker takes the next object, and the last worker ends the child.
func (s *simulation) done(e event) {
	child := &s.slots[e.slot]
	child.unfinished--
	if child.unread > 0 {
		child.unread--
		s.then(e.at, e.slot, s.ask, 1)
	} else if child.unfinished == 0 {
		s.begin(e.slot, e.at)
	}
}

// simulated is a plan's job with so many children. The memory size scales the processor time of a read.
func simulated(t *testing.T, c *comparison.Comparison, p *plan.Plan, children int) *simulation {
	t.Helper()
	ms := c.Calibration.Reads[0].CPU.Value * platform.MemoryPerVCPU / float64(p.Memory)
	return &simulation{objects: p.Objects, batch: p.Batch, children: children, concurrency: p.Concurrency,
		latency: profile.MustParse(c.Run.Latency), cpu: time.Duration(ms * 1e6)}
}

func TestTheComputedTimeMatchesASimulationOfChildrenThatShareS3(t *testing.T) {
	for _, memory := range []int{512, 1_024, 3_008} {
		c := example(memory)
		p := planned(t, c, plan.Job{Objects: 100_000, Prefixes: 1, ConcurrencyLimit: 1_000})
		_, curve := p.Curve()
		for _, children := range []int{1, 2, 4, 8} {
			i := slices.Index(curve.Children, children)
			if i < 0 {
				t.Fatalf("the curve has %v children, want %d among them", curve.Children, children)
			}
			took, _ := simulated(t, c, p, children).run()
			if got, want := curve.Seconds[i], took.Seconds(); math.Abs(got-want) > 0.15*want {
				t.Errorf("%d children at %d MB: computed %.1f s, simulated %.1f, want them within 15 %%", children, memory, got, want)
			}
		}
	}
}

func TestAPlanDoesNotCauseSlowDown(t *testing.T) {
	for _, memory := range []int{128, 512, 1_024, 3_008} {
		for _, objects := range []int{10_000, 100_000, 1_000_000} {
			if memory != 512 && objects == 1_000_000 {
				continue // a hundred thousand have it all in them
			}
			c := example(memory)
			p := planned(t, c, plan.Job{Objects: objects, Prefixes: 1, ConcurrencyLimit: 1_000})
			if _, slow := simulated(t, c, p, p.Children).run(); slow >= 0.01 {
				t.Errorf("of %d children at %d MB, planned for %d objects, %.2f %% of S3's answers are SlowDown, want less than 1 %%", p.Children, p.Memory, objects, 100*slow)
			}
		}
	}
}
