//go:build linux

package lambda_test

import (
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"lambda-parallel-io/handler/build"
	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/local/lambda"
	"lambda-parallel-io/tune/local/s3"
	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/slowmotion"
)

// BenchmarkSlowerClock checks what is said of the machine's effect. In slow
// motion four times as much of the machine is there for the same work: what is
// left between the two is what the machine has added. Where the estimate is
// below 5 % they must agree within 7 %. It is told in percent.
func BenchmarkSlowerClock(b *testing.B) {
	const slower, rounds = 4, 6
	dir := b.TempDir()
	handler := filepath.Join(dir, "bootstrap")
	if err := build.Function(b.Context(), "../../..", "./handler", runtime.GOARCH, handler); err != nil {
		b.Fatal(err)
	}
	object, err := os.ReadFile("../../../sample.json")
	if err != nil {
		b.Fatal(err)
	}
	quiet := log.New(io.Discard, "", 0)
	type side struct {
		s3   *s3.Server
		env  []string
		slow int
	}
	latency, err := profile.Parse("15ms")
	if err != nil {
		b.Fatal(err)
	}
	var sides []*side
	for _, slow := range []int{1, slower} {
		server, err := s3.Start(latency, 1, slowmotion.Factor(slow), quiet)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { server.Close() })
		if err := server.Put("b", "k", object); err != nil {
			b.Fatal(err)
		}
		ca := filepath.Join(dir, fmt.Sprint(slow, ".pem"))
		if err := os.WriteFile(ca, server.CA, 0o600); err != nil {
			b.Fatal(err)
		}
		sides = append(sides, &side{server, []string{"BUCKET=b", "AWS_ENDPOINT_URL_S3=" + server.URL, "AWS_CA_BUNDLE=" + ca, "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s"}, slow})
	}
	for _, memoryMB := range []int{1_024, 1_769, 3_008} {
		for _, strategy := range []string{"sequential", "pool"} {
			b.Run(fmt.Sprintf("%s/%d", strategy, memoryMB), func(b *testing.B) {
				payload := fmt.Appendf(nil, `{"strategy": %q, "repeat": 100, "objectKey": "k"}`, strategy)
				var durations [2][]float64
				var effect float64
				var functions []*lambda.Function
				for _, s := range sides {
					f, err := lambda.New(lambda.Config{Path: handler, Env: s.env, MemoryMB: memoryMB, Arch: "x86_64", Speed: 1, Slow: slowmotion.Factor(s.slow), Timeout: time.Minute, Name: "f", Region: "us-east-1", Errors: quiet})
					if err != nil {
						b.Fatal(err)
					}
					defer f.Close()
					functions = append(functions, f)
				}
				for k := range rounds + 1 {
					for i, s := range sides {
						all, late := s.s3.Waited()
						inv, err := functions[i].Invoke(b.Context(), payload)
						if err != nil || inv.Err != nil {
							b.Fatal(err, inv.Err)
						}
						if k == 0 {
							continue
						}
						durations[i] = append(durations[i], inv.Duration.Seconds())
						if i == 0 {
							waited, beyond := s.s3.Waited()
							effect += (inv.Lost.Seconds() + inv.Free.Seconds()*(beyond-late).Seconds()/(waited-all).Seconds()) / inv.Duration.Seconds() / rounds
						}
					}
				}
				r := comparison.Compare(durations[0], durations[1], 1)
				b.ReportMetric(100*effect, "effect-%")
				b.ReportMetric(100*(r.Value-1), "longer-%")
				b.ReportMetric(0, "ns/op")
				if effect < 0.05 && math.Abs(r.Value-1) > 0.07 {
					b.Errorf("it took %.1f %% longer than at a slower clock, and %.1f %% are said to be the machine's", 100*(r.Value-1), 100*effect)
				}
			})
		}
	}
}
