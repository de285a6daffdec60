package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/strategies"
)

// The benchmark compares the CPU cost of a read for the client with that of two
// other clients, a lower and an upper bound. The server and each client are separate
// processes, so that a client's CPU time is its own. A round runs every contender
// once, each in a new process, and counts its first reads and connections too.
// Contenders of one round share the machine's load, so only ratios count.
const (
	benchReads   = 3_000
	benchWorkers = 30
	benchRounds  = 9
)

// roleVariable tells the test binary its role in the benchmark.
const roleVariable = "HANDLER_BENCHMARK_ROLE"

var contenders = []struct {
	name string
	read func() (func(context.Context) error, error) // makes the client
}{
	{"function", readAsFunction(event.Payload{ObjectKey: "sample.json", Repeat: benchReads})},
	{"distinct", readAsFunction(event.Payload{Keys: distinct(), OnFailure: event.Report})},
	{"net-http", readRaw},
	{"sdk-defaults", readByDefaults},
}

// cost holds the cost of a contender's reads to its process, by name and unit.
type cost map[string]float64

func BenchmarkRead(b *testing.B) {
	server := newS3(b) // this process is the server's; clients have their own
	for _, key := range distinct() {
		server.put(b, key, sample(b))
	}
	costs := map[string][]cost{}
	for range benchRounds {
		for _, c := range contenders {
			opened := server.connections.Load()
			spent := contendInProcess(b, c.name, server.settings())
			spent["connections"] = float64(server.connections.Load() - opened)
			costs[c.name] = append(costs[c.name], spent)
		}
	}
	for _, c := range contenders {
		b.Run(c.name, func(b *testing.B) {
			b.ReportMetric(0, "ns/op") // wall time is meaningless here
			for unit := range costs[c.name][0] {
				b.ReportMetric(medianOf(costs[c.name], unit), unit)
			}
			for _, other := range []string{"net-http", "function"} {
				var ratios []cost
				for round := range costs[c.name] {
					ratios = append(ratios, cost{cpuUnit: costs[c.name][round][cpuUnit] / costs[other][round][cpuUnit]})
				}
				b.ReportMetric(medianOf(ratios, cpuUnit), "x-"+other)
			}
		})
	}
}

const cpuUnit = "cpu-µs/read"

func medianOf(costs []cost, unit string) float64 {
	var all []float64
	for _, c := range costs {
		all = append(all, c[unit])
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func contendInProcess(b *testing.B, name string, settings []string) (c cost) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(settings, roleVariable+"="+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &c)
	}
	if err != nil {
		b.Fatalf("%s: %v\n%s", name, err, out)
	}
	return c
}

func playRole() int {
	for _, c := range contenders {
		if c.name == os.Getenv(roleVariable) {
			if err := contend(c.read); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			return 0
		}
	}
	return 2
}

func contend(makeClient func() (func(context.Context) error, error)) error {
	read, err := makeClient()
	if err != nil {
		return err
	}
	pool, err := strategies.ByName("pool")
	if err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := processCPU()
	err = pool.Run(context.Background(), benchReads, benchWorkers, func(ctx context.Context, _ int) error { return read(ctx) })
	if err != nil {
		return err
	}
	cpu = processCPU() - cpu
	runtime.ReadMemStats(&after)
	return json.NewEncoder(os.Stdout).Encode(cost{
		cpuUnit:       float64(cpu) / float64(time.Microsecond) / benchReads,
		"allocs/read": float64(after.Mallocs-before.Mallocs) / benchReads,
		"B/read":      float64(after.TotalAlloc-before.TotalAlloc) / benchReads,
	})
}

// distinct returns a different key for each read.
func distinct() []string {
	keys := make([]string, benchReads)
	for i := range keys {
		keys[i] = fmt.Sprintf("orders/2026/%06d.json", i)
	}
	return keys
}

// readAsFunction reads as the function does, one object or many.
func readAsFunction(p event.Payload) func() (func(context.Context) error, error) {
	return func() (func(context.Context) error, error) {
		tuneMemory(os.Getenv)
		b, err := openBucket(context.Background(), bucketName, stallTime)
		if err != nil {
			return nil, err
		}
		w, err := (&function{bucket: b}).find(context.Background(), p)
		return func(ctx context.Context) error {
			_, whole, err := w.read(ctx)
			if err == nil && !whole {
				err = fmt.Errorf("an object was not read: %+v", w.failures)
			}
			return err
		}, err
	}
}

// readRaw is the lower bound: net/http with the function's transport, memory
// settings, buffers and decoder. It has no SDK, so no signature, checksum or
// retries.
func readRaw() (func(context.Context) error, error) {
	tuneMemory(os.Getenv)
	b, err := openBucket(context.Background(), bucketName, stallTime)
	if err != nil {
		return nil, err
	}
	client := b.direct.general
	url := os.Getenv("AWS_ENDPOINT_URL_S3") + "/" + bucketName + "/sample.json"
	return func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		whole := bodies.Get().(*body)
		defer whole.free()
		if _, err := whole.ReadFrom(resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", url, resp.Status)
		}
		_, err = countRecords(whole.Bytes())
		return err
	}, nil
}

// readByDefaults reads as simple code does: with the SDK's defaults, io.ReadAll and
// encoding/json.
func readByDefaults() (func(context.Context) error, error) {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		return nil, err
	}
	client, bucket, key := s3.NewFromConfig(cfg), bucketName, "sample.json"
	return func(ctx context.Context) error {
		out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			return err
		}
		defer out.Body.Close()
		content, err := io.ReadAll(out.Body)
		if err != nil {
			return err
		}
		var records []any
		return json.Unmarshal(content, &records)
	}, nil
}

// BenchmarkStart measures the time from the start of the process to its first poll
// of the Runtime API, for the binary as deployed and for that of a plain go build.
func BenchmarkStart(b *testing.B) {
	server := newS3(b)
	plain := filepath.Join(b.TempDir(), "plain")
	if out, err := exec.Command("go", "build", "-o", plain, ".").CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	for _, c := range []struct{ name, binary string }{{"deployed", bootstrap}, {"plain", plain}} {
		b.Run(c.name, func(b *testing.B) {
			var all []time.Duration
			for b.Loop() {
				began := time.Now()
				p := startBinary(b, c.binary, server.settings()...)
				<-p.polled
				all = append(all, time.Since(began))
				p.end()
			}
			info, err := os.Stat(c.binary)
			if err != nil {
				b.Fatal(err)
			}
			slices.Sort(all)
			b.ReportMetric(0, "ns/op") // ns/op would include the end of the process
			b.ReportMetric(all[len(all)/2].Seconds()*1000, "ms-to-first-poll")
			b.ReportMetric(float64(info.Size())/1e6, "MB")
		})
	}
}
