//go:build linux

package local_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local"
	"lambda-parallel-io/tune/slowmotion"
)

var invocations int // of this process as the function

// The test binary is also the function: the payload says what it does.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		os.Exit(m.Run())
	}
	awslambda.Start(func(ctx context.Context, payload json.RawMessage) (any, error) {
		var do string
		var reads struct{ Repeat, MS, Fails, CPU int }
		if json.Unmarshal(payload, &do) != nil && json.Unmarshal(payload, &reads) == nil {
			fmt.Println(reads.Repeat, "reads")
			time.Sleep(time.Duration(reads.MS) * time.Millisecond)
			if reads.CPU > 0 {
				fmt.Println(pace(time.Duration(reads.CPU) * time.Millisecond))
			}
			if invocations++; invocations == reads.Fails {
				return nil, errors.New("once")
			}
			return map[string]int{"objects_read": reads.Repeat}, nil
		}
		switch do {
		case "die":
			return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case "allocate":
			var blocks [][]byte
			for range 300 {
				blocks = append(blocks, []byte(strings.Repeat("x", 1<<20)))
				time.Sleep(time.Millisecond)
			}
			return len(blocks), nil
		case "take a while":
			time.Sleep(300 * time.Millisecond)
		case "took":
			return took, nil
		case "get":
			return get()
		case "print":
			fmt.Println("once")
		case "compute", "wait":
			end := time.Now().Add(300 * time.Millisecond)
			for range runtime.GOMAXPROCS(0) {
				go func() {
					for do == "compute" && time.Now().Before(end) {
					}
				}()
			}
			time.Sleep(time.Until(end))
			return do, nil
		case "hang":
			fmt.Println("hanging")
			<-make(chan int)
		case "answer at length":
			return strings.Repeat("x", comparison.MaxResponse), nil
		case "answer to the limit":
			return strings.Repeat("x", comparison.MaxResponse-len(`""`)), nil
		}
		return map[string]int{"objects_read": 49}, nil
	})
}

// get reads the object once, over a new connection, and returns its size.
func get() (int, error) {
	authority, err := os.ReadFile(os.Getenv("AWS_CA_BUNDLE"))
	if err != nil {
		return 0, err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, DisableKeepAlives: true}}
	answer, err := client.Get(os.Getenv("AWS_ENDPOINT_URL_S3") + "/" + os.Getenv("BUCKET") + "/folder/sample.json")
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return len(body), err
}

// compare measures one cell of 128 MB in which the function does so. edit sees
// the comparison and its tuner before that.
func compare(t *testing.T, do string, o local.Options, edit func(*comparison.Comparison, *local.Tuner)) (*comparison.Comparison, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(do)
	if err != nil {
		t.Fatal(err)
	}
	c := comparison.New(comparison.Spec{
		Variants: []comparison.Variant{{Strategy: comparison.None, Payload: payload}}, PowerValues: []int{128}, Num: 1,
		Function: self, ObjectKey: "folder/sample.json", TimeoutSec: 20, Latency: "none",
		Region: "us-east-1", Arch: "arm64", TuningStrategy: "balanced", BalancedWeight: 0.5, DiscardTopBottom: 0.2,
	}, time.Now())
	o.Objects = []local.Object{{Key: "folder/sample.json", Body: func() ([]byte, error) { return os.ReadFile("../../sample.json") }}}
	tuner, err := local.New(o)
	if err != nil {
		t.Fatal(err)
	}
	edit(c, tuner)
	err = tuner.Tune(t.Context(), c, func(comparison.Progress) error { return nil })
	return c, errors.Join(err, tuner.Close())
}

func asItIs(*comparison.Comparison, *local.Tuner) {}

func TestARaceContinuesWhileAVariantIsUndecided(t *testing.T) {
	c, err := compare(t, "", local.Options{}, func(c *comparison.Comparison, _ *local.Tuner) {
		c.Run.PowerValues = []int{1769}
		c.Run.Num, c.Run.ForSec = 30, 60
		c.Add(comparison.Variant{Strategy: "slow", Payload: []byte(`"take a while"`)})
	})
	if err != nil {
		t.Fatal(err)
	}
	quick, slow := c.Variants[0].Cells[0], c.Variants[1].Cells[0]
	if q, s := len(quick.DurationsMS), len(slow.DurationsMS); q != 8 || s != 2 && s != 3 {
		t.Errorf("the quick one was measured %d times and the slow one %d times, want 8, for other sizes, and 2 or 3", q, s)
	}
}

func TestARaceOutOfTimeEndsAfterThreeRounds(t *testing.T) {
	c, err := compare(t, "take a while", local.Options{}, func(c *comparison.Comparison, _ *local.Tuner) {
		c.Run.Num, c.Run.ForSec = 30, 0.1
		c.Add(comparison.Variant{Strategy: "same", Payload: []byte(`"take a while"`)})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range c.Variants {
		if n := len(v.Cells[0].DurationsMS); n != 3 {
			t.Errorf("%s was measured %d times after the time was over, want 3", v.Label(), n)
		}
	}
}

func TestACellSaysWhetherItWasOutOfMemory(t *testing.T) {
	if os.Getenv("SLOW") != "1" {
		t.Skip("slow: SLOW=1 go test ./tune/local runs it")
	}
	for do, want := range map[string]bool{"allocate": true, "die": false} {
		c, err := compare(t, do, local.Options{}, func(c *comparison.Comparison, _ *local.Tuner) {
			c.Run.TimeoutSec = 600 // at 128 MB memory fills slowly, above all on a busy machine
		})
		if err != nil {
			t.Fatal(err)
		}
		cell := c.Variants[0].Cells[0]
		if cell.OutOfMemory != want || strings.Contains(cell.Error, "out of memory") != want || !strings.Contains(cell.Error, "signal: killed") {
			t.Errorf("%s: OutOfMemory = %t, %q; want %t", do, cell.OutOfMemory, cell.Error, want)
		}
	}
}

// 10,240 MB have 5.8 vCPUs.
func TestACellIsBeyondAMachineWithTooFewCores(t *testing.T) {
	for _, tt := range []struct {
		do     string
		cpus   int
		factor float64
		slow   int
		want   bool
	}{
		{"compute", 1, 2, 1, true},
		{"compute", 1, 6, 1, false}, // this machine's core is as much
		{"compute", 6, 1, 1, false},
		{"compute", 1, 2, 3, false}, // and so it is in slow motion
		{"wait", 1, 2, 1, false},
	} {
		c, err := compare(t, tt.do, local.Options{}, func(c *comparison.Comparison, _ *local.Tuner) {
			c.Run.PowerValues = []int{10_240}
			c.Run.Slow = slowmotion.Factor(tt.slow)
			c.Run.CPUs, c.Run.CPU = float64(tt.cpus), &comparison.CPU{Factor: tt.factor, Source: "--cpu"}
		})
		if err != nil {
			t.Fatal(err)
		}
		if cell := c.Variants[0].Cells[0]; cell.Error != "" || c.Beyond(&cell) != tt.want {
			t.Errorf("%+v: beyond is %t, %+v, %q", tt, c.Beyond(&cell), cell.CPUShare, cell.Error)
		}
	}
}

func TestAResponseIsKeptUnlessItIsLongerThanACellKeeps(t *testing.T) {
	for do, want := range map[string]int{"answer to the limit": comparison.MaxResponse, "answer at length": 0} {
		c, err := compare(t, do, local.Options{}, asItIs)
		if err != nil {
			t.Fatal(err)
		}
		if cell := c.Variants[0].Cells[0]; cell.Error != "" || len(cell.Response) != want {
			t.Errorf("%s: %d bytes of response, %q; want %d", do, len(cell.Response), cell.Error, want)
		}
	}
}

// "took" reports 8 s and one listing. Another function's figures stay as they are.
func TestTheTimesInAnAnswerAreWithoutSlowMotion(t *testing.T) {
	for repeat, want := range map[int]event.Answer{
		1: {ObjectsRead: 1, BytesRead: 9, TimeSec: 2, ObjectsPerSec: 4, BytesPerSec: 36, CPUSec: 1, ListSec: 0.5, Latency: event.Latency{P50: 10, P95: 20, P99: 30, Max: 40}},
		0: took,
	} {
		c, err := compare(t, "took", local.Options{}, func(c *comparison.Comparison, _ *local.Tuner) { c.Run.Slow, c.Run.Repeat = 4, repeat })
		if err != nil {
			t.Fatal(err)
		}
		var got event.Answer
		if cell := c.Variants[0].Cells[0]; json.Unmarshal(cell.Response, &got) != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("repeat %d: the response is %s, %q; want %+v", repeat, cell.Response, cell.Error, want)
		}
	}
}

var took = event.Answer{ObjectsRead: 1, BytesRead: 9, TimeSec: 8, ObjectsPerSec: 1, BytesPerSec: 9, CPUSec: 4, ListSec: 2, Latency: event.Latency{P50: 40, P95: 80, P99: 120, Max: 160}}

func TestOurFunctionMustReadEveryObjectRequested(t *testing.T) {
	c, err := compare(t, "", local.Options{}, func(c *comparison.Comparison, _ *local.Tuner) { c.Run.Repeat = 50 })
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Variants[0].Cells[0].Error; !strings.Contains(got, "it read 49 objects where 50 were asked for") {
		t.Errorf("Error = %q", got)
	}
}

func TestAWrongLatencyIsRefused(t *testing.T) {
	_, err := compare(t, "", local.Options{}, func(c *comparison.Comparison, _ *local.Tuner) { c.Run.Latency = "fast" })
	if err == nil || !strings.Contains(err.Error(), `latency "fast"`) {
		t.Errorf("Tune = %v", err)
	}
}

// abandoner abandons its tuner as soon as the function prints something.
type abandoner struct {
	t     *testing.T
	tuner *local.Tuner
}

func (a *abandoner) Write(p []byte) (int, error) {
	a.abandon()
	return len(p), nil
}

func (a *abandoner) abandon() {
	a.tuner.Abandon()
	if left, _ := filepath.Glob(os.TempDir() + "/*"); left != nil {
		a.t.Errorf("%s was left behind", left)
	}
}

func TestAnAbandonedTunerLeavesNothingBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Run("before the function is built", func(t *testing.T) {
		_, err := compare(t, "hang", local.Options{}, func(_ *comparison.Comparison, tuner *local.Tuner) {
			(&abandoner{t, tuner}).abandon()
		})
		if err == nil {
			t.Error("Tune went on without its folder")
		}
	})
	t.Run("while the function runs", func(t *testing.T) {
		a := abandoner{t: t}
		c, err := compare(t, "hang", local.Options{Output: &a}, func(_ *comparison.Comparison, tuner *local.Tuner) { a.tuner = tuner })
		if err != nil || !strings.Contains(c.Variants[0].Cells[0].Error, "signal: killed") {
			t.Errorf("Tune = %v, %+v; want a function that was killed", err, c.Variants[0].Cells)
		}
	})
}
