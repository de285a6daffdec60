package lambda

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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

// The fields of /proc/PID/stat behind the command's name, from 0.
const (
	statParent = iota + 1
	statGroup
	statChildFaults = 8 // minor page faults of children that have ended and were waited for
)

// procStat reads those fields, nil once the process has gone.
func procStat(pid string) []string {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	at := bytes.LastIndex(stat, []byte(") ")) // the name may hold anything
	if fields := strings.Fields(string(stat[at+1:])); err == nil && at > 0 && len(fields) > statChildFaults {
		return fields
	}
	return nil
}

// childFaults changes when process pid has waited for a child of its own.
func childFaults(pid int) string {
	if fields := procStat(strconv.Itoa(pid)); fields != nil {
		return fields[statChildFaults]
	}
	return ""
}

// hasCompany reports whether another process runs that is a child of process
// pid or in its group.
func hasCompany(pid int) bool {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return false
	}
	self := strconv.Itoa(pid)
	for _, dir := range dirs {
		other := filepath.Base(dir)
		if fields := procStat(other); fields != nil && other != self && (fields[statParent] == self || fields[statGroup] == self) {
			return true
		}
	}
	return false
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
