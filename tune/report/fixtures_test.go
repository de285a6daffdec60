package report

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/powertuning"
)

// fixtures are the comparisons of which every view has a golden file. Their
// figures are invented, with the shape of real ones.
type fixture struct {
	name  string
	model func() *comparison.Comparison
}

var fixtures = []fixture{
	{"local", local},
	{"aws", onAWS},
	{"few", few},
	{"rounds", rounds},
	{"interrupted", interrupted},
	{"failures", failures},
	{"hostile", hostile},
	{"many", many},
	{"empty", empty},
	{"objects", objects},
	{"map", computed},
}

var sizes = []int{128, 512, 1024, 1769, 3008, 10240}

type variant struct {
	strategy    string
	concurrency int // 0: unbounded
}

var four = []variant{{"sequential", 1}, {"unbounded", 0}, {"pool", 30}, {"semaphore", 30}}

func local() *comparison.Comparison { return compare(four, sizes, 6) }

// compare invents a local run in which a read waits 15 ms for S3 and takes
// 0.32 ms of CPU.
func compare(variants []variant, sizes []int, num int) *comparison.Comparison {
	const repeat, wait, cpu = 50, 15.0, 0.32
	c := &comparison.Comparison{
		Schema: comparison.Schema,
		Mode:   comparison.Local,
		Run: comparison.Run{
			Time:     time.Date(2026, 11, 22, 21, 4, 5, 0, time.UTC),
			Versions: map[string]string{"go": "go1.26", "github.com/aws/aws-sdk-go-v2/service/s3": "v1.114.8"},
			OS:       "linux/amd64", CPUs: 6, CPU: &comparison.CPU{Factor: 2.04, Source: "measured"},
			Spec: comparison.Spec{
				Arch: platform.ARM64, Region: "us-east-1",
				PowerValues: sizes, Num: num, Repeat: repeat,
				ObjectKey: "sample.json", ObjectBytes: 9374, Records: 43,
				Function: "./handler", TimeoutSec: 600,
				TuningStrategy: powertuning.Balanced, BalancedWeight: 0.5, DiscardTopBottom: 0.2,
				Seed: 1, Latency: "apg", LatencyMeanMS: 15.76,
			},
		},
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, kind := range variants {
		v := comparison.Result{Variant: comparison.Variant{Strategy: kind.strategy}}
		v.Payload = raw(event.Payload{Strategy: kind.strategy, Concurrency: max(kind.concurrency, 1), Repeat: repeat, ObjectKey: "sample.json"})
		width := float64(repeat)
		if kind.concurrency > 0 {
			v.Concurrency = &kind.concurrency
			width = float64(min(kind.concurrency, repeat))
		}
		for _, power := range sizes {
			share := float64(power) / 1769
			work := repeat * cpu * (1 + width/200) / min(share, 2)
			waits := math.Ceil(repeat/width) * wait
			typical := max(waits, work) + 0.25*min(waits, work)
			cell := comparison.Cell{Power: power, InitMS: 38 + 4*random.Float64(), MaxMemoryMB: 31 + int(width/4)}
			for range num {
				ms := math.Round(1000*typical*(0.985+0.04*random.Float64()*random.Float64())) / 1000
				cell.DurationsMS = append(cell.DurationsMS, ms)
				cell.BilledMS = append(cell.BilledMS, int(math.Ceil(ms)))
			}
			cell.WarmUp = &comparison.WarmUp{DurationMS: 1.6 * typical, BilledMS: int(math.Ceil(1.6*typical + cell.InitMS))}
			last := cell.DurationsMS[num-1] / 1000
			cell.Response = raw(event.Answer{
				ObjectsRead: repeat, BytesRead: repeat * 9374, TimeSec: last, ObjectsPerSec: repeat / last, BytesPerSec: repeat * 9374 / last,
				RecordsRead: repeat * 43, Strategy: kind.strategy, Concurrency: v.Concurrency, PeakInFlight: int(width), Connections: int64(width),
				CPUSec:  repeat * cpu * (1 + width/200) / 1000,
				Latency: event.Latency{P50: 14.2 + width/10, P95: 38 + width/4, P99: 55 + width, Max: 61 + width},
			})
			cell.CPUShare = &comparison.CPUShare{Target: share, Used: min(share, repeat*cpu*(1+width/200)/typical), Starved: 0.01 * random.Float64()}
			v.Cells = append(v.Cells, cell)
		}
		tune(c.Run, &v)
		c.Variants = append(c.Variants, v)
	}
	c.Recommend()
	return c
}

// tune fills in what Power Tuning would have said of a variant.
func tune(r comparison.Run, v *comparison.Result) {
	out := powertuning.Output{}
	for i := range v.Cells {
		if c := &v.Cells[i]; c.Error == "" {
			c.AverageMS = powertuning.TrimmedMean(c.DurationsMS, r.DiscardTopBottom)
			c.AverageCost = powertuning.Price(powertuning.BaseCost(r.Region, r.Arch), c.Power, c.AverageMS)
			out.Stats = append(out.Stats, powertuning.Stat{Value: c.Power, AverageDuration: c.AverageMS, AveragePrice: c.AverageCost})
		}
	}
	out.StateMachine.Visualization = powertuning.Link(r.Region, out.Stats)
	v.Tuning = &out
}

// onAWS is a run of which nothing came back but Power Tuning's means, and
// nothing at all of the last variant.
func onAWS() *comparison.Comparison {
	c := local()
	c.Mode = comparison.AWS
	c.Run.LatencyMeanMS = 0
	c.Run.Seed, c.Run.Latency, c.Run.CPUs, c.Run.CPU, c.Run.OS = 0, "", 0, nil, ""
	c.Run.Function = "arn:aws:lambda:us-east-1:123456789012:function:parallel-io"
	c.Run.StateMachine = "arn:aws:states:us-east-1:123456789012:stateMachine:powerTuning"
	for i := range c.Variants {
		v := &c.Variants[i]
		v.Execution = fmt.Sprintf("arn:aws:states:us-east-1:123456789012:execution:powerTuning:parallel-io-%s", v.Strategy)
		for j, cell := range v.Cells {
			v.Cells[j] = comparison.Cell{Power: cell.Power, AverageMS: cell.AverageMS, AverageCost: cell.AverageCost}
		}
	}
	last := &c.Variants[3]
	last.Cells, last.Tuning = nil, nil
	last.Error = "the execution answered {}: at 128 MB the Executor failed with Lambda.Unknown: Task timed out after 600.00 seconds"
	c.Recommend()
	return c
}

func few() *comparison.Comparison { return compare(four, []int{512, 1769}, 3) }

// rounds is a run that measured what was open: sequential is out after its first
// pairs, unbounded is decided, semaphore as good as the best one, or open where
// the time ended, and the recommended cell may be too long.
func rounds() *comparison.Comparison {
	c := compare(four, []int{128, 512, 1769, 3008}, 15)
	c.Run.Num, c.Run.ForSec = 30, 45
	for i := range c.Variants {
		v := &c.Variants[i]
		for j := range v.Cells {
			cell, runs := &v.Cells[j], 8
			switch {
			case v.Strategy == "sequential":
				runs = 2
				if cell.Power == 128 {
					runs = 3
				}
			case cell.Power == 128:
				runs = 3
			case v.Strategy == "semaphore" && cell.Power == 512:
				for k := range 8 {
					cell.DurationsMS[k] *= 1 + 0.4*float64(k%2)
				}
			case v.Strategy == "unbounded" && cell.Power == 3008:
				cell.CPUShare.Starved = 0.8
			case v.Strategy == "pool" && cell.Power == 1769:
				runs = 15
			}
			cell.DurationsMS, cell.BilledMS = cell.DurationsMS[:runs], cell.BilledMS[:runs]
		}
		tune(c.Run, v)
	}
	c.Recommend()
	return c
}

// interrupted is a run that was stopped in the third variant.
func interrupted() *comparison.Comparison {
	c := local()
	c.Run.Interrupted = true
	c.Variants[2].Cells = c.Variants[2].Cells[:2]
	c.Variants[2].Cells[1].DurationsMS = c.Variants[2].Cells[1].DurationsMS[:3]
	c.Variants[2].Cells[1].BilledMS = c.Variants[2].Cells[1].BilledMS[:3]
	c.Variants[3].Cells, c.Variants[3].Tuning = nil, nil
	c.Recommend()
	return c
}

// failures is a run with everything that a note is for.
func failures() *comparison.Comparison {
	c := local()
	c.Run.CPUs = 2
	fail := func(variant, size int, cause string) {
		cell := &c.Variants[variant].Cells[size]
		*cell = comparison.Cell{Power: cell.Power, MaxMemoryMB: 128, Error: cause}
	}
	fail(0, 0, "RequestId: 5f0c1e2a Error: Task timed out after 600.00 seconds")
	fail(1, 0, "RequestId: 5f0c1e2b Error: Runtime exited with error: signal: killed (Runtime.ExitError)")
	c.Variants[1].Cells[0].OutOfMemory = true
	fail(3, 2, `reading "sample.json" of bucket "data": AccessDenied: Access Denied`)
	for i := range c.Variants {
		c.Variants[i].Cells[5].CPUShare = &comparison.CPUShare{Target: 5.79, Used: 4, Starved: 1.2}
		if i > 0 {
			c.Variants[i].Cells[3].CPUShare.Starved = 0.6 + 0.1*float64(i)
		}
	}
	cell := c.Variants[1].Cell(3008)
	var a event.Answer
	if err := json.Unmarshal(cell.Response, &a); err != nil {
		panic(err)
	}
	a.Retries = 312
	cell.Response = raw(a)
	c.Recommend()
	return c
}

// hostile has in every name what must not work anywhere.
func hostile() *comparison.Comparison {
	c := compare([]variant{
		{"sequential", 1},
		{`</script><script>alert("1")</script>`, 30},
		{"=HYPERLINK(\"https://evil.example\",'x')\x1b[31m", 30},
		{"\u202eقراءة\u2066 متوازية", 30},
		{strings.Repeat("long|`*_name ", 16), 30},
	}, []int{512, 1769}, 6)
	evil := "'\"><img src=x onerror=alert(2)>\x00\x1b]0;owned\x07\r\n@everyone [x](javascript:alert(3)) | `-->"
	c.Run.ObjectKey, c.Run.Function, c.Run.Latency = evil, evil, evil
	c.Run.OS, c.Run.Region = evil, evil
	c.Run.Versions = map[string]string{"go": evil, evil: evil}
	c.Variants[1].Tuning.StateMachine.Visualization = `javascript:alert("4")`
	c.Variants[2].Tuning.StateMachine.Visualization = `https://lambda-power-tuning.show/#"><script>`
	c.Variants[3].Cells[1] = comparison.Cell{Power: 1769, Error: evil}
	c.Variants[3].Error = "\xff\xfe" + evil
	c.Variants[4].Payload = raw(map[string]string{"strategy": "<!--<script>" + evil})
	c.Recommend()
	c.Recommendation.Rule = evil
	return c
}

// many is what a list of concurrencies makes.
func many() *comparison.Comparison {
	variants := []variant{{"sequential", 1}, {"unbounded", 0}}
	for _, strategy := range []string{"pool", "semaphore"} {
		for _, n := range []int{10, 30, 64, 128} {
			variants = append(variants, variant{strategy, n})
		}
	}
	return compare(variants, sizes, 6)
}

// empty is a run that was stopped before its first cell.
func empty() *comparison.Comparison {
	c := local()
	c.Run.Interrupted = true
	for i := range c.Variants {
		c.Variants[i].Cells, c.Variants[i].Tuning = nil, nil
	}
	c.Recommend()
	return c
}

func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// objects is of many, large ones, of which two failed.
func objects() *comparison.Comparison {
	c := compare(four[1:3], []int{512, 1769}, 6)
	c.Run.Objects, c.Run.ObjectKey, c.Run.ObjectBytes, c.Run.Records = &comparison.Objects{Prefix: new("orders/"), Bytes: 50 * 400_000}, "", 0, 0
	for i := range c.Variants {
		v := &c.Variants[i]
		v.Payload = raw(event.Payload{Strategy: v.Strategy, Concurrency: 30, Prefix: new("orders/"), MaxObjects: 50, OnFailure: event.Report})
		for j := range v.Cells {
			a := event.Answer{ObjectsRead: 48, BytesRead: 48 * 400_000, TimeSec: 0.05, Strategy: v.Strategy, Failed: 2,
				Failures: []event.Failure{{Key: "orders/1", Error: "it is not valid JSON", Attempts: 1}, {Key: "orders/2", Error: "404", Attempts: 1}}}
			v.Cells[j].Response = raw(a)
		}
	}
	return c
}
