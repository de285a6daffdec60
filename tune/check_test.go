//go:build linux

package main

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sourcegraph/conc/iter"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/compute"
	"lambda-parallel-io/tune/internal/sfntest"
	"lambda-parallel-io/tune/powertuning"
	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/report"
	"lambda-parallel-io/tune/simulate"
)

// aMap is a results.json of this machine with a calibration and a map.
const aMap = "report/testdata/map/results.json"

// played is a Lambda whose processor takes so many times as long as the map says,
// and that has another S3.
type played struct {
	cpu       float64
	s3        profile.S3
	of        *comparison.Comparison
	mu        sync.Mutex
	simulator simulate.Simulator
	random    *rand.Rand
	calls     uint64
}

// invocation is one of the Lambda that is played.
func (p *played) invocation(at comparison.Place, reads int) simulate.Invocation {
	in := compute.OnLambda(p.of, at, p.s3, reads, compute.Middle)
	for _, ms := range []*float64{&in.Before, &in.After, &in.Handshake} {
		*ms *= p.cpu
	}
	for i := range in.Crowd {
		in.Crowd[i].CPU *= p.cpu
	}
	return in
}

// average is what Power Tuning answers of a size, 2 % off.
func (p *played) average(in powertuning.Input) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	call, err := event.Decode(in.Payload, event.DefaultConcurrency)
	if err != nil {
		panic(err)
	}
	at := comparison.Place{Strategy: call.Strategy, Power: in.PowerValues[0]}
	switch at.Strategy {
	case "sequential":
		at.Concurrency = new(1)
	case "pool":
		at.Concurrency = new(call.Concurrency)
	}
	var ms []float64
	for range in.Num {
		p.calls++
		ms = append(ms, p.simulator.Run(p.invocation(at, call.Repeat), simulate.NewDraw(p.s3, 77, p.calls, call.Repeat)).DurationMS)
	}
	return powertuning.TrimmedMean(ms, *in.DiscardTopBottom) * math.Exp(0.02*p.random.NormFloat64())
}

// onAWS runs the program against the Lambda that is played, and returns stdout.
func (p *played) onAWS(t *testing.T, dir string, args ...string) string {
	t.Helper()
	fake, err := sfntest.New("looks=0")
	if err != nil {
		t.Fatal(err)
	}
	fake.Averages = p.average
	server := httptest.NewServer(fake)
	defer server.Close()
	return program(t, dir, server.URL, append([]string{"aws", "--state-machine", "arn:aws:states:eu-west-1:123456789012:stateMachine:tuner",
		"--function-arn", "arn:aws:lambda:eu-west-1:123456789012:function:reader"}, args...)...)
}

func program(t *testing.T, dir, endpoint string, args ...string) string {
	t.Helper()
	cmd := exec.Command("tune", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+endpoint, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true", "AWS_PROFILE=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tune %s: %v\n%s%s", strings.Join(args, " "), err, out, &stderr)
	}
	return string(out)
}

// of is the map of this machine with another S3, in a folder of its own.
func of(t *testing.T, latency string) (dir string, c *comparison.Comparison) {
	t.Helper()
	dir = t.TempDir()
	file, err := filepath.Abs(aMap)
	if err != nil {
		t.Fatal(err)
	}
	program(t, dir, "", "map", file, "--latency", latency, "-o", "tune-results")
	c, err = report.Load(filepath.Join(dir, "tune-results", "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	return dir, c
}

// playing is a Lambda beside which there is a map of this machine.
func playing(t *testing.T, cpu float64, s3, assumed string) (*played, string) {
	t.Helper()
	dir, c := of(t, assumed)
	return &played{cpu: cpu, s3: profile.MustParse(s3), of: c, random: rand.New(rand.NewPCG(5, 6))}, dir
}

// near tests that a calibration is that of the Lambda.
func (p *played) near(t *testing.T, c *comparison.Comparison) {
	t.Helper()
	fit := c.Calibration.Fit
	if fit == nil || !fit.CPU || !fit.Latency {
		t.Fatalf("fitted is %+v, want the processor and the latency", fit)
	}
	cpu, median := c.Calibration.CPU("pool").Value/(p.cpu*p.of.Calibration.CPU("pool").Value), fit.S3Median.Value/(p.s3.Median.Seconds()*1e3)
	t.Logf("%g times the CPU, S3 %s: a read takes %.3f times what it does there, the median is %.3f times the one there; %s, %s", p.cpu, p.s3, cpu, median, c.Run.Latency, c.Calibration.Source)
	if math.Abs(cpu-1) > 0.07 || math.Abs(median-1) > 0.1 {
		t.Errorf("%g times the CPU, S3 %s: a read takes %.3f times what it does there, want within 7 %%; the median is %.3f times the one there, want within 10 %%", p.cpu, p.s3, cpu, median)
	}
	if s, err := profile.Parse(c.Run.Latency); err != nil || math.Abs(s.Median.Seconds()*1e3/fit.S3Median.Value-1) > 0.001 {
		t.Errorf("the latency %s has the median %s, %v; want the fitted %g ms", c.Run.Latency, s.Median, err, fit.S3Median.Value)
	}
}

// worse is how much worse the answer is on the Lambda than the best of the map's
// sizes, as a factor of its time and of its cost in their geometric mean.
func (p *played) worse(c *comparison.Comparison) float64 {
	places := []comparison.Place{c.Map.Answer.Place}
	for _, point := range c.Map.Points {
		if point.Usable() {
			places = append(places, point.Place)
		}
	}
	var all []simulate.Invocation
	var draws []simulate.Draw
	for _, at := range places {
		all = append(all, p.invocation(at, c.Run.Repeat))
	}
	for k := range uint64(5) {
		draws = append(draws, simulate.NewDraw(p.s3, 5, k, c.Run.Repeat))
	}
	least, answer := math.Inf(1), 0.0
	for i, results := range iter.Map(all, func(in *simulate.Invocation) []simulate.Result { return in.Runs(draws) }) {
		ms := simulate.Summarize(results).DurationMS
		product := ms * c.CostPerMillion(places[i].Power, ms)
		if least = min(least, product); i == 0 {
			answer = product
		}
	}
	return math.Sqrt(answer / least)
}

func TestACheckOnAWSTellsTheLambdaAndItsAnswer(t *testing.T) {
	for _, x := range []struct {
		cpu         float64
		s3, assumed string
	}{{1.4, "public", "apg"}, {3, "public", "apg"}, {1.4, "express", "2xexpress"}, {3, "express", "2xexpress"}} {
		t.Run(fmt.Sprintf("%g times the CPU, S3 %s", x.cpu, x.s3), func(t *testing.T) {
			p, dir := playing(t, x.cpu, x.s3, x.assumed)
			text := p.onAWS(t, dir, "--check", "tune-results/results.json")
			t.Log(text)
			c, err := report.Load(filepath.Join(dir, "tune-check", "results.json"))
			if err != nil {
				t.Fatal(err)
			}
			p.near(t, c)
			if len(c.Checks) != 3 {
				t.Fatalf("%d checks, want 3: %+v", len(c.Checks), c.Checks)
			}
			for _, k := range c.Checks {
				if !k.Made() || k.Far() || k.AssumedMS == 0 {
					t.Errorf("%s: %+v, want what was computed before and after the fit, and the latter to explain what was measured", k.Name(), k)
				}
			}
			if worse := p.worse(c); worse > 1.05 {
				t.Errorf("the answer, %s, is %.3f times as bad as the best cell there", c.Map.Answer.Name(), worse)
			}
		})
	}
}

// All variants that are there are used.
func TestAComparisonOnAWSTellsTheLambda(t *testing.T) {
	p, dir := playing(t, 1.4, "public", "apg")
	p.onAWS(t, dir, "--strategies", "pool,sequential,unbounded", "--power", "512,1024,3008", "--repeat", "1000", "--yes", "-o", "aws")
	t.Log(program(t, dir, "", "map", "aws/results.json", "-o", "there"))
	c, err := report.Load(filepath.Join(dir, "there", "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	p.near(t, c)
	if n := len(c.Checks); n != 9 || !strings.HasPrefix(c.Calibration.Source, "9 cells of aws/results.json in eu-west-1;") {
		t.Errorf("%d checks, source %s: want all nine cells", n, c.Calibration.Source)
	}
	for _, k := range c.Checks {
		if k.Far() {
			t.Errorf("%s: computed %g ms, measured %g", k.Name(), k.ComputedMS, k.MeasuredMS)
		}
	}
}
