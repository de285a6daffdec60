package simulate_test

import (
	"fmt"
	"testing"

	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/simulate"
)

// fixed is a draw of reads that all take so many ms.
func fixed(reads int, ms float64) simulate.Draw {
	d := simulate.Draw{First: make([]float64, reads), Again: []float64{ms}}
	for i := range d.First {
		d.First[i] = ms
	}
	return d
}

func TestReadsDrawTheirLatenciesInTheOrderInWhichTheyAreSent(t *testing.T) {
	c := cell(t, 10_240, 2, 4)
	c.Machine, c.Before, c.After = wide, 0, 0
	// Two workers: 10 then 30 on one, 20 then 5 on the other.
	r := run(c, simulate.Draw{First: []float64{10, 20, 30, 5}, Again: []float64{0}})
	near(t, "ms", r.DurationMS, 40, 1e-9)
}

func TestADrawIsWhatTheLocalS3DrawsOfAnInvocation(t *testing.T) {
	s := s3(t, "apg")
	d := simulate.NewDraw(s, 3, 7, 20)
	for i, ms := range d.First {
		near(t, "read", ms, s.Draw(3, 7, uint64(i+1)).Seconds()*1e3, 1e-12)
		near(t, "again", d.Again[i], s.Draw(3, 7, profile.Again|uint64(i+1)).Seconds()*1e3, 1e-12)
	}
}

// Two reads come back at 5 and 7 ms. The first one's wake-up and work take the 1
// ms of the period by 6 ms and the next one's first half; the second one finds a
// core and no quota.
func TestWhatFindsNoQuotaWaitsForTheNextPeriod(t *testing.T) {
	c := cell(t, 10_240, 2, 2)
	c.Machine = simulate.Machine{MemoryMB: 10_240, VCPUs: 0.05, Cores: 2, CoreVCPUs: 1, ThreadVCPUs: 1}
	c.Before, c.After, c.WakeUp = 0, 1, 0.5
	r := run(c, simulate.Draw{First: []float64{5, 7}, Again: []float64{0}})
	near(t, "ms", r.DurationMS, 40.5, 1e-9)
	near(t, "ms of waiting for the processor", r.ProcessorMS, 34, 1e-9)
	if r.WakeUps != 1 {
		t.Errorf("%d wake-ups, want the first read's alone", r.WakeUps)
	}
	c.VCPUs = 0
	if r := run(c, fixed(2, 5)); r.Reads != 0 || r.DurationMS != 900_000 {
		t.Errorf("without a processor: %+v, want nothing read", r)
	}
}

// Of three reads on one core the second waits for the first, and nothing is left
// at S3 while the third computes.
func TestWhatFindsNoCoreWaitsForIt(t *testing.T) {
	c := cell(t, 10_240, 3, 3)
	c.Machine = simulate.Machine{MemoryMB: 10_240, VCPUs: 1, Cores: 1, CoreVCPUs: 1, ThreadVCPUs: 1}
	c.Before, c.After = 0, 1
	r := run(c, simulate.Draw{First: []float64{5, 5, 30}, Again: []float64{0}})
	near(t, "ms", r.DurationMS, 31, 1e-9)
	near(t, "ms of waiting for the processor", r.ProcessorMS, 2, 1e-9)
}

func TestAConnectionIsOpenedOnceAndPaidFor(t *testing.T) {
	c := cell(t, 1_769, 30, 600)
	c.Handshake, c.Open = 1.4, 10
	d := fixed(600, 15)
	r := run(c, d)
	c.Open = 30
	warm := run(c, d)
	if r.Connections != 20 || warm.Connections != 0 {
		t.Errorf("%d and %d connections, want 20 of 30 and none", r.Connections, warm.Connections)
	}
	near(t, "CPU ms of the handshakes", r.CPUMS-warm.CPUMS, 20*1.4, 1e-6)
	c.Reads, c.Workers, c.Open = 1, 1, 0
	near(t, "ms of one read", run(c, d).DurationMS, (1.4+0.3)/1.37+15, 1e-9)
}

func TestMoreThan900ReadsWaitForAConnection(t *testing.T) {
	c := cell(t, 10_240, 0, 9_000)
	c.Machine, c.S3 = wide, limitless(t, "apg")
	c.BaseMB, c.ReadMB, c.WaitingMB = 20, 0.1, 0.01
	r := run(c, fixed(9_000, 100))
	near(t, "ms", r.DurationMS, 10*100.3, 1e-6)
	near(t, "MB of 900 in flight and 8,100 that wait", r.PeakMB, 20+90+81, 1e-9)
	binds(t, "900 connections", r, simulate.Connections)
	c.MemoryMB = 128
	binds(t, "128 MB", run(c, fixed(9_000, 100)), simulate.Memory)
}

// A wake-up is paid where the core had gone idle, and not where work waits.
func TestAWakeUpIsPaidWhereTheProcessorIsIdle(t *testing.T) {
	for _, x := range []struct {
		mb, workers int
		low, high   float64 // of wake-ups a read
	}{{3_008, 1, 0.99, 1}, {3_008, 15, 0.8, 1}, {512, 120, 0, 0.05}} {
		c := cell(t, x.mb, x.workers, 1_000)
		c.WakeUp = 0.2
		r := run(c, draws(t, "apg", 1_000, 1)[0])
		if each := float64(r.WakeUps) / 1_000; each < x.low || each > x.high {
			t.Errorf("%d workers at %d MB: %.2f wake-ups a read, want from %g to %g", x.workers, x.mb, each, x.low, x.high)
		}
		near(t, "CPU ms", r.CPUMS, 1_000*0.3+0.2*float64(r.WakeUps), 1e-6)
	}
}

func TestManyInFlightCostWhatWasMeasured(t *testing.T) {
	for workers, want := range map[int]float64{1: 0, 60: 0, 90: 0.05, 120: 0.1, 180: 0.15, 240: 0.2, 570: 0.3, 900: 0.4} {
		c := cell(t, 512, workers, 9_000)
		c.Crowd = []simulate.Crowd{{60, 0}, {120, 0.1}, {240, 0.2}, {900, 0.4}}
		c.S3 = limitless(t, "apg")
		r := run(c, draws(t, "apg", 9_000, 1)[0])
		near(t, fmt.Sprintf("CPU a read, %d in flight", workers), r.CPUMS/9_000, 0.3+want, 0.04) // fewer are at the end
	}
	c := cell(t, 512, 2, 2)
	c.Crowd = []simulate.Crowd{{1, 0.1}, {2, 0.4}}
	near(t, "CPU ms of the last two reads", run(c, fixed(2, 15)).CPUMS, 2*0.3+0.4+0.1, 1e-9)
}

// 3,000 objects of 5 MiB in 211 to 212 s from 512 MB on: RustyServerless/demo-s3-archiving.
func TestThePublishedArchiveTakesItsTimeOverTheBandwidth(t *testing.T) {
	for _, mb := range []int{512, 1_280} {
		c := cell(t, mb, 30, 3_000)
		c.Bytes, c.After = 5<<20, 4
		r := run(c, draws(t, "apg", 3_000, 1)[0])
		near(t, "s", r.DurationMS/1e3, 211, 0.015)
		binds(t, "3,000 objects of 5 MiB", r, simulate.Bandwidth)
	}
}

func TestALongBodyTakesItsTimeOnAConnectionAndAShortOneNone(t *testing.T) {
	for bytes, want := range map[int]float64{9_000: 0, 64 << 10: 0, 1_000_000: 1e3 / 85.} {
		c := cell(t, 1_769, 1, 20)
		c.Bytes = bytes
		near(t, "ms a read", run(c, fixed(20, 15)).DurationMS/20, 15+0.3/1.37+want, 1e-6)
	}
	c := cell(t, 1_769, 0, 100) // within the budget, and more than the burst's bandwidth at once
	c.Machine, c.Bytes = wide, 1_000_000
	near(t, "ms of 100 MB at once", run(c, fixed(100, 15)).DurationMS, 15+0.3+1e8/profile.BurstBandwidth*1e3, 0.01)
}

// Answers that wait for the processor for 10 s are given up, whose connections
// are opened again; what S3 itself keeps for longer never arrives.
func TestWhatIsSilentForTenSecondsIsGivenUp(t *testing.T) {
	c := cell(t, 128, 0, 900)
	c.Handshake, c.Open = 1.4, 0
	r := run(c, draws(t, "apg", 900, 1)[0])
	if r.Retries < 100 || r.Connections < 900 || r.Reads != 900 || r.DurationMS < 0.99*900*(1.4+0.3)*1_769/128 {
		t.Errorf("900 handshakes at 128 MB: %+v, want some given up, and all read", r)
	}
	c = cell(t, 1_769, 30, 100)
	if r := run(c, fixed(100, 11_000)); r.Reads != 0 || r.Retries < 30*75 || r.Connections < r.Retries-30 || r.DurationMS != 900_000 {
		t.Errorf("an S3 that takes 11 s: %+v, want nothing read until Lambda ends it", r)
	}
	c.Workers, c.Reads = 1, 1
	if r := run(c, simulate.Draw{First: []float64{11_000}, Again: []float64{12_000, 5}}); r.Reads != 1 || r.Retries != 2 {
		t.Errorf("a read that is silent twice: %+v, want it made a third time", r)
	}
}

func TestLambdaEndsWhatTakesMoreThan900Seconds(t *testing.T) {
	r := run(cell(t, 1_769, 1, 100_000), fixed(100_000, 20))
	if r.DurationMS != 900_000 || r.Reads < 44_000 || r.Reads > 45_000 {
		t.Errorf("100,000 reads of 20 ms, one by one: %d read in %.0f ms, want 44,500 in 900,000", r.Reads, r.DurationMS)
	}
}

func TestEachSizeSaysWhatBindsThere(t *testing.T) {
	for _, x := range []struct {
		mb, workers int
		want        string
	}{
		{128, 30, simulate.Processor},
		{512, 60, simulate.Processor},
		{1_769, 30, simulate.Latency},
		{3_008, 60, simulate.Latency},
		{1_769, 1, simulate.Latency},
		{1_024, 240, simulate.Processor},
		{10_240, 240, simulate.Limit},
		{10_240, 0, simulate.Limit},
	} {
		c, d := cell(t, x.mb, x.workers, 2_000), draws(t, "apg", 2_000, 25)
		got := median(c, d)
		binds(t, fmt.Sprintf("%d at %d MB", x.workers, x.mb), got.Result, x.want)
	}
}
