package s3

import (
	"context"
	"os"
	"sync"
	"time"

	smithytime "github.com/aws/smithy-go/time"
	"golang.org/x/sys/unix"
)

// alarms are kernel timers. In an idle process Go's are up to 1 ms late, 5 % of a GET: epoll waits for whole ms.
var alarms = sync.Pool{New: func() any {
	fd, _ := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	return os.NewFile(uintptr(fd), "timerfd") // nil for -1, if no descriptors are left
}}

// wait waits for a latency. It fails if ctx ends first.
func wait(ctx context.Context, latency time.Duration) error {
	if latency <= 0 {
		return nil
	}
	alarm := alarms.Get().(*os.File)
	if alarm == nil {
		return smithytime.SleepWithContext(ctx, latency)
	}
	_ = unix.TimerfdSettime(int(alarm.Fd()), 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(latency.Nanoseconds())}, nil) // fails only for wrong arguments
	stop := context.AfterFunc(ctx, func() { _ = alarm.SetReadDeadline(time.Now()) })
	_, err := alarm.Read(make([]byte, 8))
	if stop() { // otherwise its deadline has passed, and it is useless
		alarms.Put(alarm)
	} else {
		_ = alarm.Close()
	}
	return err
}
