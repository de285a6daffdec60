package lambda

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// runDelay returns how long the threads of a process have been ready to run and had
// no processor, summed. What it grows by in an invocation is the machine's: a
// process that is stopped is not ready.
func runDelay(pid int) (sum time.Duration) {
	paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, path := range paths {
		if f, err := os.Open(path); err == nil { // else the thread has ended since
			_, waited, _ := numbers(f)
			sum += time.Duration(waited)
			f.Close()
		}
	}
	return sum
}

// numbers returns the first two of an open file of /proc, and whether what it
// tells of is still there.
func numbers(file *os.File) (first, second int64, ok bool) {
	var buf [128]byte
	n, _ := file.ReadAt(buf[:], 0)
	fields := bytes.Fields(buf[:n])
	if len(fields) < 2 {
		return 0, 0, false
	}
	first, _ = strconv.ParseInt(string(fields[0]), 10, 64)
	second, _ = strconv.ParseInt(string(fields[1]), 10, 64)
	return first, second, true
}
