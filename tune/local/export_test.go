//go:build linux

package local

import "time"

// SetClosing changes how long a process may be frozen and still have its
// connections, for the time of a test.
func SetClosing(d time.Duration) (reset func()) { return set(&closing, d) }

// SetWarmTime changes how long a warm-up may take, for the time of a test.
func SetWarmTime(d time.Duration) (reset func()) { return set(&warmTime, d) }

func set(variable *time.Duration, d time.Duration) (reset func()) {
	old := *variable
	*variable = d
	return func() { *variable = old }
}
