package lambda

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cpuClock is the kernel's clock of a process's processor time, over all its
// threads, those that run at this moment included.
type cpuClock int32

// clockOf returns the clock of process pid: what clock_getcpuclockid(3) does,
// by the encoding of linux/posix-timers_types.h (CPUCLOCK_SCHED is 2).
func clockOf(pid int) cpuClock { return cpuClock(^int32(pid)<<3 | 2) }

// now returns the processor time used so far, 0 once the process has gone.
func (c cpuClock) now() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(int32(c), &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// runDelay returns how long the threads of process pid have been runnable
// without a processor so far, summed: the second field of each thread's
// schedstat. A stopped thread is not runnable. Threads that have ended are
// lost to it; Go ends hardly any.
func runDelay(pid int) time.Duration {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0
	}
	var sum time.Duration
	for _, t := range tasks {
		stat, err := os.ReadFile(t)
		if err != nil {
			continue // the thread has ended since
		}
		if fields := bytes.Fields(stat); len(fields) >= 2 {
			ns, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			sum += time.Duration(ns)
		}
	}
	return sum
}

// residentMB reads the resident memory from an open /proc/PID/statm, in MB of
// 1,048,576 bytes rounded up, 0 once the process has gone.
func residentMB(statm *os.File) int {
	var buf [128]byte
	n, _ := statm.ReadAt(buf[:], 0)
	fields := bytes.Fields(buf[:n])
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return megabytes(pages * int64(os.Getpagesize()))
}

// peakMB returns the highest resident memory of process pid so far (VmHWM).
func peakMB(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kb, _ := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
			return megabytes(kb << 10)
		}
	}
	return 0
}

func megabytes(n int64) int { return int((n + 1<<20 - 1) >> 20) }
